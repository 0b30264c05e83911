"""Keys on their way into a container: each once, and never at the cost of the loop that draws everything else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from typing import Any

import pytest

from ktui.client.terminal import run_session


class Session:
    """An exec session that notes what it is sent and ends when told to."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.ended = asyncio.Event()
        self.got = asyncio.Event()

    async def send(self, data: bytes) -> None:
        await asyncio.sleep(0)
        self.sent.append(data)
        self.got.set()

    async def close_stdin(self) -> None:
        self.ended.set()

    def __aiter__(self) -> Session:
        return self

    async def __anext__(self) -> tuple[int, bytes]:
        await self.ended.wait()
        raise StopAsyncIteration

    async def wait(self) -> int:
        return 0


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch):
    """The writing end of what stands for the terminal's input."""
    reading, writing = os.pipe()
    stdin: Any = type("Stdin", (), {"fileno": lambda self: reading})()
    monkeypatch.setattr(sys, "stdin", stdin)
    # Were a read to block the loop, the end of the input would free it, and fail the test.
    release = threading.Timer(5.0, os.close, (writing,))
    release.start()
    yield writing
    release.cancel()
    release.join()
    os.close(reading)
    with contextlib.suppress(OSError):
        os.close(writing)


async def test_waiting_for_the_next_key_does_not_hold_up_the_loop(keyboard: int) -> None:
    session: Any = Session()
    async with asyncio.timeout(10):
        run = asyncio.create_task(run_session(session, stdin=True, tty=False))
        for key in (b"a", b"b", b"c"):
            os.write(keyboard, key)
            await session.got.wait()
            session.got.clear()
            for _ in range(20):
                await asyncio.sleep(0)
        session.ended.set()
        assert await run == 0
    assert session.sent == [b"a", b"b", b"c"]
