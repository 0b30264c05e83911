"""Ending a child process: asked first, and made to when it does not."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process

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
