"""The least HTTP client there can be: ready-made requests over TLS, so that what is measured is the server."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Server:
    """Where an API is and how its admin gets in, from a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        where = urlsplit(cluster["server"])
        self.host, self.port = where.hostname or "", where.port or 443
        self.tls = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        with tempfile.NamedTemporaryFile() as file:
            for part in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(user[part]))
            file.flush()
            self.tls.load_cert_chain(file.name)

    @contextmanager
    def reader(self) -> Iterator[Callable[[bytes], int]]:
        """A blocking connection for large answers: a function that sends a request and reads the answer away,
        giving the length of its body."""
        into = memoryview(bytearray(1 << 20))
        with socket.create_connection((self.host, self.port)) as plain:
            connection = self.tls.wrap_socket(plain, server_hostname=self.host)

            def fetch(data: bytes) -> int:
                connection.sendall(data)
                received = b""
                while (end := received.find(b"\r\n\r\n")) < 0:
                    received += connection.recv(65536)
                head = received[:end].lower()
                assert head.startswith(b"http/1.1 200"), received
                length = int(head[head.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
                left = length - (len(received) - end - 4)
                while left:
                    left -= connection.recv_into(into, min(left, len(into)))
                return length

            yield fetch

    async def connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            Connection, self.host, self.port, ssl=self.tls, server_hostname=self.host
        )
        return connection


def request(method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
    """A request's bytes, with the headers that client-go sends."""
    about = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if body else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n"
        f"Accept: application/json\r\n{about}\r\n"
    ).encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time, or a stream of lines."""

    def __init__(self) -> None:
        self.received = 0
        self.on_chunk: Callable[[bytes], None] | None = None
        self._parts: deque[bytes] = deque()
        self._length = -1
        self._head = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed by the server"))

    async def call(self, data: bytes) -> tuple[int, bytes]:
        """Send a request; the answer's code and body."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._answer

    def stream(self, data: bytes, on_chunk: Callable[[bytes], None]) -> None:
        """Send a request whose answer is handed over raw, as it comes."""
        self.on_chunk = on_chunk
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self.on_chunk is not None:
            self.on_chunk(data)
            return
        if self._length < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data, self._head = self._head[:end].lower(), self._head[end + 4 :], b""
            self._code = int(head[9:12])
            at = head.index(b"content-length:") + 15
            self._length = int(head[at:].split(b"\r\n", 1)[0])
            self.received = 0
        self._parts.append(data)
        self.received += len(data)
        if self.received >= self._length:
            body = b"".join(self._parts)
            self._parts.clear()
            self._length = -1
            assert self._answer is not None
            self._answer.set_result((self._code, body))
