"""The streams of a simulated container: an exec session that echoes, and a port that answers HTTP 200.

Both stand in for a process: what is typed comes back, `exit 3` ends the session with 3, closing stdin ends
it with 0, and any HTTP request gets a short answer, so that shells, port-forwards and probes have something
to talk to.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsim\n"
)


class EchoSession:
    """An `ExecSession` whose process echoes its input. A session without stdin ends at once."""

    def __init__(self, command: Sequence[str], *, stdin: bool, tty: bool) -> None:
        self._output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._line_end = b"\r\n" if tty else b"\n"
        self._typed = b""
        self.size: tuple[int, int] | None = None
        """The last (width, height) asked for."""
        if command and command[0].rpartition("/")[2] == "echo":
            self._print(" ".join(command[1:]).encode())
        elif command and not stdin:
            self._print(f"sim: {' '.join(command)}".encode())
        if not stdin:
            self._end(0)

    def _print(self, line: bytes) -> None:
        self._output.put_nowait((1, line + self._line_end))

    def _end(self, code: int) -> None:
        if not self._exit.done():
            self._exit.set_result(code)
            self._output.put_nowait(None)

    async def send(self, data: bytes) -> None:
        """Type `data`: it is echoed, and a whole line `exit N` ends the session."""
        if self._exit.done():
            raise BrokenPipeError("the session has ended")
        self._output.put_nowait((1, data))
        self._typed += data.replace(b"\r", b"\n")
        *lines, self._typed = self._typed.split(b"\n")
        for line in lines:
            words = line.split()
            if words[:1] == [b"exit"]:
                self._end(int(words[1]) if len(words) > 1 and words[1].isdigit() else 0)

    async def close_stdin(self) -> None:
        """End of input: the process ends."""
        self._end(0)

    async def resize(self, width: int, height: int) -> None:
        """Remember the size."""
        self.size = (width, height)

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        while (chunk := await self._output.get()) is not None:
            yield chunk
        self._output.put_nowait(None)

    async def wait(self) -> int:
        """The exit code, once the process has ended."""
        return await asyncio.shield(self._exit)

    async def close(self) -> None:
        """End the process if it still runs."""
        self._end(137)


async def answering_port() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose far end answers one HTTP request with 200, then closes."""
    near, far = socket.socketpair()
    far_reader, far_writer = await asyncio.open_connection(sock=far)

    async def answer() -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await far_reader.readuntil(b"\r\n\r\n")
            far_writer.write(_ANSWER)
            await far_writer.drain()
        far_writer.close()

    reader, writer = await asyncio.open_connection(sock=near)
    task = asyncio.create_task(answer())
    _answering.add(task)
    task.add_done_callback(_answering.discard)
    return reader, writer


_answering: set[asyncio.Task[None]] = set()
"""asyncio keeps only weak references to tasks; each ends when its connection does."""
