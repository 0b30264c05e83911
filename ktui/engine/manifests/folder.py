"""The watched folder: which manifest files are there, and a wake-up whenever that may have changed.

Watching is level-triggered: inotify (through watchfiles) only says "look again", and a look compares the
whole tree's signatures. So nothing is lost to a file written into a directory made a moment ago, to an
editor's atomic rename, or to events that came while nobody listened. The root's inode is polled, because a
watch on a folder that was deleted and made again stays silent forever.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from watchfiles import Change, awatch  # pyright: ignore[reportUnknownVariableType] - its stop_event is loosely typed

from ktui.engine.manifests.writers import is_open_for_writing
from ktui.kube.clock import Clock, RealClock
from ktui.kube.manifest import MAX_BYTES

log = logging.getLogger(__name__)

SUFFIXES = (".yaml", ".yml", ".json")
_LEFTOVERS = re.compile(r"^(\.|#)|~$|\.sw[a-p]$|\.tmp$|\.bak$|^4913$")
_ROOT_POLL_SECONDS = 1.0


class Signature(NamedTuple):
    """What tells one version of a file from another without reading it."""

    modified_ns: int
    changed_ns: int
    """Also moves with permissions, and where a tool puts an old modification time back."""
    size: int
    inode: int


class Tree(NamedTuple):
    """What a look at the folder found."""

    files: dict[str, Signature]
    root: tuple[int, int] = (0, 0)
    """Device and inode of the folder itself: which folder it is."""
    unreadable: tuple[str, ...] = ()
    """Files, and directories ending in `/`, that are there but can't be looked at."""

    def hides(self, path: str) -> bool:
        """Whether a file that was not found may be there all the same."""
        return any(
            path.startswith(blind) if blind.endswith("/") else path == blind for blind in self.unreadable
        )


class Content(NamedTuple):
    """What a file holds now."""

    data: bytes
    is_being_written: bool
    """Whether a writer still has it open."""


class Folder:
    """A tree of manifests under `root`; paths are relative to it, with `/` between parts."""

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self.root = root.absolute()
        self._clock = clock or RealClock()
        self._is_polling = False
        """Whether it was said that the system refuses to watch."""

    def scan(self) -> Tree | None:
        """Every manifest file now, in path order; None when the folder itself is not there."""
        root = self._identity()
        if root is None or not self.root.is_dir():
            return None
        unreadable: list[str] = []
        files = dict(sorted(self._walk(self.root, "", frozenset(), unreadable)))
        return None if "" in unreadable or self._identity() != root else Tree(files, root, tuple(unreadable))

    def _walk(
        self, directory: Path, prefix: str, above: frozenset[tuple[int, int]], unreadable: list[str]
    ) -> Iterator[tuple[str, Signature]]:
        try:
            stat = directory.stat()
            entries = list(os.scandir(directory))
        except FileNotFoundError:
            return
        except OSError:
            unreadable.append(prefix)
            return
        identity = (stat.st_dev, stat.st_ino)
        if identity in above:
            return
        for entry in entries:
            if _LEFTOVERS.search(entry.name):
                continue
            path = prefix + entry.name
            try:
                if entry.is_dir():
                    yield from self._walk(Path(entry.path), f"{path}/", above | {identity}, unreadable)
                elif entry.name.endswith(SUFFIXES) and entry.is_file():
                    found = entry.stat()
                    yield (
                        path,
                        Signature(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino),
                    )
            except FileNotFoundError:
                continue
            except OSError:
                unreadable += (path, f"{path}/")

    def read(self, path: str) -> Content:
        """The file's content, of one that is too large only so much that it shows; raises OSError."""
        with (self.root / path).open("rb") as file:
            return Content(file.read(MAX_BYTES + 1), is_open_for_writing(file.fileno()))

    async def watch(self, changed: asyncio.Event) -> None:
        """Set `changed` whenever the tree may have changed, until cancelled."""
        while True:
            identity = self._identity()
            paths = await asyncio.to_thread(self._watched_directories)
            stop = asyncio.Event()
            changed.set()
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(self._notify(paths, changed, stop)) if paths else None
                try:
                    while self._identity() == identity and (watcher is None or not watcher.done()):
                        await self._clock.sleep(_ROOT_POLL_SECONDS)
                finally:
                    stop.set()

    async def _notify(self, paths: frozenset[Path], changed: asyncio.Event, stop: asyncio.Event) -> None:
        """Pass on what happens in `paths`, until there are others to watch or the system refuses."""
        try:
            async for events in awatch(*paths, watch_filter=None, step=10, debounce=50, stop_event=stop):
                changed.set()
                # A folder made again at once may get the same inode: only the event tells.
                if any(change is Change.deleted and Path(path) in paths for change, path in events):
                    return
                if await asyncio.to_thread(self._watched_directories) != paths:
                    return
        except FileNotFoundError:
            return
        except (OSError, RuntimeError) as error:
            if not self._is_polling:
                log.warning("%s can't be watched, it is looked at every second: %s", self.root, error)
                self._is_polling = True

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
        for directory in self._directories(str(self.root)):
            for entry in directory:
                if entry.is_symlink():
                    target = Path(entry.path).resolve()
                    found.add(target if target.is_dir() else target.parent)
        return frozenset(path for path in found if path.is_dir())

    def _directories(self, top: str) -> Iterator[list[os.DirEntry[str]]]:
        try:
            entries = list(os.scandir(top))
        except OSError:
            return
        yield entries
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._directories(entry.path)
