"""The records of all files: read once at start, written when they change, listened to for what people ask.

People ask through annotations on the `ManifestFile` objects (pause, re-apply, approve a deletion); the rest
of each object is the syncer's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ktui.client.base import Client, PatchType, WriteOptions
from ktui.client.informer import Delta, Informer
from ktui.engine.manifests.apply import FIELD_MANAGER
from ktui.engine.manifests.record import (
    FOLDER_RECORD,
    REAPPLY_ANNOTATION,
    Brought,
    FileRecord,
    FolderRecord,
    FolderState,
    State,
    record_name,
)
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import MANIFEST_FILES
from ktui.kube.resource import Object, ObjectKey

_DRIFT_NOTES = 5
_DRIFT_SHOWN_SECONDS = 30.0
_CONCURRENCY = 16
_OPTIONS = WriteOptions(field_manager=FIELD_MANAGER)


class Records:
    """`ManifestFile` objects of the folder `root`, and the folder's own."""

    def __init__(self, client: Client, root: str, clock: Clock, wake: Callable[[], None]) -> None:
        self._client = client
        self._root = root
        self._clock = clock
        self._wake = wake
        self._records: dict[str, FileRecord] = {}
        self._stored: dict[str, Object] = {}
        self._annotations: dict[str, dict[str, str]] = {}
        self._reapplied: dict[str, str] = {}
        self._drift: dict[str, tuple[float, list[str]]] = {}
        self._informer: Informer[dict[str, Any]] = Informer(
            client, MANIFEST_FILES, dict[str, Any], clock=clock
        )
        self._informer.add_handler(self._on_delta)

    async def run(self) -> None:
        await self._informer.run()

    async def wait_synced(self) -> None:
        """Return once the records of an earlier run are known."""
        await self._informer.wait_synced()
        for _, obj in self._informer.items():
            if obj["metadata"]["name"] == FOLDER_RECORD:
                continue
            record = FileRecord.of(obj)
            if record.folder == self._root:
                self._records[record.path] = record
                if record.drift:
                    self._drift[record.path] = (float("-inf"), list(record.drift))
            elif record.state != State.ORPHANED:
                await self._write(
                    replace(
                        record, state=State.ORPHANED, problems=(), message="its folder is not watched now"
                    )
                )

    def _on_delta(self, delta: Delta[dict[str, Any]]) -> None:
        name = delta.key.name
        if delta.new is None:
            self._annotations.pop(name, None)
            if self._stored.pop(name, None) is not None:
                self._wake()
            return
        is_first = name not in self._annotations
        annotations = dict(delta.new["metadata"].get("annotations") or {})
        changed = annotations != self._annotations.get(name)
        self._annotations[name] = annotations
        self._stored[name] = _content(delta.new)
        if is_first:
            self._reapplied[name] = annotations.get(REAPPLY_ANNOTATION, "")
        if changed:
            self._wake()

    @property
    def folder(self) -> FolderRecord:
        """The folder's record with what people have asked of it."""
        return FolderRecord(self._root, annotations=self._annotations.get(FOLDER_RECORD, {}))

    def mine(self) -> list[FileRecord]:
        """The records of this folder's files, those of files that are gone among them."""
        return list(self._records.values())

    def of(self, path: str) -> FileRecord:
        """A file's record, a new one if there is none."""
        record = self._records.get(path) or FileRecord(self._root, path)
        return replace(record, annotations=self._annotations.get(record.name, {}))

    def is_paused(self, path: str) -> bool:
        return self.folder.paused or self.of(path).paused

    def take_reapply(self, path: str) -> bool:
        """Whether someone asked to apply the file anew since this was last asked."""
        name = record_name(self._root, path)
        asked = self._annotations.get(name, {}).get(REAPPLY_ANNOTATION, "")
        if not asked or asked == self._reapplied.get(name):
            return False
        self._reapplied[name] = asked
        return True

    def note_drift(self, path: str, note: str) -> None:
        """Remember what was changed by hand and put back."""
        notes = self._drift.get(path, (0.0, []))[1]
        self._drift[path] = (self._clock.monotonic(), [*notes, note][-_DRIFT_NOTES:])

    def drift_notes(self, path: str) -> list[str]:
        return self._drift.get(path, (0.0, []))[1]

    def recent_drift(self, now: float) -> set[str]:
        """Paths whose objects were put back a moment ago."""
        return {path for path, (at, _) in self._drift.items() if now - at < _DRIFT_SHOWN_SECONDS}

    def next_deadline(self, now: float) -> float | None:
        """When a shown drift ends."""
        ends = (at + _DRIFT_SHOWN_SECONDS for at, _ in self._drift.values())
        return min((end for end in ends if end > now), default=None)

    def remove_from_inventory(self, path: str, gone: Sequence[Brought]) -> None:
        record = self.of(path)
        kept = tuple(brought for brought in record.inventory if brought not in gone)
        self._records[path] = replace(record, inventory=kept)

    async def save(self, records: Iterable[FileRecord]) -> None:
        """Write the records that differ from what is stored; raises the first failure, after all were tried."""
        gate = asyncio.Semaphore(_CONCURRENCY)

        async def one(record: FileRecord) -> None:
            async with gate:
                await self._write(record)

        listed = list(records)
        self._records.update((record.path, record) for record in listed)
        results = await asyncio.gather(*(one(record) for record in listed), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    async def announce(self, coming: Mapping[str, Sequence[Brought]]) -> None:
        """Put objects into the inventories (by path) before they are applied for the first time."""
        changed: list[FileRecord] = []
        for path, objects in coming.items():
            record = self.of(path)
            known = {brought.identity for brought in record.inventory}
            new = [brought for brought in objects if brought.identity not in known]
            if new:
                changed.append(replace(record, inventory=(*record.inventory, *new), message="being applied"))
        await self.save(changed)

    async def save_folder(
        self, state: FolderState, message: str = "", waiting: tuple[Brought, ...] = ()
    ) -> None:
        await self._put(FOLDER_RECORD, FolderRecord(self._root, state, message, waiting).to_object())

    async def delete(self, path: str) -> None:
        """Forget a file that is gone with all it brought."""
        record = self._records.pop(path)
        self._drift.pop(path, None)
        self._stored.pop(record.name, None)
        try:
            await self._client.delete(MANIFEST_FILES, record.name)
        except StatusError as error:
            if not error.is_not_found:
                raise

    async def _write(self, record: FileRecord) -> None:
        await self._put(record.name, record.to_object())

    async def _put(self, name: str, obj: Object) -> None:
        content = _content(obj)
        if self._stored.get(name) == content:
            return
        if name not in self._stored and self._informer.get(ObjectKey("", name)) is None:
            try:
                await self._client.create(MANIFEST_FILES, obj, options=_OPTIONS)
            except StatusError as error:
                if not error.is_already_exists:
                    raise
            else:
                self._stored[name] = content
                return
        await self._client.patch(MANIFEST_FILES, name, content, patch_type=PatchType.MERGE, options=_OPTIONS)
        self._stored[name] = content


def _content(obj: Object) -> Object:
    return {"spec": obj.get("spec"), "status": obj.get("status")}
