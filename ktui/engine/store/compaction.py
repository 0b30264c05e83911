"""When and how journals are replaced by a snapshot, in the background.

The store begins a new journal, hands over a `Snapshot` of lists that nobody changes, and goes on. When the
snapshot is durable the files before it are deleted. A failure costs nothing but room: the journals stay.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ktui.engine.store.files import Files
from ktui.engine.store.recovery import Layout
from ktui.engine.store.snapshot import Snapshot, write_snapshot

log = logging.getLogger(__name__)


class Compactor:
    """Counts what was appended, says when a snapshot is due, and writes it in a thread of its own."""

    def __init__(self, files: Files, folder: Path, threshold: int, *, snapshot: int, journal: int) -> None:
        self._files = files
        self._folder = folder
        self._threshold = threshold
        self._journal = journal
        self._covered = 0
        self._limit = max(threshold, snapshot)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ktui-compaction")
        self._running: Future[int] | None = None

    @property
    def due(self) -> bool:
        """Whether the journals outgrew both the threshold and the last snapshot, and none is being written."""
        return self._running is None and self._journal > self._limit

    @property
    def running(self) -> bool:
        return self._running is not None

    def appended(self, size: int) -> None:
        """Count a commit, and take note of a snapshot that was finished meanwhile."""
        self._journal += size
        if self._running is not None and self._running.done():
            self._finish(self._running)

    def start(self, snapshot: Snapshot) -> None:
        """Write `snapshot`; what is appended from now on counts towards the next."""
        self._covered, self._journal = self._journal, 0

        def work() -> int:
            size = write_snapshot(self._files, self._folder, snapshot)
            self._files.remove(Layout.of(self._folder).leftovers)
            return size

        self._running = self._executor.submit(work)

    def failed(self, error: BaseException) -> None:
        """Try again only when the journals grew by another threshold."""
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
            self._journal += self._covered
            self.failed(error)
        else:
            self._limit = max(self._threshold, done.result())
