"""This process's terminal on the one end, an exec or attach session on the other, until the session ends.

In: a started `ExecSession`. Out: its exit code. Keys go in raw, so that the container's shell gets each one;
sizes follow the terminal's. The command line and the screens both use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Generator

from ktui.client.base import ExecSession

_READ_BYTES = 64 * 1024


@contextlib.contextmanager
def raw_terminal() -> Generator[None]:
    """Every key goes to the container; the terminal is put back afterwards."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def run_session(started: ExecSession, *, stdin: bool, tty: bool) -> int:
    """Connect a session with this process's standard streams until it ends; returns its exit code."""
    loop = asyncio.get_running_loop()
    resizes: set[asyncio.Task[None]] = set()

    def resized() -> None:
        task = loop.create_task(_resize(started))
        resizes.add(task)
        task.add_done_callback(resizes.discard)

    before = signal.getsignal(signal.SIGWINCH) if tty else None
    if tty:
        await _resize(started)
        loop.add_signal_handler(signal.SIGWINCH, resized)
    pump = loop.create_task(_pump_stdin(started)) if stdin else None
    try:
        async for channel, data in started:
            stream = sys.stderr if channel == 2 else sys.stdout
            stream.buffer.write(data)
            stream.buffer.flush()
        return await started.wait()
    finally:
        if tty:
            loop.remove_signal_handler(signal.SIGWINCH)
            if before is not None:
                signal.signal(signal.SIGWINCH, before)
        if pump:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)


async def _resize(started: ExecSession) -> None:
    with contextlib.suppress(OSError):
        await started.resize(*os.get_terminal_size(sys.stdout.fileno()))


async def _pump_stdin(started: ExecSession) -> None:
    if sys.stdin is None:  # closed by whoever started this process
        await started.close_stdin()
        return
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    ready = asyncio.Event()

    def readable() -> None:
        # Once for each read: a call still queued after it would have the next read block the whole loop.
        loop.remove_reader(descriptor)
        ready.set()

    try:
        while True:
            try:
                loop.add_reader(descriptor, readable)
            except (PermissionError, ValueError):
                # A regular file can't be polled, and never blocks either.
                data = await asyncio.to_thread(os.read, descriptor, _READ_BYTES)
            else:
                await ready.wait()
                ready.clear()
                data = os.read(descriptor, _READ_BYTES)
            if not data:
                await started.close_stdin()
                return
            await started.send(data)
    finally:
        loop.remove_reader(descriptor)
