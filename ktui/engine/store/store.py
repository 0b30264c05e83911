"""The store itself: checks and stages writes, lets batches become durable, then shows them to everyone.

A write is compared with the newest state of its key, staged ones included, gets the next revision and is
encoded once. When its batch is durable it enters TinyDB's table and the history in one turn of the loop, and
readers, watchers and the writer learn of it. When the disk refuses, every write staged by then is undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from ktui.engine.store.base import (
    Change,
    CompactedError,
    Entry,
    FutureRevisionError,
    Key,
    Page,
    RevisionConflictError,
    Store,
    StoreError,
)
from ktui.engine.store.commits import Committed, Flight, JournalThread, Staged
from ktui.engine.store.compaction import COMPACT_AT, Compactor
from ktui.engine.store.documents import Documents, Mutation, ObjectDatabase
from ktui.engine.store.files import Files
from ktui.engine.store.history import History, HistoryLimits
from ktui.engine.store.journal import Journal
from ktui.engine.store.listing import page
from ktui.engine.store.lock import FolderLock
from ktui.engine.store.recovery import FIRST_REVISION, Recovery
from ktui.engine.store.sealing import Seal, Unsealed
from ktui.engine.store.snapshot import Snapshot, previous_entry
from ktui.engine.store.stamp import Stamper
from ktui.engine.store.watch import LogWatcher
from ktui.kube.clock import Clock, RealClock
from ktui.kube.resource import Object

LARGEST = 500
"""How many writes a batch has at most: staging and showing it must not hold up the loop."""


class JournaledStore(Store):
    """A `Store` on TinyDB tables and a journal; use `open_store` to get one."""

    def __init__(self, *, limits: HistoryLimits, clock: Clock) -> None:
        self.database = ObjectDatabase(self._commit_now)
        self._history = History(limits, FIRST_REVISION)
        self._clock = clock
        self._revision = self._assigned = self._launched = FIRST_REVISION
        self._staged: dict[Key, Staged] = {}
        self._gathered: list[Staged] = []
        self._stamper = Stamper()
        self._flight: Flight | None = None
        self._rotate = False
        self._rotation: Flight | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settled = asyncio.Event()
        self._closed = False
        self.is_stale = False
        """Some data on the disk is not sealed as it would be now; `compact` writes it anew."""
        self._lock: FolderLock | None = None
        self._journal: JournalThread | None = None
        self._compactor: Compactor | None = None

    def recover(self, folder: Path, files: Files, compact_at: int, seal: Seal) -> None:
        """Lock the folder, read what it holds, and write to it from now on."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(folder / "lock")
            recovery = Recovery(self.database, self._history, seal)
            position = recovery.run(folder)
            files.remove(recovery.leftovers)
            self.is_stale = recovery.is_stale
            self._revision = self._assigned = self._launched = recovery.revision
            self._history.expire(self._milliseconds() / 1000)
            if position:
                journal = Journal.resume(files, position.path, position.first, position.size)
            else:
                journal = Journal.create(files, folder, self._revision + 1, self._milliseconds())
        except BaseException as error:
            if self._lock is not None:
                self._lock.release()
            if isinstance(error, OSError):
                raise StoreError(f"{folder}: the store can't be opened: {error}") from error
            raise
        self._journal = JournalThread(files, folder, journal, seal)
        self._compactor = Compactor(files, folder, compact_at, recovery, seal)

    # Reading

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def oldest_revision(self) -> int:
        return self._history.oldest

    def changed(self, resource: str) -> int:
        return self._history.log(resource).newest

    def get(self, key: Key, *, revision: int | None = None) -> Entry | None:
        current = self.database.documents(key.resource).get(key)
        if revision is None or (current is not None and current.revision <= revision <= self._revision):
            return current
        self._check_history(revision)
        for change in self._history.log(key.resource).after(revision):
            if change.key == key:
                return previous_entry(change)
        return current

    def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        limit: int | None = None,
        after: Key | None = None,
        revision: int | None = None,
    ) -> Page:
        documents = self.database.documents(resource)
        since: Sequence[Change] = ()
        if revision is not None:
            self._check_history(revision)
            since = self._history.log(resource).after(revision)
        at = self._revision if revision is None else revision
        return page(documents, resource, namespace, limit=limit, after=after, revision=at, since=since)

    def watch(self, resource: str, namespace: str = "", *, after: int) -> LogWatcher:
        self._check_history(after)
        return LogWatcher(
            self._history.log(resource), namespace, after, lambda: None if self._closed else self._revision
        )

    def history(self, key: Key) -> Sequence[Change]:
        return self._history.log(key.resource).of(key)

    def _check_history(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevisionError(revision, self._revision)
        if revision < self._history.oldest:
            raise CompactedError(revision, self._history.oldest)

    # Writing

    async def write(self, key: Key, obj: Object, *, expected: int | None = None) -> Entry:
        while True:
            current, settled = self._newest(key)
            found = current.revision if current else 0
            if expected is None or expected == found:
                break
            if settled:
                raise RevisionConflictError(key, expected, current)
            await self._next_settlement()
        return await self._durable(key, obj, current)

    async def delete(self, key: Key, *, expected: int | None = None, obj: Object | None = None) -> Entry:
        while True:
            current, settled = self._newest(key)
            if current is not None and expected in (None, current.revision):
                break
            if settled:
                raise RevisionConflictError(key, expected, current)
            await self._next_settlement()
        last: Object = msgspec.json.decode(current.data) if obj is None else obj
        return await self._durable(key, last, current, deleted=True)

    async def compact(self) -> None:
        """Replace the journals by a snapshot now; raises StoreError when the disk refuses."""
        if self._compactor is None:
            return
        self._attach()
        while self._compactor.running or (self._flight is not None and self._flight is self._rotation):
            if self._compactor.running:
                await self._compactor.wait()
            else:
                await self._settled.wait()
        self._check_open()
        self._compactor.boundary = None  # the one to come covers it
        self._rotate = True
        self._launch()
        while self._rotate:
            await self._settled.wait()
        rotation = self._rotation
        assert rotation is not None
        while rotation is self._flight:
            await self._settled.wait()
        error = rotation.problem or await self._compactor.wait()
        if error is not None:
            raise StoreError(f"compaction failed, the journals stay: {error}") from error
        self.is_stale = False

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        loop = self._attach()
        await self._idle()
        self._history.wake_all()
        if self._journal is not None:
            loop.remove_reader(self._journal.finished)
            await asyncio.to_thread(self._journal.close, self._revision, self._milliseconds())
        if self._compactor is not None:
            await asyncio.to_thread(self._compactor.stop)
        if self._lock is not None:
            self._lock.release()

    def _newest(self, key: Key) -> tuple[Entry | None, bool]:
        """What the next write of `key` builds on, and whether that is durable already."""
        staged = self._staged.get(key)
        if staged is None:
            return self.database.documents(key.resource).get(key), True
        return staged.latest, False

    def _durable(
        self, key: Key, obj: Object, current: Entry | None, *, deleted: bool = False
    ) -> asyncio.Future[Entry]:
        """Stage a write; the future is done when it is durable."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._attach()
        waiter: asyncio.Future[Entry] = loop.create_future()
        self._stage(key, obj, current, waiter, deleted=deleted)
        if self._journal is None:
            self._launch()
        elif len(self._gathered) == 1 and self._flight is None:
            # Not at once: others that are ready to write in this turn of the loop go along.
            loop.call_soon(self._launch_gathered)
        return waiter

    def _stage(
        self,
        key: Key,
        obj: Object,
        current: Entry | None,
        waiter: asyncio.Future[Entry] | None,
        *,
        deleted: bool = False,
    ) -> Staged:
        self._check_open()
        revision = self._assigned + 1
        data = self._stamper.encode(obj, revision)
        self._assigned = revision
        kind = "DELETED" if deleted else "MODIFIED" if current else "ADDED"
        change = Change(kind, key, revision, data, current.data if current else None)
        staged = Staged(change, Entry(key, revision, data), waiter)
        self._staged[key] = staged
        self._gathered.append(staged)
        return staged

    def _commit_now(self, mutations: Iterable[Mutation]) -> None:
        """TinyDB's own writes: staged like all others, but the caller blocks until they are durable."""
        batch: list[Staged] = []
        for key, obj in mutations:
            current, _ = self._newest(key)
            last: Object | None = msgspec.json.decode(current.data) if obj is None and current else obj
            if last is not None:
                batch.append(self._stage(key, last, current, None, deleted=obj is None))
        while self._gathered or self._flight is not None:
            self._launch()
            if self._flight is not None and self._journal is not None:
                self._journal.wait()
                self._settle()
        for staged in batch:
            if staged.error is not None:
                raise staged.error

    def _launch_gathered(self) -> None:
        """Send what this turn of the loop has gathered; a lone write needs no thread when the disk is quick."""
        assert self._journal is not None
        assert self._compactor is not None
        if len(self._gathered) != 1 or self._flight is not None or self._rotate or self._compactor.due:
            self._launch()
            return
        flight = self._journal.commit_here(self._gathered, self._milliseconds())
        if flight is None or flight.outcome is None:
            self._launch()
            return
        self._gathered = []
        self._launched = flight.batch[-1].change.revision
        self._conclude(flight, flight.outcome)

    def _launch(self) -> None:
        """Send what has gathered to the journal, unless a batch is on its way."""
        if self._flight is not None or not (self._gathered or self._rotate):
            return
        batch, self._gathered = self._gathered[:LARGEST], self._gathered[LARGEST:]
        if batch:
            self._launched = batch[-1].change.revision
        time = self._milliseconds()
        if self._journal is None:
            self._show(batch, time)
            return
        rotates = self._rotate or (self._compactor is not None and self._compactor.due)
        self._flight = self._journal.commit(batch, time, rotate_at=self._launched if rotates else None)
        if self._rotate:
            self._rotate = False
            self._rotation = self._flight

    def _attach(self) -> asyncio.AbstractEventLoop:
        """Hear of landed flights on the loop that runs."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop and self._journal is not None:
            loop.add_reader(self._journal.finished, self._settle)
        self._loop = loop
        return loop

    def _settle(self) -> None:
        """A batch came back: show it, or undo it and all that was staged upon it."""
        assert self._journal is not None
        self._journal.landed()
        flight = self._flight
        if flight is None or flight.outcome is None:
            return
        self._flight = None
        self._conclude(flight, flight.outcome)

    def _conclude(self, flight: Flight, outcome: Committed | BaseException) -> None:
        if isinstance(outcome, BaseException):
            self._undo([*flight.batch, *self._gathered], outcome)
        else:
            self._launch()
            self._show(flight.batch, flight.time)
            self._after_commit(outcome, demanded=flight is self._rotation)
        self._settled.set()
        self._settled.clear()
        self._launch()

    def _show(self, batch: Sequence[Staged], time: int) -> None:
        tables: dict[str, Documents] = {}
        for staged in batch:
            change = staged.change
            key = change.key
            table = tables.get(key.resource)
            if table is None:
                table = tables[key.resource] = self.database.documents(key.resource)
                self.database.objects(key.resource).clear_cache()
            if change.type == "DELETED":
                table.drop(key)
            else:
                table.put(staged.entry)
            if self._staged.get(key) is staged:
                del self._staged[key]
        seconds = time / 1000
        self._history.extend([staged.change for staged in batch], seconds)
        self._history.expire(seconds)
        if batch:
            self._revision = batch[-1].change.revision
        for staged in batch:
            if staged.waiter is not None and not staged.waiter.done():
                staged.waiter.set_result(staged.entry)
        self._history.wake(tables)

    def _undo(self, batch: Sequence[Staged], cause: BaseException) -> None:
        where = f"{self._journal.path}: " if self._journal else ""
        self._gathered = []
        self._staged.clear()
        self._assigned = self._launched = self._revision
        for staged in batch:
            error = StoreError(f"{where}the write could not be made durable and was not applied: {cause}")
            error.__cause__ = cause
            staged.error = error
            if staged.waiter is not None and not staged.waiter.done():
                staged.waiter.set_exception(error)

    def _after_commit(self, committed: Committed, *, demanded: bool) -> None:
        compactor = self._compactor
        assert compactor is not None
        compactor.appended(committed.size)
        if committed.problem is not None:
            compactor.failed(committed.problem)
        elif committed.rotated:
            compactor.rotated(self._revision, at_once=demanded)
        oldest = self._history.oldest
        boundary = compactor.ripe(oldest, len(self._history))
        if boundary is not None:
            live = [entry for table in self.database.contents() for entry in table.entries.values()]
            changes = list(self._history)
            compactor.start(Snapshot(boundary, oldest, live, changes, self._milliseconds()))

    async def _next_settlement(self) -> None:
        if self._flight is None:
            self._launch()
        await self._settled.wait()

    async def _idle(self) -> None:
        """Until nothing is gathered or on its way any more."""
        self._launch()
        while self._flight is not None:
            await self._settled.wait()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _milliseconds(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def open_store(
    path: Path | None,
    *,
    limits: HistoryLimits | None = None,
    compact_at: int = COMPACT_AT,
    clock: Clock | None = None,
    files: Files | None = None,
    seal: Seal | None = None,
) -> JournaledStore:
    """Open the store in folder `path`, or one in memory (None) that forgets all at its end.

    `seal` encrypts what is not to be read from the disk.

    Raises LockedError when another process has it open, CorruptStoreError when a file is damaged, StoreError
    when the disk refuses, SealError for what `seal` can't open. Blocks while it reads (a large store: a
    second), so call it before serving.
    """
    store = JournaledStore(limits=limits or HistoryLimits(), clock=clock or RealClock())
    if path is not None:
        store.recover(path, files or Files(), compact_at, seal or Unsealed())
    return store
