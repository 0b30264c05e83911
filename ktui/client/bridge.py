"""A client for another thread's event loop: the engine lives in its own thread, the screens in theirs.

Each call runs on the engine's loop while the caller's loop waits without blocking; cancelling one cancels the
other. Streams (watches, logs, exec output) flow through a bounded pipe, so that a slow reader slows the stream
down and never fills memory. Bytes and frozen objects are all that crosses.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar

from ktui.client.base import (
    Client,
    DeleteOptions,
    ExecOptions,
    ExecSession,
    ListOptions,
    LogOptions,
    ObjectList,
    PatchType,
    PortStream,
    WatchEvent,
    WatchOptions,
    WriteOptions,
)
from ktui.kube.errors import unavailable
from ktui.kube.resource import Object, Resource

T = TypeVar("T")

PIPE_SIZE = 64
"""How many batches or chunks may wait for a slow reader."""
_CLOSE_SECONDS = 5.0

_LIST, _WATCH, _WRITE, _DELETE, _LOG = (
    ListOptions(),
    WatchOptions(),
    WriteOptions(),
    DeleteOptions(),
    LogOptions(),
)


class BridgeClient(Client):
    """`client`, which belongs to the running loop `loop`, for callers on any other loop."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    async def resources(self) -> Sequence[Resource]:
        return await _across(self._loop, self._client.resources())

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        return await _across(self._loop, self._client.get(resource, name, namespace, subresource=subresource))

    async def list(
        self, resource: Resource, namespace: str = "", *, options: ListOptions = _LIST
    ) -> ObjectList:
        return await _across(self._loop, self._client.list(resource, namespace, options=options))

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        options: WatchOptions = _WATCH,
        table: bool = False,
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[WatchEvent]]]:
        return _stream(
            self._loop, lambda: self._client.watch(resource, namespace, options=options, table=table)
        )

    async def table(
        self, resource: Resource, namespace: str = "", *, name: str = "", options: ListOptions = _LIST
    ) -> Object:
        return await _across(self._loop, self._client.table(resource, namespace, name=name, options=options))

    async def create(
        self,
        resource: Resource,
        obj: Object,
        namespace: str = "",
        *,
        name: str = "",
        subresource: str = "",
        options: WriteOptions = _WRITE,
    ) -> Object:
        call = self._client.create(
            resource, obj, namespace, name=name, subresource=subresource, options=options
        )
        return await _across(self._loop, call)

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", options: WriteOptions = _WRITE
    ) -> Object:
        call = self._client.update(resource, obj, subresource=subresource, options=options)
        return await _across(self._loop, call)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Object | Sequence[Object],
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
        options: WriteOptions = _WRITE,
    ) -> Object:
        call = self._client.patch(
            resource,
            name,
            patch,
            namespace,
            patch_type=patch_type,
            subresource=subresource,
            options=options,
        )
        return await _across(self._loop, call)

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", *, options: DeleteOptions = _DELETE
    ) -> Object:
        return await _across(self._loop, self._client.delete(resource, name, namespace, options=options))

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        options: DeleteOptions = _DELETE,
        list_options: ListOptions = _LIST,
    ) -> None:
        call = self._client.delete_collection(resource, namespace, options=options, list_options=list_options)
        await _across(self._loop, call)

    def logs(
        self, pod: str, namespace: str, *, options: LogOptions = _LOG
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return _stream(self._loop, lambda: self._client.logs(pod, namespace, options=options))

    async def exec(self, pod: str, namespace: str, *, options: ExecOptions) -> ExecSession:
        session = await _across(self._loop, self._client.exec(pod, namespace, options=options))
        return BridgeSession(session, self._loop)

    async def port_forward(self, pod: str, namespace: str, port: int) -> PortStream:
        stream = await _across(self._loop, self._client.port_forward(pod, namespace, port))
        return BridgePortStream(stream, self._loop)

    async def close(self) -> None:
        await _across(self._loop, self._client.close())


class BridgeSession(ExecSession):
    """An exec session of the engine's loop, for another loop."""

    def __init__(self, session: ExecSession, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._loop = loop

    async def send(self, data: bytes) -> None:
        await _across(self._loop, self._session.send(data))

    async def close_stdin(self) -> None:
        await _across(self._loop, self._session.close_stdin())

    async def resize(self, width: int, height: int) -> None:
        await _across(self._loop, self._session.resize(width, height))

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        async with _stream(self._loop, self._output) as chunks:
            async for chunk in chunks:
                yield chunk

    @asynccontextmanager
    async def _output(self) -> AsyncGenerator[AsyncIterator[tuple[int, bytes]]]:
        yield aiter(self._session)

    async def wait(self) -> int:
        return await _across(self._loop, self._session.wait())

    async def close(self) -> None:
        await _across(self._loop, self._session.close())


class BridgePortStream(PortStream):
    """A connection of the engine's loop, for another loop."""

    def __init__(self, stream: PortStream, loop: asyncio.AbstractEventLoop) -> None:
        self._stream = stream
        self._loop = loop

    async def read(self) -> bytes:
        return await _across(self._loop, self._stream.read())

    async def write(self, data: bytes) -> None:
        await _across(self._loop, self._stream.write(data))

    async def end(self) -> None:
        await _across(self._loop, self._stream.end())

    async def close(self) -> None:
        await _across(self._loop, self._stream.close())


async def _across(loop: asyncio.AbstractEventLoop, call: Coroutine[Any, Any, T]) -> T:
    """Run a call on its loop and wait for it on this one."""
    try:
        future = asyncio.run_coroutine_threadsafe(call, loop)
    except RuntimeError as error:
        call.close()
        raise unavailable("the engine has stopped") from error
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        if future.cancelled() and not _is_cancelling():
            raise unavailable("the engine has stopped") from None
        raise


def _is_cancelling() -> bool:
    """Is it this task that is being cancelled, and not what it waited for?"""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


@asynccontextmanager
async def _stream(
    loop: asyncio.AbstractEventLoop, opened: Callable[[], AbstractAsyncContextManager[AsyncIterator[T]]]
) -> AsyncGenerator[AsyncIterator[T]]:
    """A stream that is opened, read and closed on `loop`, and consumed here."""
    pipe: _Pipe[T] = _Pipe(loop, asyncio.get_running_loop())
    pumping = pipe.pump(opened)
    try:
        asyncio.run_coroutine_threadsafe(pumping, loop)
    except RuntimeError as error:
        pumping.close()
        raise unavailable("the engine has stopped") from error
    try:
        await pipe.opened()
        yield pipe.items()
    finally:
        await pipe.close()


class _Pipe(Generic[T]):
    """Items from a producer on one loop to a consumer on another, at most PIPE_SIZE of them waiting."""

    def __init__(self, producer: asyncio.AbstractEventLoop, consumer: asyncio.AbstractEventLoop) -> None:
        self._producer = producer
        self._consumer = consumer
        self._lock = threading.Lock()
        self._items: deque[T] = deque()
        self._error: BaseException | None = None
        self._open = False
        self._ended = False
        self._closing = False
        self._ready = asyncio.Event()
        """Of the consumer's loop: something has changed."""
        self._room = asyncio.Event()
        """Of the producer's loop: there is room again."""
        self._task: asyncio.Task[Any] | None = None

    # On the producer's loop

    async def pump(self, opened: Callable[[], AbstractAsyncContextManager[AsyncIterator[T]]]) -> None:
        """Open the stream and carry its items over until it ends or the consumer has had enough."""
        error: BaseException | None = None
        self._task = asyncio.current_task()
        try:
            if not self._closing:
                async with opened() as items:
                    self._open = True
                    self._tell(self._consumer, self._ready)
                    async for item in items:
                        await self._put(item)
        except asyncio.CancelledError:
            error = unavailable("the engine has stopped")
        except Exception as failure:
            error = failure
        finally:
            self._error = error
            self._ended = True
            self._tell(self._consumer, self._ready)

    async def _put(self, item: T) -> None:
        with self._lock:
            self._items.append(item)
            full = len(self._items) >= PIPE_SIZE
            if full:
                self._room.clear()
        self._tell(self._consumer, self._ready)
        if full:
            await self._room.wait()

    # On the consumer's loop

    async def opened(self) -> None:
        """Wait until the stream is open; raises what kept it from it."""
        while not self._open and not self._ended:
            await self._changed()
        if not self._open and self._error is not None:
            raise self._error

    async def items(self) -> AsyncIterator[T]:
        """What comes, until the stream ends or fails."""
        while True:
            ended = self._ended
            with self._lock:
                batch = list(self._items)
                self._items.clear()
            if batch:
                self._tell(self._producer, self._room)
            for item in batch:
                yield item
            if batch:
                continue
            if not ended:
                await self._changed()
            elif self._error is not None:
                raise self._error
            else:
                return

    async def _changed(self) -> None:
        await self._ready.wait()
        self._ready.clear()

    async def close(self) -> None:
        """Stop the producer, and wait until it has let go of the stream."""
        self._closing = True
        self._tell(self._producer, self._cancel)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                while not self._ended and not self._producer.is_closed():
                    await self._changed()
        except TimeoutError:
            return

    def _cancel(self) -> None:
        if self._task is not None and not self._ended:
            self._task.cancel()

    @staticmethod
    def _tell(loop: asyncio.AbstractEventLoop, what: asyncio.Event | Callable[[], None]) -> None:
        try:
            loop.call_soon_threadsafe(what.set if isinstance(what, asyncio.Event) else what)
        except RuntimeError:
            return  # That loop is closed: nobody is left to be told.
