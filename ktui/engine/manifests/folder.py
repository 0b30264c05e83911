"""The watched folder: which manifest files are there, and a wake-up whenever that may have changed.

Watching is level-triggered: inotify (through watchfiles) only says "look again", and a look compares the
whole tree's signatures. So nothing is lost to a file written into a directory made a moment ago, to an
editor's atomic rename, or to events that came while nobody listened. The root's inode is polled, because a
watch on a folder that was deleted and made again stays silent forever.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType] - its stop_event is loosely typed

from ktui.kube.clock import Clock, RealClock

SUFFIXES = (".yaml", ".yml", ".json")
_LEFTOVERS = re.compile(r"^(\.|#)|~$|\.sw[a-p]$|\.tmp$|\.bak$|^4913$")
_ROOT_POLL_SECONDS = 1.0


class Signature(NamedTuple):
    """What tells one version of a file from another without reading it."""

    modified_ns: int
    size: int
    inode: int


class Folder:
    """A tree of manifests under `root`; paths are relative to it, with `/` between parts."""

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self.root = root.absolute()
        self._clock = clock or RealClock()

    def scan(self) -> dict[str, Signature] | None:
        """Every manifest file now, in path order; None when the folder itself is not there."""
        if not self.root.is_dir():
            return None
        return dict(sorted(self._walk(self.root, "", frozenset())))

    def _walk(
        self, directory: Path, prefix: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[tuple[str, Signature]]:
        try:
            stat = directory.stat()
            entries = list(os.scandir(directory))
        except OSError:
            return
        identity = (stat.st_dev, stat.st_ino)
        if identity in above:
            return
        for entry in entries:
            if _LEFTOVERS.search(entry.name):
                continue
            try:
                if entry.is_dir():
                    yield from self._walk(Path(entry.path), f"{prefix}{entry.name}/", above | {identity})
                elif entry.name.endswith(SUFFIXES) and entry.is_file():
                    found = entry.stat()
                    yield prefix + entry.name, Signature(found.st_mtime_ns, found.st_size, found.st_ino)
            except OSError:
                continue

    def read(self, path: str) -> bytes:
        """The file's content; raises OSError."""
        return (self.root / path).read_bytes()

    async def watch(self, changed: asyncio.Event) -> None:
        """Set `changed` whenever the tree may have changed, until cancelled."""
        while True:
            paths = await asyncio.to_thread(self._watched_directories)
            identity = self._identity()
            stop = asyncio.Event()
            changed.set()
            watcher = asyncio.create_task(self._notify(paths, changed, stop)) if paths else None
            try:
                while self._identity() == identity and (watcher is None or not watcher.done()):
                    await self._clock.sleep(_ROOT_POLL_SECONDS)
                    if await asyncio.to_thread(self._watched_directories) != paths:
                        break
            finally:
                stop.set()
                if watcher is not None:
                    watcher.cancel()
                    with suppress(asyncio.CancelledError, OSError):
                        await watcher

    async def _notify(self, paths: frozenset[Path], changed: asyncio.Event, stop: asyncio.Event) -> None:
        with suppress(FileNotFoundError):
            async for _ in awatch(*paths, watch_filter=None, step=10, debounce=50, stop_event=stop):
                changed.set()

    def _identity(self) -> tuple[int, int] | None:
        try:
            stat = self.root.stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino

    def _watched_directories(self) -> frozenset[Path]:
        """The root, and where symbolic links inside it lead to: inotify does not follow them."""
        if not self.root.is_dir():
            return frozenset()
        found = {self.root}
        for directory, names, files in os.walk(self.root):
            for name in (*names, *files):
                path = Path(directory, name)
                if path.is_symlink():
                    target = path.resolve()
                    found.add(target if target.is_dir() else target.parent)
        return frozenset(path for path in found if path.is_dir())
