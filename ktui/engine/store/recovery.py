"""Reads the folder back: the newest snapshot, then the journals after it, checked line by line.

Objects stay bytes; only where they live and at which revision is read. The tail of the last journal may be
torn (a batch that nobody was told of): it is left out, with a warning. Anything else that does not fit raises
CorruptStoreError, which says where, because starting without acknowledged writes would be worse.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ktui.engine.store import records
from ktui.engine.store.base import Change, Entry, Key, StoreError
from ktui.engine.store.documents import ObjectDatabase
from ktui.engine.store.history import History
from ktui.engine.store.records import BadRecordError, Record
from ktui.engine.store.sealing import MARK, Seal, SealError
from ktui.engine.store.snapshot import SnapshotHeader

log = logging.getLogger(__name__)

FIRST_REVISION = 1
"""What an empty store is at: Kubernetes gives 0 a meaning of its own."""


class CorruptStoreError(StoreError):
    """A file of the store is damaged at a line; what is before it is good."""

    def __init__(self, path: Path, line: int, offset: int, reason: str) -> None:
        self.path = path
        self.line = line
        self.offset = offset
        self.reason = reason
        super().__init__(
            f"{path}: line {line} (byte {offset}) is damaged: {reason}; "
            "`ktui store repair` goes back to the last good state and keeps the damaged files aside"
        )


@dataclass(frozen=True, slots=True)
class Position:
    """Where the journal goes on: behind the last good record of its newest file."""

    path: Path
    first: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The store's files: the snapshot to start from, the journals to replay, and what is left over."""

    snapshot: Path | None
    journals: list[Path]
    leftovers: list[Path]

    @classmethod
    def of(cls, folder: Path) -> Layout:
        """Sort the folder's files out by their names."""
        snapshots = sorted(folder.glob("snapshot-*.log"))
        journals = sorted(folder.glob("journal-*.log"))
        snapshot = snapshots[-1] if snapshots else None
        start = number(snapshot) if snapshot else 0
        return cls(
            snapshot,
            [path for path in journals if number(path) > start],
            [*snapshots[:-1], *(path for path in journals if number(path) <= start)],
        )


class Recovery:
    """Replays files into a database and a history; `revision` is how far it came, `leftovers` can go.

    With a `seal` what is sealed is opened, and `is_stale` tells that some data is not sealed as it would be now;
    without one it stays as it is, for those who only look for damage.
    """

    def __init__(self, database: ObjectDatabase, history: History, seal: Seal | None = None) -> None:
        self.revision = FIRST_REVISION
        self.is_stale = False
        self._seal = seal
        self.snapshot_size = 0
        self.journal_size = 0
        self.leftovers: list[Path] = []
        self._database = database
        self._history = history

    def run(self, folder: Path) -> Position | None:
        """Read everything; None when there is no journal yet."""
        layout = Layout.of(folder)
        position: Position | None = None
        with _collector_paused():
            if layout.snapshot:
                self.read_snapshot(layout.snapshot)
            for index, path in enumerate(layout.journals):
                if number(path) != self.revision + 1 and _is_empty(path):
                    # A rotation that failed half-way: its journal never got a record.
                    layout.leftovers.append(path)
                    continue
                later = [
                    number(journal) for journal in layout.journals[index + 1 :] if not _is_empty(journal)
                ]
                position = self.read_journal(path, continued_at=later[0] if later else None)
        self.leftovers = [*layout.leftovers, *folder.glob("*.tmp")]
        return position

    def read_snapshot(self, path: Path) -> None:
        """Load a snapshot, which is whole or damaged."""
        ended = False
        line = offset = 0
        for line, offset, _, record in self._records(path, continued_at=0):
            if line == 1:
                about = _header(path, record, "snapshot")
                self.revision = self._history.oldest = about.state
            elif ended:
                raise CorruptStoreError(path, line, offset, "there is more behind the end mark")
            elif record.op == records.STATE:
                self._put(record)
            elif record.op == records.END:
                ended = record.revision == self.revision == number(path)
            else:
                self._replay(path, line, offset, record)
        if not ended:
            raise CorruptStoreError(path, line + 1, offset, "the snapshot has no end")
        self.snapshot_size = path.stat().st_size

    def read_journal(self, path: Path, *, continued_at: int | None) -> Position:
        """Replay a journal. It may have a torn tail when it is the last one, or when the next continues it
        without a gap (then the tail is the end mark, or a batch that failed)."""
        size = 0
        first = number(path)
        if first != self.revision + 1:
            raise CorruptStoreError(
                path, 1, 0, f"it starts at revision {first}, the files before it end at {self.revision}"
            )
        for line, offset, end, record in self._records(path, continued_at=continued_at):
            if line == 1:
                _header(path, record, "journal")
            elif record.op == records.END:
                if record.revision != self.revision:
                    raise CorruptStoreError(path, line, offset, "changes before the end mark are missing")
            else:
                self._replay(path, line, offset, record)
            size = end
        if not size:
            raise CorruptStoreError(path, 1, 0, "the journal has no header")
        self.journal_size += size
        return Position(path, first, size)

    def _replay(self, path: Path, line: int, offset: int, record: Record) -> None:
        if record.op not in records.CHANGES:
            raise CorruptStoreError(path, line, offset, f"a record of kind {record.op!r} has no place here")
        if record.revision != self.revision + 1:
            raise CorruptStoreError(
                path, line, offset, f"revision {record.revision} follows revision {self.revision}"
            )
        key = Key(record.resource, record.namespace, record.name)
        documents = self._database.documents(record.resource)
        before = documents.get(key)
        if record.op == "D":
            documents.drop(key)
        else:
            self._put(record)
        kind = "DELETED" if record.op == "D" else "MODIFIED" if before else "ADDED"
        change = Change(kind, key, record.revision, record.data, before.data if before else None)
        self._history.extend((change,), record.time / 1000)
        self.revision = record.revision

    def _put(self, record: Record) -> None:
        key = Key(record.resource, record.namespace, record.name)
        self._database.documents(record.resource).put(Entry(key, record.revision, record.data))

    def _records(self, path: Path, *, continued_at: int | None) -> Iterator[tuple[int, int, int, Record]]:
        """Line number, where it starts and ends, and record of every good line; ends at the file's end or its torn tail."""
        offset = 0
        with path.open("rb") as file:
            for number_, line in enumerate(file, start=1):
                try:
                    record = records.decode(line)
                except BadRecordError as error:
                    rest = line + file.read()
                    if not rest.strip(b"\0"):
                        return
                    if continued_at not in (None, self.revision + 1) or self._is_damage(rest):
                        raise CorruptStoreError(path, number_, offset, str(error)) from None
                    log.warning(
                        "%s: cut off a torn write at byte %d, line %d (never acknowledged); revision %d is the last",
                        path,
                        offset,
                        number_,
                        self.revision,
                    )
                    return
                if self._seal is not None and (
                    record.resource in self._seal.resources or record.data[:7] == MARK
                ):
                    record = self._opened(self._seal, path, number_, record)
                yield number_, offset, offset + len(line), record
                offset += len(line)

    def _opened(self, seal: Seal, path: Path, line: int, record: Record) -> Record:
        key = Key(record.resource, record.namespace, record.name)
        try:
            data = seal.open(key, record.revision, record.data)
        except SealError as error:
            raise SealError(f"{path}: line {line}: {error}") from error
        self.is_stale = self.is_stale or not seal.is_current(record.data)
        return record._replace(data=data)

    def _is_damage(self, rest: bytes) -> bool:
        """Whether a batch was begun behind the bad line: then what the line held had been durable."""
        return any(later.batch > self.revision + 1 for later in readable(rest))


def readable(data: bytes) -> Iterator[Record]:
    """The records that can still be made out in damaged bytes."""
    for line in data.split(b"\n"):
        try:
            yield records.decode(line.lstrip(b"\0") + b"\n")
        except BadRecordError:
            continue


def number(path: Path) -> int:
    """The revision in a file's name."""
    return int(path.stem.partition("-")[2])


def _is_empty(path: Path) -> bool:
    """Whether a journal holds nothing but its header."""
    with path.open("rb") as file:
        file.readline()
        return not any(part.strip(b"\0") for part in iter(lambda: file.read(1 << 20), b""))


def _header(path: Path, record: Record, what: str) -> SnapshotHeader:
    try:
        about = msgspec.json.decode(record.data, type=SnapshotHeader)
    except msgspec.DecodeError as error:
        raise CorruptStoreError(path, 1, 0, f"the header can't be read: {error}") from error
    if record.op != records.HEADER or record.resource != what:
        raise CorruptStoreError(path, 1, 0, f"this is not a {what} of a ktui store")
    if about.format != 1:
        raise StoreError(f"{path}: format {about.format} is of a newer ktui; use that to open it")
    return about


@contextmanager
def _collector_paused() -> Generator[None]:
    """Nothing that recovery makes is garbage; collecting while it grows costs more than reading it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
