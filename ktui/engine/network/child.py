"""Ending a process: asked first, and made to when it does not."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process
from pathlib import Path

from ktui.engine.network.launch import is_agent

_SECONDS = 5.0


async def end(process: Process) -> None:
    """Return when the process has ended."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def end_other(pid: int, folder: Path) -> None:
    """The same for the agent of a folder, which is not our child."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        # Looked at once it can't become another process any more.
        if not is_agent(pid, folder):
            return
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        async with asyncio.timeout(_SECONDS):
            await ended.wait()
    except TimeoutError:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        await ended.wait()
    except ProcessLookupError:
        return
    finally:
        loop.remove_reader(handle)
        os.close(handle)
