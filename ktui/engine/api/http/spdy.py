"""SPDY/3.1 as kubectl and client-go speak it: many streams on one connection.

In: bytes of one connection, however they travel (an upgraded HTTP connection, messages of a WebSocket). Out:
`Stream`s that the client opened, each a header and two byte streams. Windows are not kept, as in the library
all Kubernetes components use: what is not read holds up the connection, and TCP the sender.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from ktui.engine.api.http.spdy_dictionary import DICTIONARY

PROTOCOL = "SPDY/3.1"

_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_FIN = 0x01
_PROTOCOL_ERROR, _REFUSED, _CANCEL = 1, 3, 5
_MOST_STREAMS = 1000
_LARGEST_FRAME = 1024 * 1024
_LARGEST_HEADERS = 64 * 1024
_QUEUED_FRAMES = 64
_CHUNK = 32 * 1024

Send = Callable[[bytes], Awaitable[None]]


class SpdyError(ConnectionError):
    """The client does not speak the protocol."""


class Stream:
    """One stream, opened by the client. Reading gives b"" once the client has ended its side."""

    def __init__(self, connection: Connection, number: int, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self._connection = connection
        self._number = number
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED_FRAMES)
        self._ended = False
        self._closed = False

    async def read(self) -> bytes:
        """The next bytes."""
        if self._ended:
            return b""
        data = await self._incoming.get()
        if not data:
            self._ended = True
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes; nothing happens on a stream that is closed."""
        for start in range(0, len(data), _CHUNK):
            if self._closed:
                return
            await self._connection.send_data(self._number, data[start : start + _CHUNK], 0)

    async def close(self) -> None:
        """End the server's side."""
        if not self._closed:
            self._closed = True
            await self._connection.send_data(self._number, b"", _FIN)

    async def reset(self) -> None:
        """Abandon the stream both ways."""
        if not self._closed:
            self._closed = True
            await self._connection.send_control(_RST_STREAM, struct.pack("!II", self._number, _CANCEL))
        self._connection.forget(self._number)

    async def feed(self, data: bytes) -> None:
        """What the client sent; b"" is its end."""
        await self._incoming.put(data)

    def lost(self) -> None:
        """The connection or the stream is gone: readers get what came, then the end."""
        self._closed = True
        if self._incoming.full():
            self._incoming.get_nowait()
        self._incoming.put_nowait(b"")


class Connection:
    """The server's end of a connection."""

    def __init__(self, send: Send) -> None:
        self._send_bytes = send
        self._sending = asyncio.Lock()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._streams: dict[int, Stream] = {}
        self._opened: asyncio.Queue[Stream | None] = asyncio.Queue()
        self._last = 0

    async def streams(self) -> AsyncIterator[Stream]:
        """The streams the client opens, until the connection ends."""
        while (stream := await self._opened.get()) is not None:
            yield stream

    async def run(self, chunks: AsyncIterator[bytes]) -> None:
        """Take the connection's bytes until it ends; raises SpdyError for what is not SPDY."""
        buffered = bytearray()
        try:
            async for chunk in chunks:
                buffered += chunk
                while len(buffered) >= 8:
                    length = int.from_bytes(buffered[5:8])
                    if length > _LARGEST_FRAME:
                        raise SpdyError(f"a frame of {length} bytes is too large")
                    if len(buffered) < 8 + length:
                        break
                    frame = bytes(buffered[: 8 + length])
                    del buffered[: 8 + length]
                    if not await self._frame(frame):
                        return
        finally:
            for stream in self._streams.values():
                stream.lost()
            self._opened.put_nowait(None)

    async def goodbye(self) -> None:
        """Tell the client that the connection ends."""
        with contextlib.suppress(ConnectionError):
            await self.send_control(_GOAWAY, struct.pack("!II", self._last, 0))

    async def _frame(self, frame: bytes) -> bool:
        """Handle one frame; False when the client says goodbye."""
        first, flags, payload = int.from_bytes(frame[:4]), frame[4], frame[8:]
        if not first & 0x80000000:
            await self._data(first, flags, payload)
            return True
        kind = first & 0xFFFF
        try:
            if kind == _SYN_STREAM:
                await self._syn_stream(flags, payload)
            elif kind == _HEADERS:
                # Read also for streams that are gone: all header blocks share one compression.
                self._headers(payload[4:])
            elif kind == _RST_STREAM:
                (number,) = struct.unpack_from("!I", payload)
                if stream := self._streams.pop(number, None):
                    stream.lost()
            elif kind == _PING and struct.unpack("!I", payload)[0] % 2:
                await self.send_control(_PING, payload)
            elif kind == _GOAWAY:
                return False
        except struct.error as error:
            raise SpdyError(f"a damaged frame: {error}") from error
        return True

    async def _data(self, number: int, flags: int, payload: bytes) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        if payload:
            await stream.feed(payload)
        if flags & _FIN:
            await stream.feed(b"")

    async def _syn_stream(self, flags: int, payload: bytes) -> None:
        number, _, _ = struct.unpack_from("!IIH", payload)
        headers = self._headers(payload[10:])
        if number % 2 == 0 or number <= self._last:
            raise SpdyError(f"stream {number} out of order")
        self._last = number
        if len(self._streams) >= _MOST_STREAMS:
            await self.send_control(_RST_STREAM, struct.pack("!II", number, _REFUSED))
            return
        stream = self._streams[number] = Stream(self, number, headers)
        async with self._sending:
            # Compressed and sent in one go: the client inflates in the order of sending.
            block = self._deflate.compress(struct.pack("!I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            await self._send_bytes(_control(_SYN_REPLY, struct.pack("!I", number) + block))
        if flags & _FIN:
            await stream.feed(b"")
        self._opened.put_nowait(stream)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, _LARGEST_HEADERS)
        except zlib.error as error:
            raise SpdyError(f"damaged headers: {error}") from error
        if self._inflate.unconsumed_tail:
            raise SpdyError("the headers are too large")
        return parse_headers(plain)

    def forget(self, number: int) -> None:
        """The stream is over."""
        self._streams.pop(number, None)

    async def send_data(self, number: int, data: bytes, flags: int) -> None:
        async with self._sending:
            await self._send_bytes(struct.pack("!II", number, flags << 24 | len(data)) + data)

    async def send_control(self, kind: int, payload: bytes) -> None:
        async with self._sending:
            await self._send_bytes(_control(kind, payload))


def _control(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack("!HHI", 0x8000 | _VERSION, kind, flags << 24 | len(payload)) + payload


def parse_headers(plain: bytes) -> dict[str, str]:
    """A header block, names in lower case; of several values the first."""
    found: dict[str, str] = {}
    try:
        (count,) = struct.unpack_from("!I", plain)
        at = 4
        for _ in range(count):
            pair: list[str] = []
            for _ in range(2):
                (length,) = struct.unpack_from("!I", plain, at)
                at += 4
                if at + length > len(plain):
                    raise SpdyError("damaged headers: they end too early")
                pair.append(plain[at : at + length].decode("latin-1"))
                at += length
            found[pair[0].lower()] = pair[1].partition("\0")[0]
    except struct.error as error:
        raise SpdyError(f"damaged headers: {error}") from error
    return found


def chosen(offered: Sequence[str], known: Sequence[str]) -> str | None:
    """The first protocol the client offers that the server knows."""
    names = [name.strip() for header in offered for name in header.split(",")]
    return next((name for name in names if name in known), None)
