"""Brings a store that refuses to start back to its last good state (`ktui store repair`).

A damaged journal is good up to the damage; a damaged snapshot is good but for the lines that can't be read,
because each holds an object of its own. The result becomes a new snapshot; every file there was stays in a
folder beside it. Revisions go on well above any that was handed out, so that no client mistakes old for new.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ktui.engine.store import records
from ktui.engine.store.base import Entry, Key, StoreError
from ktui.engine.store.documents import ObjectDatabase
from ktui.engine.store.files import Files
from ktui.engine.store.history import History, HistoryLimits
from ktui.engine.store.lock import FolderLock
from ktui.engine.store.records import BadRecordError, Record
from ktui.engine.store.recovery import FIRST_REVISION, CorruptStoreError, Layout, Recovery, number
from ktui.engine.store.snapshot import Snapshot, write_snapshot

_BEYOND = 1000
"""How far revisions jump: more than a batch whose records can't be read any more may have used."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What was wrong (None: nothing) and what is kept; `aside` holds the files as they were."""

    damage: CorruptStoreError | None
    revision: int
    """The revision of the state that is kept."""
    objects: int
    lost_changes: int
    """Changes that can be read but come after the damage."""
    unreadable: int
    aside: Path | None


def repair(folder: Path, *, dry_run: bool = False) -> Repair:
    """Go back to the last good state; with `dry_run` only tell what that would be.

    Raises LockedError while an engine has the folder open, StoreError when the disk refuses.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder}: there is no store")
    lock = FolderLock(folder / "lock")
    try:
        return _repair(folder, dry_run)
    except OSError as error:
        raise StoreError(f"{folder}: the store can't be repaired: {error}") from error
    finally:
        lock.release()


def _repair(folder: Path, dry_run: bool) -> Repair:
    database = ObjectDatabase(_refuse)
    recovery = Recovery(database, History(HistoryLimits(), FIRST_REVISION))
    try:
        recovery.run(folder)
    except CorruptStoreError as error:
        damage = error
    else:
        objects = sum(len(table.entries) for table in database.contents())
        return Repair(None, recovery.revision, objects, 0, 0, None)

    layout = Layout.of(folder)
    salvage = _Salvage()
    if layout.snapshot:
        salvage.snapshot(layout.snapshot)
    for path in layout.journals:
        salvage.journal(path)
    aside = None
    if not dry_run:
        aside = _put_aside(folder)
        above = salvage.highest + _BEYOND
        time = int(damage.path.stat().st_mtime * 1000)
        write_snapshot(Files(), folder, Snapshot(above, above, [*salvage.state.values()], [], time))
        for path in _store_files(folder):
            if number(path) != above:
                path.unlink()
    return Repair(
        damage, salvage.revision, len(salvage.state), salvage.lost_changes, salvage.unreadable, aside
    )


class _Salvage:
    """The state as far as it is good, and how much lies beyond."""

    def __init__(self) -> None:
        self.state: dict[Key, Entry] = {}
        self.revision = self.highest = FIRST_REVISION
        self.lost_changes = 0
        self.unreadable = 0
        self._broken = False

    def snapshot(self, path: Path) -> None:
        self.revision = self.highest = number(path)
        for record in self._lines(path):
            if record is not None and (record.op in records.CHANGES or record.op == records.STATE):
                self._apply(record)

    def journal(self, path: Path) -> None:
        self.highest = max(self.highest, number(path))
        self._broken = self._broken or number(path) != self.revision + 1
        for record in self._lines(path):
            if record is None:
                self._broken = True
            elif record.op in records.CHANGES:
                self.highest = max(self.highest, record.revision)
                self._broken = self._broken or record.revision != self.revision + 1
                if self._broken:
                    self.lost_changes += 1
                else:
                    self._apply(record)
                    self.revision = record.revision

    def _apply(self, record: Record) -> None:
        key = Key(record.resource, record.namespace, record.name)
        if record.op == "D":
            self.state.pop(key, None)
        else:
            self.state[key] = Entry(key, record.revision, record.data)

    def _lines(self, path: Path) -> Iterator[Record | None]:
        """Each line's record, None for one that can't be read; the zeros of unused room are no line."""
        with path.open("rb") as file:
            for line in file:
                if not line.strip(b"\0\n"):
                    continue
                try:
                    yield records.decode(line.lstrip(b"\0"))
                except BadRecordError:
                    self.unreadable += 1
                    yield None


def _put_aside(folder: Path) -> Path:
    """Link every file into a new folder, where nothing the store does reaches them."""
    aside = next(path for path in (folder / f"damaged-{n}" for n in count(1)) if not path.exists())
    aside.mkdir()
    for path in _store_files(folder):
        os.link(path, aside / path.name)
    return aside


def _store_files(folder: Path) -> list[Path]:
    return [*folder.glob("snapshot-*.log"), *folder.glob("journal-*.log")]


def _refuse(_: object) -> None:
    raise StoreError("a store under repair takes no writes")
