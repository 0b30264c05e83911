"""Group commit: writes gather while one batch is on its way to the disk, then go together as the next.

One thread does all journal work, one commit at a time, so a failed commit is known before the next begins.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import msgspec

from ktui.engine.store import records
from ktui.engine.store.base import Change, Entry, StoreError
from ktui.engine.store.files import Files
from ktui.engine.store.journal import Journal
from ktui.engine.store.pace import DiskPace
from ktui.engine.store.sealing import Seal


class Staged(msgspec.Struct, eq=False):
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


@dataclass(slots=True, eq=False)
class Flight:
    """A batch on its way, since `time` (milliseconds since the epoch); `outcome` is there when it is back."""

    batch: Sequence[Staged]
    time: int
    lines: bytes
    rotate_at: int | None
    outcome: Committed | BaseException | None = None

    @property
    def problem(self) -> BaseException | None:
        """What failed, if anything did: the batch, or only the new journal behind it."""
        return self.outcome.problem if isinstance(self.outcome, Committed) else self.outcome


class JournalThread:
    """Runs commits in order, in the thread that touches the journal, and quick ones where they are asked for.

    Both ways go through an eventfd: waking a thread and a loop that way takes a third of what a lock and
    `call_soon_threadsafe` take, and a lone writer waits for little else but that and the disk.
    """

    def __init__(self, files: Files, folder: Path, journal: Journal, seal: Seal) -> None:
        self._files = files
        self._folder = folder
        self._journal = journal
        self._seal = seal
        self._pace = DiskPace()
        self._jobs: deque[Flight | None] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self.finished = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """Readable when a flight is back; `landed` makes it unreadable again."""
        self._thread = threading.Thread(target=self._run, name="ktui-journal", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """The file that is appended to."""
        return self._journal.path

    def commit(self, batch: Sequence[Staged], time: int, *, rotate_at: int | None = None) -> Flight:
        """Make a batch durable; then, with `rotate_at`, begin a new journal behind that revision."""
        # Encoded here: in the other thread it would fight for the GIL with the loop that goes on gathering.
        flight = Flight(batch, time, encode_batch(batch, time, self._seal), rotate_at)
        self._jobs.append(flight)
        os.eventfd_write(self._wake, 1)
        return flight

    def commit_here(self, batch: Sequence[Staged], time: int) -> Flight | None:
        """Make a batch durable before returning, or None when that may take too long. No flight may be out:
        then the thread sleeps and the journal can be used from here."""
        if not self._pace.is_quick:
            return None
        flight = Flight(batch, time, encode_batch(batch, time, self._seal), None)
        if not self._journal.has_room(len(flight.lines)):
            return None
        self._fly(flight)
        return flight

    def landed(self) -> None:
        """Take note that flights are back."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.finished)

    def wait(self) -> None:
        """Block until a flight is back."""
        select.select([self.finished], [], [])

    def close(self, last_revision: int, time: int) -> None:
        """End the thread when its jobs are done, then the journal; blocks."""
        self._jobs.append(None)
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._journal.close(last_revision, time)
        os.close(self._wake)
        os.close(self.finished)

    def _run(self) -> None:
        while True:
            os.eventfd_read(self._wake)
            while self._jobs:
                flight = self._jobs.popleft()
                if flight is None:
                    return
                self._fly(flight)
                os.eventfd_write(self.finished, 1)

    def _fly(self, flight: Flight) -> None:
        try:
            flight.outcome = self._commit(flight)
        except Exception as error:
            flight.outcome = error

    def _commit(self, flight: Flight) -> Committed:
        size = len(flight.lines)
        if size:
            start = perf_counter()
            self._journal.append(flight.lines)
            self._pace.took(perf_counter() - start)
        if flight.rotate_at is None:
            return Committed(size, rotated=False)
        try:
            self._rotate(flight.rotate_at, flight.time)
        except OSError as error:
            return Committed(size, rotated=False, problem=error)
        return Committed(size, rotated=True)

    def _rotate(self, last_revision: int, time: int) -> None:
        if self._journal.first == last_revision + 1:
            return
        self._journal.mend()  # what failed must be gone for good before another file continues this one
        replaced = self._journal
        self._journal = Journal.create(self._files, self._folder, last_revision + 1, time)
        replaced.close(last_revision, time)


def encode_batch(batch: Sequence[Staged], time: int, seal: Seal) -> bytes:
    """The batch as journal lines."""
    first = batch[0].change.revision if batch else 0
    return records.encode_changes([staged.change for staged in batch], first, time, seal)
