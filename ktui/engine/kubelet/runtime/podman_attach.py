"""Attaching to a container whose input outlives the session: it has a terminal, or stdin without `stdinOnce`.

The end of what a client types ends its session then, and not the container's input. Conmon takes the end of any
connection for the end of input (unless there is a terminal): so the connections of sessions that are over are
kept, read on, and given to the next session. They end with the container, or with the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from ktui.engine.kubelet.runtime.base import RuntimeCallError

_CHUNK = 64 * 1024
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connection:
    """The container's streams. A read that is cancelled loses nothing."""

    def __init__(self, streams: Streams, *, tty: bool) -> None:
        self._reader, self.writer = streams
        self.tty = tty
        self._channel = 1
        self._left = 0
        self._draining: asyncio.Task[None] | None = None

    async def read(self) -> tuple[int, bytes] | None:
        """The next piece of output and its channel; None at its end."""
        try:
            if self.tty:
                data = await self._reader.read(_CHUNK)
                return (1, data) if data else None
            while not self._left:
                header = await self._reader.readexactly(8)
                self._channel, self._left = header[0], int.from_bytes(header[4:])
            data = await self._reader.read(min(self._left, _CHUNK))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self._left -= len(data)
        return (self._channel, data) if data else None

    def drain(self, at_end: Callable[[], None]) -> None:
        """Read on for nobody; `at_end` is called when there is no more."""

        async def drain() -> None:
            while await self.read() is not None:
                pass
            self.writer.close()
            at_end()

        self._draining = asyncio.create_task(drain(), name="attached container's output")

    async def stop_draining(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)


class AttachSession:
    """An `ExecSession` that ends with its input, or with the container."""

    def __init__(
        self,
        connection: Connection,
        *,
        resize: Callable[[int, int], Awaitable[None]],
        exit_code: Callable[[], Awaitable[int]],
        leave: Callable[[Connection], None],
    ) -> None:
        self._connection = connection
        self._resize = resize
        self._exit_code = exit_code
        self._leave = leave
        self._input_ended = asyncio.Event()
        self._over = asyncio.Event()
        self._container_ended = False
        self._closed = False

    async def send(self, data: bytes) -> None:
        """To the container's stdin; raises BrokenPipeError when it has ended."""
        try:
            self._connection.writer.write(data)
            await self._connection.writer.drain()
        except ConnectionError as error:
            raise BrokenPipeError("the container has ended") from error

    async def close_stdin(self) -> None:
        """The client has typed everything."""
        self._input_ended.set()

    async def resize(self, width: int, height: int) -> None:
        """Set the terminal's size; a container that has ended has none."""
        with contextlib.suppress(RuntimeCallError):
            await self._resize(width, height)

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        leaving = asyncio.create_task(self._input_ended.wait())
        reading: asyncio.Task[tuple[int, bytes] | None] | None = None
        try:
            while True:
                reading = asyncio.create_task(self._connection.read())
                await asyncio.wait((reading, leaving), return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    return
                output = reading.result()
                if output is None:
                    self._container_ended = True
                    return
                yield output
        finally:
            for task in (leaving, reading):
                if task is not None:
                    task.cancel()
                    await asyncio.wait((task,))
            self._over.set()

    async def wait(self) -> int:
        """The container's exit code, or 0 once the session has left it."""
        await self._over.wait()
        return await self._exit_code() if self._container_ended else 0

    async def close(self) -> None:
        """Leave the container as it is."""
        if self._closed:
            return
        self._closed = True
        self._over.set()
        if self._container_ended:
            self._connection.writer.close()
        else:
            self._leave(self._connection)


class OpenInputs:
    """The connections kept between sessions, by container."""

    def __init__(self) -> None:
        self._free: dict[str, list[Connection]] = {}

    async def connection(
        self, container_id: str, connect: Callable[[], Awaitable[Streams]], *, tty: bool
    ) -> Connection:
        """One that is kept, or a new one."""
        if free := self._free.get(container_id):
            connection = free.pop()
            await connection.stop_draining()
            return connection
        return Connection(await connect(), tty=tty)

    def keep(self, container_id: str, connection: Connection) -> None:
        """Hold what a session has left. A terminal needs nobody to hold it."""
        if connection.tty:
            connection.writer.close()
            return
        free = self._free.setdefault(container_id, [])
        free.append(connection)

        def ended() -> None:
            if connection in free:
                free.remove(connection)
            if not free:
                self._free.pop(container_id, None)

        connection.drain(ended)

    async def close(self) -> None:
        """Let go of all."""
        kept = [connection for free in self._free.values() for connection in free]
        self._free.clear()
        for connection in kept:
            await connection.stop_draining()
            connection.writer.close()
