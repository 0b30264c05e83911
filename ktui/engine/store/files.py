"""The few things the store asks of a disk, in one place so that a test can make each of them fail.

Nothing here knows records: bytes at an offset, durability, names. Every method raises OSError as the system
does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class Files:
    """A folder's files on a real disk."""

    def open(self, path: Path, *, create: bool = False) -> int:
        """A descriptor to read and write `path`; `create` empties what is there."""
        return os.open(path, os.O_RDWR | (os.O_CREAT | os.O_TRUNC if create else 0), 0o600)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`; a short write goes on until it ends or fails."""
        self._write(descriptor, data, offset, 0)

    def write_durably(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset` with fdatasync's promise: one call, and one wait for the GIL."""
        self._write(descriptor, data, offset, os.RWF_DSYNC)

    def sync(self, descriptor: int) -> None:
        """Make what was written or cut off durable."""
        os.fsync(descriptor)

    def _write(self, descriptor: int, data: bytes, offset: int, flags: int) -> None:
        written = os.pwritev(descriptor, [data], offset, flags)
        while written < len(data):
            written += os.pwritev(descriptor, [memoryview(data)[written:]], offset + written, flags)

    def preallocate(self, descriptor: int, offset: int, length: int) -> None:
        """Reserve zeroed room, so that appending into it changes no metadata."""
        os.posix_fallocate(descriptor, offset, length)

    def truncate(self, descriptor: int, length: int) -> None:
        os.ftruncate(descriptor, length)

    def rename(self, source: Path, target: Path) -> None:
        """Replace `target` by `source`, durably."""
        source.rename(target)
        self._sync_folder(target.parent)

    def remove(self, paths: Iterable[Path]) -> None:
        """Delete files; which of them a crash leaves behind does not matter to the caller."""
        for path in paths:
            path.unlink(missing_ok=True)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
