"""The bridge between two event loops in two threads: calls, errors, streams, back-pressure, cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ktui.client import bridge
from ktui.client.base import ExecOptions, LogOptions, WatchEvent
from ktui.client.bridge import BridgeClient
from ktui.kube.errors import StatusError, not_found
from ktui.kube.kinds import PODS
from ktui.kube.resource import ObjectKey


class Echo:
    """An exec session that sends back what it is sent."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.size = (0, 0)
        self.closed = False

    async def send(self, data: bytes) -> None:
        await self.sent.put(data)

    async def close_stdin(self) -> None:
        await self.sent.put(None)

    async def resize(self, width: int, height: int) -> None:
        self.size = (width, height)

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        while (data := await self.sent.get()) is not None:
            yield 1, data

    async def wait(self) -> int:
        return 7

    async def close(self) -> None:
        self.closed = True


class FakeClient:
    """The engine's side: remembers the threads it ran in and what was cancelled."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.cancelled = threading.Event()
        self.closed = threading.Event()
        self.produced = 0
        self.session = None

    async def get(self, resource, name, namespace="", *, subresource=""):
        self.threads.add(threading.get_ident())
        if name == "slow":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if name == "missing":
            raise not_found(resource, name)
        return {"metadata": {"name": name}}

    @asynccontextmanager
    async def watch(self, resource, namespace="", *, options, table=False):
        if namespace == "forbidden":
            raise not_found(resource, "x")

        async def batches():
            self.threads.add(threading.get_ident())
            for n in range(10_000):
                self.produced = n + 1
                yield [WatchEvent("ADDED", b"{}", ObjectKey("", str(n)))]
                if namespace == "fails" and n == 2:
                    raise not_found(resource, "y")
                if namespace == "short" and n == 200:
                    return
                if namespace == "quiet":
                    await asyncio.Event().wait()

        try:
            yield batches()
        finally:
            self.closed.set()

    @asynccontextmanager
    async def logs(self, pod, namespace, *, options):
        async def chunks():
            for n in range(3):
                yield f"{pod} {n}\n".encode()

        yield chunks()

    async def exec(self, pod, namespace, *, options):
        self.session = Echo()
        return self.session


@pytest.fixture
def engine():
    """A loop running in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    if not loop.is_closed():
        _stop(loop, thread)


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread | None = None) -> None:
    async def cancel_all() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    if thread is not None:
        thread.join(5)
        loop.close()


@pytest.fixture
def fake() -> FakeClient:
    return FakeClient()


@pytest.fixture
def client(fake: FakeClient, engine: asyncio.AbstractEventLoop) -> BridgeClient:
    return BridgeClient(fake, engine)  # type: ignore[arg-type] - a stand-in with what is asked of it


async def soon(call: Coroutine[Any, Any, Any]) -> Any:
    return await asyncio.wait_for(call, 5)


async def test_calls_run_on_the_engines_loop(client: BridgeClient, fake: FakeClient):
    assert await soon(client.get(PODS, "p")) == {"metadata": {"name": "p"}}
    assert threading.get_ident() not in fake.threads


async def test_errors_cross(client: BridgeClient):
    with pytest.raises(StatusError) as refused:
        await soon(client.get(PODS, "missing"))
    assert refused.value.is_not_found


async def test_a_cancelled_call_is_cancelled_over_there(client: BridgeClient, fake: FakeClient):
    task = asyncio.create_task(client.get(PODS, "slow"))
    await soon(client.get(PODS, "p"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(fake.cancelled.wait, 5)


async def test_watches_arrive_whole_and_in_order(client: BridgeClient, fake: FakeClient):
    async def read() -> list[str]:
        async with client.watch(PODS, "short") as batches:
            return [event.key.name async for batch in batches for event in batch]

    assert await soon(read()) == [str(n) for n in range(201)]
    assert fake.closed.is_set()


async def test_a_watch_that_cannot_open_raises(client: BridgeClient):
    with pytest.raises(StatusError):
        async with client.watch(PODS, "forbidden"):
            pass


async def test_a_watch_that_fails_raises_after_what_came_before(client: BridgeClient):
    seen: list[str] = []
    with pytest.raises(StatusError):
        async with client.watch(PODS, "fails") as batches:
            async for batch in batches:
                seen += [event.key.name for event in batch]
    assert seen == ["0", "1", "2"]


async def test_a_slow_reader_slows_the_stream_down(client: BridgeClient, fake: FakeClient):
    async with client.watch(PODS) as batches:
        await anext(batches)
        for _ in range(50):
            await soon(client.get(PODS, "p"))
        assert fake.produced <= 3 * bridge.PIPE_SIZE
    assert fake.closed.is_set()


async def test_leaving_a_quiet_watch_closes_it(client: BridgeClient, fake: FakeClient):
    async with client.watch(PODS, "quiet") as batches:
        await soon(anext(batches))
    assert fake.closed.is_set()


async def test_cancelling_the_reader_closes_the_watch(client: BridgeClient, fake: FakeClient):
    reading = asyncio.Event()

    async def read() -> None:
        async with client.watch(PODS, "quiet") as batches:
            async for _ in batches:
                reading.set()

    task = asyncio.create_task(read())
    await soon(reading.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(fake.closed.wait, 5)


async def test_logs_stream(client: BridgeClient):
    async with client.logs("p", "default", options=LogOptions()) as chunks:
        assert [chunk async for chunk in chunks] == [b"p 0\n", b"p 1\n", b"p 2\n"]


async def test_exec_goes_both_ways(client: BridgeClient, fake: FakeClient):
    session = await soon(client.exec("p", "default", options=ExecOptions(command=("sh",))))
    await session.resize(80, 24)
    await session.send(b"one")
    await session.send(b"two")
    await session.close_stdin()
    assert [chunk async for chunk in session] == [(1, b"one"), (1, b"two")]
    assert await soon(session.wait()) == 7
    await session.close()
    assert fake.session.closed and fake.session.size == (80, 24)


async def test_an_engine_that_stops_ends_streams_and_refuses_calls(fake: FakeClient):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    client = BridgeClient(fake, loop)  # type: ignore[arg-type] - a stand-in with what is asked of it
    with pytest.raises(StatusError) as ended:
        async with client.watch(PODS, "quiet") as batches:
            await soon(anext(batches))
            stopping = asyncio.create_task(asyncio.to_thread(_stop, loop, thread))
            await soon(anext(batches))
    assert ended.value.code == 503
    await stopping
    with pytest.raises(StatusError) as refused:
        await soon(client.get(PODS, "p"))
    assert refused.value.message == "the engine has stopped"
    with pytest.raises(StatusError):
        async with client.watch(PODS):
            pass
