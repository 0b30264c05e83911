"""SPDY/3.1 framing, by a client made of the same few rules."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import struct
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.engine.api.http.spdy import Connection, SpdyError, Stream
from ktui.engine.api.http.spdy_dictionary import DICTIONARY
from ktui.kube.clock import settle


class Client:
    """What a client sends and gets."""

    def __init__(self) -> None:
        self.deflate = zlib.compressobj(zdict=DICTIONARY)
        self.sent: list[bytes] = []
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self.connection = Connection(self.take)
        self.task = asyncio.create_task(self.connection.run(self.chunks()))
        self.opened = aiter(self.connection.streams())

    async def take(self, data: bytes) -> None:
        self.sent.append(data)

    async def chunks(self) -> AsyncIterator[bytes]:
        while data := await self.incoming.get():
            yield data

    def control(self, kind: int, payload: bytes, flags: int = 0) -> None:
        self.incoming.put_nowait(struct.pack("!HHI", 0x8003, kind, flags << 24 | len(payload)) + payload)

    def data(self, number: int, payload: bytes, *, last: bool = False) -> None:
        self.incoming.put_nowait(struct.pack("!II", number, last << 24 | len(payload)) + payload)

    def block(self, **headers: str) -> bytes:
        plain = struct.pack("!I", len(headers))
        for pair in headers.items():
            for text in pair:
                plain += struct.pack("!I", len(text)) + text.encode()
        return self.deflate.compress(plain) + self.deflate.flush(zlib.Z_SYNC_FLUSH)

    async def open(self, number: int, **headers: str) -> Stream:
        self.control(1, struct.pack("!IIH", number, 0, 0) + self.block(**headers))
        return await anext(self.opened)

    async def end(self) -> None:
        self.incoming.put_nowait(b"")
        await self.task


def test_the_dictionary_is_the_protocols():
    digest = "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"
    assert hashlib.sha256(DICTIONARY).hexdigest() == digest


async def test_streams_have_headers_and_data_both_ways():
    client = Client()
    first = await client.open(1, streamType="error", port="80")
    second = await client.open(3, streamType="data", port="80")
    assert (first.headers["streamtype"], second.headers["streamtype"]) == ("error", "data")
    replies = [frame for frame in client.sent if frame[:4] == b"\x80\x03\x00\x02"]
    assert [struct.unpack_from("!I", frame, 8)[0] for frame in replies] == [1, 3]
    client.data(3, b"abc")
    client.data(3, b"", last=True)
    assert await second.read() == b"abc"
    assert await second.read() == b""
    assert await second.read() == b""
    await second.write(b"x" * 70_000)
    await second.close()
    await second.write(b"too late")
    frames = client.sent[2:]
    assert b"".join(frame[8:] for frame in frames) == b"x" * 70_000
    assert frames[-1] == struct.pack("!II", 3, 1 << 24)
    await client.end()


async def test_frames_may_come_in_any_pieces():
    client = Client()
    whole = struct.pack("!IIH", 1, 0, 0) + client.block(a="b")
    frame = struct.pack("!HHI", 0x8003, 1, len(whole)) + whole
    for byte in frame:
        client.incoming.put_nowait(bytes((byte,)))
    assert (await anext(client.opened)).headers == {"a": "b"}
    await client.end()


async def test_a_ping_is_answered_and_our_own_is_not():
    client = Client()
    client.control(6, struct.pack("!I", 7))
    client.control(6, struct.pack("!I", 8))
    await client.end()
    assert client.sent == [struct.pack("!HHII", 0x8003, 6, 4, 7)]


async def test_readers_learn_that_the_client_is_gone():
    client = Client()
    stream = await client.open(1)
    reading = asyncio.create_task(stream.read())
    await client.end()
    assert await reading == b""
    assert [stream async for stream in client.connection.streams()] == []


async def test_a_client_that_sends_too_much_waits():
    client = Client()
    stream = await client.open(1)
    for _ in range(500):
        client.data(1, b"x")
    await settle()
    assert client.incoming.qsize() > 300
    for _ in range(500):
        assert await stream.read() == b"x"
    await client.end()


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack("!II", 1, 0xFFFFFF),
        struct.pack("!HHI", 0x8003, 1, 0),
        struct.pack("!HHI", 0x8003, 1, 12) + b"x" * 12,
        struct.pack("!HHI", 0x8003, 3, 0),
    ],
    ids=["too large", "empty", "bad headers", "no stream"],
)
async def test_damaged_frames_end_the_connection(frame: bytes):
    client = Client()
    client.incoming.put_nowait(frame)
    with pytest.raises(SpdyError):
        await client.task


async def test_headers_that_unpack_to_too_much_end_the_connection():
    client = Client()
    client.control(1, struct.pack("!IIH", 1, 0, 0) + client.block(a="x" * 10_000_000))
    with pytest.raises(SpdyError, match="too large"):
        await client.task


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=64), max_size=8), st.booleans())
def test_any_bytes_are_read_or_refused(chunks: list[bytes], control: bool):
    async def feed() -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for chunk in chunks:
                head = struct.pack("!HHI", 0x8003, len(chunk) % 10, len(chunk)) if control else b""
                yield head + chunk

        async def ignore(_: bytes) -> None:
            return

        with contextlib.suppress(SpdyError):
            await Connection(ignore).run(pieces())

    asyncio.run(feed())
