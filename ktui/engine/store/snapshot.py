"""Compaction's file: the state at history's far end and the changes since, so that journals before it can go.

`write_snapshot` runs beside the store, in a thread of its own, on lists that nobody changes. The file
appears under its name only when all of it is durable; then everything it replaces is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from ktui.engine.store import records
from ktui.engine.store.base import Change, Entry, Key
from ktui.engine.store.files import Files
from ktui.engine.store.records import Record
from ktui.engine.store.sealing import Seal, Unsealed
from ktui.engine.store.stamp import revision_of

T = TypeVar("T")

_SLICE = 250
_SYNC_EVERY = 1 << 20
_PAUSE = 0.001
"""After each slice: a snapshot is in no hurry, the loop and the journal's writes beside it are."""


class SnapshotHeader(msgspec.Struct):
    """What a file's first line tells: a snapshot's objects are as of revision `state`, its changes follow that."""

    format: int
    state: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A store at `revision`, seen from later: what is live, and all changes back to the revision `oldest`."""

    revision: int
    oldest: int
    live: Sequence[Entry]
    changes: Sequence[tuple[float, Change]]
    time: int

    def state(self) -> Iterator[Entry]:
        """The objects as they were at `oldest`: what is live with the changes undone."""
        first: dict[Key, Change] = {change.key: change for _, change in reversed(self.changes)}
        yield from (entry for entry in self.live if entry.key not in first)
        for change in first.values():
            entry = previous_entry(change)
            if entry is not None:
                yield entry


def snapshot_path(folder: Path, revision: int) -> Path:
    """The snapshot taken at `revision`."""
    return folder / f"snapshot-{revision:020d}.log"


def write_snapshot(files: Files, folder: Path, snapshot: Snapshot, seal: Seal | None = None) -> int:
    """Write the file durably and return its length; OSError leaves nothing behind."""
    path = snapshot_path(folder, snapshot.revision)
    draft = path.with_suffix(".tmp")
    descriptor = files.open(draft, create=True)
    size = synced = 0
    try:
        for lines in _sliced(_lines(snapshot, seal or Unsealed())):
            data = b"".join(lines)
            files.write(descriptor, data, size)
            size += len(data)
            if size - synced >= _SYNC_EVERY:
                # In portions, or one big sync at the end would hold up the journal's.
                files.sync(descriptor)
                synced = size
            time.sleep(_PAUSE)
        files.sync(descriptor)
        files.rename(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        files.close(descriptor)
    return size


def previous_entry(change: Change) -> Entry | None:
    """The object as it was before a change."""
    if change.previous is None:
        return None
    return Entry(change.key, revision_of(change.previous), change.previous)


def _lines(snapshot: Snapshot, seal: Seal) -> Iterator[bytes]:
    revision, now = snapshot.revision, snapshot.time
    about = msgspec.json.encode(SnapshotHeader(format=1, state=snapshot.oldest))
    yield records.encode(Record(revision, revision, now, records.HEADER, "snapshot", "", "", about))
    for entry in snapshot.state():
        yield records.encode_state(entry, revision, now, seal)
    for seconds, change in snapshot.changes:
        if change.revision > revision:
            break
        yield records.encode_changes((change,), revision, int(seconds * 1000), seal)
    yield records.encode(Record(revision, revision + 1, now, records.END, "snapshot", "", "", b""))


def _sliced(items: Iterator[T]) -> Iterator[list[T]]:
    while part := list(islice(items, _SLICE)):
        yield part
