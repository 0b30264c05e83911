"""Group commit: writes gather while one batch is on its way to the disk, then go together as the next.

One thread does all journal work, one commit at a time, so a failed commit is known before the next begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ktui.engine.store import records
from ktui.engine.store.base import Change, Entry, StoreError
from ktui.engine.store.files import Files
from ktui.engine.store.journal import Journal
from ktui.engine.store.records import Record


@dataclass(slots=True, eq=False)
class Staged:
    """A write with its revision, not yet durable; `waiter` is told how it went."""

    change: Change
    entry: Entry
    waiter: asyncio.Future[Entry] | None
    error: StoreError | None = None

    @property
    def latest(self) -> Entry | None:
        """What the next writer of the key builds on."""
        return None if self.change.type == "DELETED" else self.entry


class Committed(NamedTuple):
    """How a job ended: bytes appended, and whether a new journal was begun (or what prevented it)."""

    size: int
    rotated: bool
    problem: OSError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Flight:
    """A batch on its way, since `time` (milliseconds since the epoch)."""

    batch: Sequence[Staged]
    time: int
    done: Future[Committed]


class JournalThread:
    """Runs commits in order, in the one thread that touches the journal."""

    def __init__(self, files: Files, folder: Path, journal: Journal) -> None:
        self._files = files
        self._folder = folder
        self._journal = journal
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ktui-journal")

    @property
    def path(self) -> Path:
        """The file that is appended to."""
        return self._journal.path

    def commit(self, batch: Sequence[Staged], time: int, *, rotate_at: int | None = None) -> Flight:
        """Make a batch durable; then, with `rotate_at`, begin a new journal behind that revision."""

        def work() -> Committed:
            data = encode_batch(batch, time)
            if data:
                self._journal.append(data)
            if rotate_at is None:
                return Committed(len(data), rotated=False)
            try:
                self._rotate(rotate_at, time)
            except OSError as error:
                return Committed(len(data), rotated=False, problem=error)
            return Committed(len(data), rotated=True)

        return Flight(batch, time, self._executor.submit(work))

    def close(self, last_revision: int, time: int) -> None:
        """End the journal and the thread; blocks until its jobs are done."""
        self._executor.submit(self._journal.close, last_revision, time)
        self._executor.shutdown()

    def _rotate(self, last_revision: int, time: int) -> None:
        if self._journal.first == last_revision + 1:
            return
        replaced = self._journal
        self._journal = Journal.create(self._files, self._folder, last_revision + 1, time)
        replaced.close(last_revision, time)


def encode_batch(batch: Sequence[Staged], time: int) -> bytes:
    """The batch as journal lines."""
    first = batch[0].change.revision if batch else 0
    return b"".join(
        [
            records.encode(Record(c.revision, first, time, c.type[0], *c.key, c.data))
            for c in [staged.change for staged in batch]
        ]
    )
