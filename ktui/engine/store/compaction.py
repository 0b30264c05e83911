"""When and how journals are replaced by a snapshot, in the background.

The store begins a new journal, and when history has all but forgotten what the ones before it hold, it hands
over a `Snapshot` of lists that nobody changes, and goes on. (A snapshot taken at once would repeat the whole
history: twenty times a small store's state.) When the snapshot is durable the files before it are deleted. A
failure costs nothing but room: the journals stay.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ktui.engine.store.files import Files
from ktui.engine.store.recovery import Layout, Recovery
from ktui.engine.store.sealing import Seal
from ktui.engine.store.snapshot import Snapshot, write_snapshot

log = logging.getLogger(__name__)

COMPACT_AT = 64 << 20
"""How many bytes of journal make a snapshot worth it (or the size of the last one, if that is more)."""
_REPEATED = 16
"""A snapshot is due when it repeats no more than one in so many changes of the history."""


class Compactor:
    """Counts what was appended, says what is due, and writes snapshots in a thread of its own.

    `boundary` is the last revision of the journals that wait to be replaced, None when none do.
    """

    def __init__(self, files: Files, folder: Path, threshold: int, found: Recovery, seal: Seal) -> None:
        self.boundary: int | None = None
        self._files = files
        self._folder = folder
        self._seal = seal
        self._threshold = threshold
        self._journal = found.journal_size
        self._covered = 0
        self._limit = max(threshold, found.snapshot_size)
        # Whether not to wait for history: it may be long, and restarts must not add up to endless journals.
        self._at_once = self._journal > self._limit
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ktui-compaction")
        self._running: Future[int] | None = None

    @property
    def due(self) -> bool:
        """Whether a new journal is to begin: the last one outgrew both the threshold and the last snapshot."""
        idle = self._running is None and self.boundary is None
        return idle and self._journal > self._limit

    @property
    def running(self) -> bool:
        return self._running is not None

    def appended(self, size: int) -> None:
        """Count a commit, and take note of a snapshot that was finished meanwhile."""
        self._journal += size
        if self._running is not None and self._running.done():
            self._finish(self._running)

    def rotated(self, revision: int, *, at_once: bool) -> None:
        """A new journal began behind `revision`; what is appended from now on counts towards the next."""
        self.boundary = revision
        self._at_once = self._at_once or at_once
        self._covered += self._journal
        self._journal = 0

    def ripe(self, oldest: int, changes: int) -> int | None:
        """The boundary a snapshot is to be taken at now, by a history of `changes` since the revision `oldest`;
        None while there is none or history still holds much of what is before it."""
        boundary = self.boundary
        if boundary is not None and boundary < oldest:
            # History forgot a lot at once, the state at the boundary with it: the next one, then at once.
            self.boundary = boundary = None
            self._journal += self._covered
            self._covered = 0
            self._at_once = True
        if boundary is None or not (self._at_once or boundary - oldest <= changes // _REPEATED):
            return None
        return boundary

    def start(self, snapshot: Snapshot) -> None:
        """Write `snapshot`, then delete the files it replaces."""
        self.boundary = None
        self._at_once = False

        def work() -> int:
            size = write_snapshot(self._files, self._folder, snapshot, self._seal)
            self._files.remove(Layout.of(self._folder).leftovers)
            return size

        self._running = self._executor.submit(work)

    def failed(self, error: BaseException) -> None:
        """Try again only when the journals grew by another threshold."""
        self._journal += self._covered
        self._covered = 0
        self._limit = self._journal + self._threshold
        log.warning("%s: compaction failed, the journals stay: %s", self._folder, error)

    async def wait(self) -> BaseException | None:
        """Let a running compaction end; the error if it failed."""
        running = self._running
        if running is None:
            return None
        await asyncio.gather(asyncio.wrap_future(running), return_exceptions=True)
        if self._running is running:
            self._finish(running)
        return running.exception()

    def stop(self) -> None:
        """End the thread; blocks until a running snapshot is written."""
        self._executor.shutdown()

    def _finish(self, done: Future[int]) -> None:
        self._running = None
        error = done.exception()
        if error is not None:
            self.failed(error)
        else:
            self._covered = 0
            self._limit = max(self._threshold, done.result())
