"""Connections to a port of a pod: over a WebSocket that carries SPDY/3.1 as kubectl sends it, or already dialled.

Each connection is a WebSocket of its own with two SPDY streams, one for data and one for the reason when the port
can't be reached. SPDY rather than the plain channels of `v4.channel.k8s.io`, because there one side can't say that
it has sent everything and still listen for the answer.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Mapping
from typing import Final

import aiohttp

PROTOCOL: Final = "SPDY/3.1+portforward.k8s.io"
"""The WebSocket subprotocol."""
_VERSION: Final = 0x8003
_SYN_STREAM, _RST_STREAM, _PING, _GOAWAY = 1, 3, 6, 7
_FIN: Final = 0x01
_ERROR, _DATA = 1, 3
"""The numbers of the two streams; a client's are odd."""
_CHUNK: Final = 32 * 1024
LOST: Final = "lost connection to pod"


class TunnelStream:
    """The client's end of one connection through the API. Reading raises ConnectionError with the server's reason."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._deflate = zlib.compressobj()
        self._buffer = bytearray()
        self._problem = ""
        self._ended = False

    async def open(self, port: int) -> None:
        """Ask for the connection."""
        asked = {"port": str(port), "requestid": "0"}
        await self._syn(_ERROR, {**asked, "streamtype": "error"}, _FIN)
        await self._syn(_DATA, {**asked, "streamtype": "data"}, 0)

    async def read(self) -> bytes:
        """The next bytes; b"" once the pod has sent everything."""
        while not self._ended:
            while (frame := self._frame()) is not None:
                if data := await self._taken(*frame):
                    return data
                if self._ended:
                    break
            else:
                message = await self._socket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._buffer += message.data
                elif message.type is not aiohttp.WSMsgType.TEXT:
                    raise ConnectionError(self._problem or LOST)
        if self._problem:
            raise ConnectionError(self._problem)
        return b""

    def _frame(self) -> tuple[int, int, bytes] | None:
        """The next whole frame: its first word, its flags and what it holds."""
        length = int.from_bytes(self._buffer[5:8])
        if len(self._buffer) < 8 or len(self._buffer) < 8 + length:
            return None
        first, flags = int.from_bytes(self._buffer[:4]), self._buffer[4]
        payload = bytes(self._buffer[8 : 8 + length])
        del self._buffer[: 8 + length]
        return first, flags, payload

    async def _taken(self, first: int, flags: int, payload: bytes) -> bytes:
        if not first & 0x80000000:
            if first == _ERROR:
                self._problem += payload.decode(errors="replace")
                return b""
            # An error comes on the other stream before this one ends.
            self._ended = self._ended or bool(flags & _FIN)
            return payload
        kind = first & 0xFFFF
        if kind == _RST_STREAM:
            self._ended, self._problem = True, self._problem or LOST
        elif kind == _GOAWAY:
            self._ended = True
        elif kind == _PING and struct.unpack_from("!I", payload)[0] % 2 == 0:
            await self._control(_PING, payload)
        return b""

    async def write(self, data: bytes) -> None:
        """Send bytes to the pod."""
        for start in range(0, len(data), _CHUNK):
            await self._data(data[start : start + _CHUNK], 0)

    async def end(self) -> None:
        """Tell the pod that everything was sent."""
        await self._data(b"", _FIN)

    async def close(self) -> None:
        await self._socket.close()

    async def _data(self, data: bytes, flags: int) -> None:
        await self._socket.send_bytes(struct.pack("!II", _DATA, flags << 24 | len(data)) + data)

    async def _control(self, kind: int, payload: bytes, flags: int = 0) -> None:
        await self._socket.send_bytes(
            struct.pack("!HHI", _VERSION, kind, flags << 24 | len(payload)) + payload
        )

    async def _syn(self, number: int, headers: Mapping[str, str], flags: int) -> None:
        plain = struct.pack("!I", len(headers))
        for text in (text for pair in headers.items() for text in pair):
            plain += struct.pack("!I", len(text)) + text.encode()
        # Compressed without the protocol's dictionary, which inflaters then don't ask for; what the server
        # answers in headers is of no interest, so nothing is inflated here.
        block = self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self._control(_SYN_STREAM, struct.pack("!IIBB", number, 0, 0, 0) + block, flags)


class DialledStream:
    """A connection that a node's agent has made in this process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """The next bytes; b"" once the pod has sent everything."""
        return await self._reader.read(_CHUNK)

    async def write(self, data: bytes) -> None:
        """Send bytes to the pod."""
        self._writer.write(data)
        await self._writer.drain()

    async def end(self) -> None:
        """Tell the pod that everything was sent."""
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()
