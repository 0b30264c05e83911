"""What a test does to a store from below: break its disk, and kill its process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ktui.engine.store.files import Files


class FaultyDisk(Files):
    """A disk on which the operations named in `broken` fail with the given errno.

    A failing write first puts down half of its data, as a full disk does.
    """

    def __init__(self) -> None:
        self.broken: dict[str, int] = {}

    def _maybe_fail(self, operation: str) -> None:
        if operation in self.broken:
            number = self.broken[operation]
            raise OSError(number, os.strerror(number))

    def open(self, path: Path, *, create: bool = False) -> int:
        self._maybe_fail("create" if create else "open")
        return super().open(path, create=create)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        if "write" in self.broken:
            super().write(descriptor, data[: len(data) // 2], offset)
        self._maybe_fail("write")
        super().write(descriptor, data, offset)

    def write_durably(self, descriptor: int, data: bytes, offset: int) -> None:
        self.write(descriptor, data, offset)
        self.sync(descriptor)

    def sync(self, descriptor: int) -> None:
        self._maybe_fail("sync")
        super().sync(descriptor)

    def preallocate(self, descriptor: int, offset: int, length: int) -> None:
        self._maybe_fail("preallocate")
        super().preallocate(descriptor, offset, length)

    def truncate(self, descriptor: int, length: int) -> None:
        self._maybe_fail("truncate")
        super().truncate(descriptor, length)

    def rename(self, source: Path, target: Path) -> None:
        self._maybe_fail("rename")
        super().rename(source, target)
        self._maybe_fail("sync after rename")


def crash(folder: Path, copy: Path) -> Path:
    """The folder as a kill -9 would leave it now: a copy, taken while the store is still open."""
    return Path(shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("lock")))
