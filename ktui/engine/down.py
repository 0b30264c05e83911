"""Taking down what an engine left running: its pods and its network. Its objects stay in the store."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from ktui.engine.kubelet.runtime.podman import PodmanRuntime
from ktui.engine.network.keeper import NETWORK_FOLDER, remove_network
from ktui.engine.store import FolderLock, LockedError

_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1


async def take_down(data_dir: Path) -> bool:
    """End the engine of a data folder if one runs, then remove its pods and network.

    Returns whether an engine was ended. Raises TimeoutError when it does not end, RuntimeCallError when Podman
    can't be used, FileNotFoundError when there is no such data folder.
    """
    if not (data_dir / "store").is_dir():
        raise FileNotFoundError(2, "no ktui data folder", str(data_dir))
    lock, ended = await _lock_after_end(data_dir / "store" / "lock")
    try:
        if (data_dir / "podman").is_dir():
            runtime = PodmanRuntime(data_dir / "podman")
            await runtime.start()
            try:
                await runtime.remove_everything()
            finally:
                await runtime.close()
        await remove_network(data_dir.absolute() / NETWORK_FOLDER)
    finally:
        lock.release()
    return ended


async def _lock_after_end(path: Path) -> tuple[FolderLock, bool]:
    """The folder's lock, the engine that holds it asked to end by SIGTERM."""
    ended = False
    async with asyncio.timeout(_STOP_SECONDS):
        while True:
            try:
                return FolderLock(path), ended
            except LockedError as error:
                if not ended and error.pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(error.pid, signal.SIGTERM)
                    ended = True
                await asyncio.sleep(_POLL_SECONDS)
