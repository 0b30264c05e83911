"""Waiting for a file to be written to, by inotify: what lets a log be followed without looking again and again.

The folder is watched too, because a rotated log is another file under the same name. Linux only, as the kubelet.
"""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import os
from pathlib import Path
from types import TracebackType

_IN_MODIFY = 0x2
_IN_CREATE = 0x100
_IN_MOVED_TO = 0x80
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC

_libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


class FileChanges:
    """`changed` is set whenever the file may have grown or been replaced."""

    def __init__(self, path: Path) -> None:
        self.changed = asyncio.Event()
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> FileChanges:
        descriptor = _libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(self._path))
        self._descriptor = descriptor
        self._watch(self._path.parent, _IN_CREATE | _IN_MOVED_TO | _IN_MODIFY)
        asyncio.get_running_loop().add_reader(descriptor, self._readable)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _watch(self, path: Path, mask: int) -> None:
        if _libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask) < 0:
            number = ctypes.get_errno()
            os.close(self._descriptor)
            raise OSError(number, os.strerror(number), str(path))

    def _readable(self) -> None:
        try:
            os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        self.changed.set()
