"""One engine a folder: an advisory lock that the kernel drops when its holder dies, with the holder's pid.

The file stays when the lock goes; only the kernel's lock on it counts, so a stale pid never locks anybody out.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from ktui.engine.store.base import StoreError


class LockedError(StoreError):
    """Another process holds the folder; `pid` is who, as far as its file tells."""

    def __init__(self, path: Path, pid: int | None) -> None:
        self.path = path
        self.pid = pid
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{path.parent} is in use by {holder}")


class FolderLock:
    """Held from construction to `release`; raises LockedError when somebody else holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = self._pid()
            os.close(self._descriptor)
            raise LockedError(path, pid) from None
        with suppress(OSError):  # on a full disk the lock holds all the same, only nobody can say whose it is
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _pid(self) -> int | None:
        text = os.pread(self._descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None

    def release(self) -> None:
        """Let the next one in; harmless when released already."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
