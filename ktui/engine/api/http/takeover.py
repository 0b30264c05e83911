"""Taking a connection over from HTTP: after `101 Switching Protocols` its bytes are the caller's.

aiohttp itself switches to WebSockets only. The transport gets a protocol of its own, and aiohttp's learns when
the connection is lost, so that it can cancel the handler and forget the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

_CHUNK = 64 * 1024


class _Protocol(asyncio.StreamReaderProtocol):
    def __init__(self, reader: asyncio.StreamReader, before: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._before = before

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._before.connection_lost(exc)


class TakenOver(web.StreamResponse):
    """What a handler returns for a connection it took over: nothing is sent any more."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return

    @property
    def keep_alive(self) -> bool:
        return False


class Raw:
    """The bytes of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send, waiting while the client is slow; raises ConnectionError when it has gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What comes, until the client ends it."""
        while data := await self._reader.read(_CHUNK):
            yield data


def take_over(request: web.Request, protocol: str, headers: Mapping[str, str]) -> Raw:
    """Answer an upgrade request and take its connection."""
    transport: Any = request.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    taken = _Protocol(reader, transport.get_protocol())
    transport.set_protocol(taken)
    taken.connection_made(transport)
    writer = asyncio.StreamWriter(transport, taken, reader, loop)
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", f"Upgrade: {protocol}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    return Raw(reader, writer)


def asks_for(request: web.Request, protocol: str) -> bool:
    """Whether a request wants to switch to a protocol."""
    connection = request.headers.get("Connection", "").lower()
    return "upgrade" in connection and request.headers.get("Upgrade", "").lower() == protocol.lower()
