"""Keeps the cluster as the folder says: one level-triggered pass after another over folder, records and API.

A pass reads what changed, works out what each file asks for, applies what is new or has drifted, prunes what
no file asks for any more, and writes down each file's state. Passes are woken by the folder, by drift, by
annotations on the records (pause, re-apply, approve), and by timers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, NamedTuple

from ktui.client.base import Client
from ktui.client.informer import Delta, Informer
from ktui.engine.manifests.apply import Refused
from ktui.engine.manifests.folder import Folder
from ktui.engine.manifests.objects import Objects
from ktui.engine.manifests.plan import KindIndex, Wanted, split_duplicates, want
from ktui.engine.manifests.pruning import Pruner
from ktui.engine.manifests.record import Brought, FolderState, Identity, State
from ktui.engine.manifests.records import Records
from ktui.engine.manifests.sources import GONE_AFTER_SECONDS, Sources
from ktui.engine.manifests.verdict import judge
from ktui.kube.clock import Clock, RealClock, rfc3339
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS
from ktui.kube.manifest import Document
from ktui.kube.manifest_problem import Problem
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

_KINDS_SECONDS = 5.0
_PRUNE_RETRY_SECONDS = 5.0


class _Reading(NamedTuple):
    """What a file's documents ask for, as it was worked out with the kinds then known."""

    documents: tuple[Document, ...]
    kinds: KindIndex
    items: tuple[Wanted | Problem, ...]


class Syncer:
    """The watched folder's controller."""

    def __init__(
        self,
        client: Client,
        folder: Folder,
        *,
        clock: Clock | None = None,
        default_namespace: str = "default",
        prune_limit: int = 20,
    ) -> None:
        self._client = client
        self._clock = clock or RealClock()
        self._default_namespace = default_namespace
        self._wake = asyncio.Event()
        self._folder = folder
        self._sources = Sources(folder)
        self._records = Records(client, str(folder.root), self._clock, self._wake.set)
        self._objects = Objects(client, self._clock, self._wake.set, self._records.note_drift)
        self._pruner = Pruner(client, prune_limit)
        self._prune_again_at: float | None = None
        self._readings: dict[str, _Reading] = {}
        self._kinds = KindIndex(())
        self._kinds_at = float("-inf")
        self._has_unknown_kinds = False
        self._definitions: Informer[dict[str, Any]] = Informer(
            client, CUSTOM_RESOURCE_DEFINITIONS, dict[str, Any], clock=self._clock
        )
        self._definitions.add_handler(self._on_definition)

    async def run(self) -> None:
        """Sync until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._records.run(), name="manifest records")
            await self._records.wait_synced()
            group.create_task(self._objects.run(), name="manifest drift")
            group.create_task(self._folder.watch(self._wake), name="manifest folder")
            group.create_task(self._definitions.run(), name="manifest kinds")
            while True:
                self._wake.clear()
                try:
                    due = await self._pass()
                except (StatusError, OSError) as error:
                    log.warning("manifests: a pass failed: %s", error)
                    due = self._clock.monotonic() + 1.0
                await self._wait(due)

    def _on_definition(self, delta: Delta[dict[str, Any]]) -> None:
        """Kinds come and go with their definitions: what waits for one is tried at once."""
        self._kinds_at = float("-inf")
        self._wake.set()

    async def _wait(self, due: float | None) -> None:
        if due is None:
            await self._wake.wait()
            return
        waits = (
            asyncio.ensure_future(self._wake.wait()),
            asyncio.ensure_future(self._clock.sleep(max(0.0, due - self._clock.monotonic()))),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _pass(self) -> float | None:
        now = self._clock.monotonic()
        if not await asyncio.to_thread(self._sources.refresh, now):
            await self._records.save_folder(
                FolderState.MISSING, f"{self._folder.root} is not there; nothing is pruned until it returns"
            )
            return now + 1.0
        await self._refresh_kinds(now)
        wanted, problems = self._want(now)
        unique, duplicates = split_duplicates(wanted)
        for path, found in duplicates.items():
            problems.setdefault(path, []).extend(found)
        await self._apply(unique)
        await self._prune(wanted, problems)
        await self._save(unique, problems)
        return self._next_deadline()

    async def _refresh_kinds(self, now: float) -> None:
        self._has_unknown_kinds = any(self._kinds.find(obj) is None for obj in self._kinds_asked_for())
        is_stale = self._kinds_at == float("-inf")
        if is_stale or (self._has_unknown_kinds and now - self._kinds_at >= _KINDS_SECONDS):
            self._kinds_at = now
            self._kinds = KindIndex(await self._client.resources())

    def _kinds_asked_for(self) -> Iterable[Object]:
        """Objects of every kind that a file names or a record still holds."""
        for source in self._sources.files.values():
            for document in source.documents:
                yield document.object
        for record in self._records.mine():
            for brought in record.inventory:
                yield {"apiVersion": brought.api_version, "kind": brought.identity.kind}

    def _want(self, now: float) -> tuple[list[Wanted], dict[str, list[Problem]]]:
        wanted: list[Wanted] = []
        problems: dict[str, list[Problem]] = {}
        for path, source in self._sources.files.items():
            if problem := source.shown_problem(now):
                problems.setdefault(path, []).append(problem)
            for item in self._read(path, source.documents):
                if isinstance(item, Problem):
                    problems.setdefault(path, []).append(item)
                else:
                    wanted.append(item)
        for path in self._readings.keys() - self._sources.files.keys():
            del self._readings[path]
        return wanted, problems

    def _read(self, path: str, documents: tuple[Document, ...]) -> tuple[Wanted | Problem, ...]:
        known = self._readings.get(path)
        if known is None or known.documents is not documents or known.kinds is not self._kinds:
            items = tuple(
                want(path, document, self._kinds, self._default_namespace) for document in documents
            )
            known = self._readings[path] = _Reading(documents, self._kinds, items)
        return known.items

    async def _apply(self, wanted: Sequence[Wanted]) -> None:
        for path in {item.path for item in wanted}:
            if self._records.take_reapply(path):
                for item in wanted:
                    if item.path == path:
                        self._objects.start_over(item.identity)
        due = [
            item for item in wanted if self._objects.is_due(item) and not self._records.is_paused(item.path)
        ]
        coming: dict[str, list[Brought]] = {}
        for item in due:
            coming.setdefault(item.path, []).append(Brought(item.identity, item.resource.api_version))
        await self._records.announce(coming)
        await self._objects.apply(due)

    async def _prune(self, wanted: Sequence[Wanted], problems: Mapping[str, Sequence[Problem]]) -> None:
        now = self._clock.monotonic()
        doomed = self._doomed(wanted, problems, now)
        result = await self._pruner.prune(doomed, self._kinds, self._records.folder)
        self._prune_again_at = now + _PRUNE_RETRY_SECONDS if result.failed else None
        for path, gone in result.pruned.items():
            for brought in gone:
                self._objects.forget(brought.identity)
            self._records.remove_from_inventory(path, gone)
        await self._records.save_folder(result.state, result.message, result.waiting)
        for path in doomed:
            if path not in self._sources.files and not self._records.of(path).inventory:
                self._sources.gone.pop(path, None)
                await self._records.delete(path)

    def _doomed(
        self, wanted: Sequence[Wanted], problems: Mapping[str, Sequence[Problem]], now: float
    ) -> dict[str, list[Brought]]:
        """What no file asks for any more, by the path of the file that brought it.

        A file in which anything is wrong dooms nothing: its last good state stays.
        """
        claimants: dict[Identity, set[str]] = {}
        wrong = set(problems)
        for item in wanted:
            claimants.setdefault(item.identity, set()).add(item.path)
            if isinstance(self._objects.outcome(item.identity), Refused):
                wrong.add(item.path)
        doomed: dict[str, list[Brought]] = {}
        for record in self._records.mine():
            path = record.path
            if path in wrong or self._records.is_paused(path) or not self._is_settled(path, now):
                continue
            moved = [b for b in record.inventory if path not in claimants.get(b.identity, {path})]
            if moved:
                self._records.remove_from_inventory(path, moved)
            unclaimed = [brought for brought in record.inventory if brought.identity not in claimants]
            if unclaimed or path not in self._sources.files:
                doomed[path] = unclaimed
        return doomed

    def _is_settled(self, path: str, now: float) -> bool:
        """Whether what is missing from a file, or the file itself, has been missing for long enough."""
        if source := self._sources.files.get(path):
            return source.is_settled(now)
        if self._sources.hides(path):
            return False
        return now - self._sources.gone.setdefault(path, now) >= GONE_AFTER_SECONDS

    async def _save(self, unique: Sequence[Wanted], problems: Mapping[str, Sequence[Problem]]) -> None:
        by_path: dict[str, list[Wanted]] = {path: [] for path in self._sources.files}
        for item in unique:
            by_path[item.path].append(item)
        recent = self._records.recent_drift(self._clock.monotonic())
        now = rfc3339(self._clock.now())
        claimed = {item.identity for item in unique}
        changed = [
            judge(
                self._records.of(path),
                [(item, self._objects.outcome(item.identity)) for item in items],
                problems.get(path, ()),
                is_paused=self._records.is_paused(path),
                drift=self._records.drift_notes(path),
                is_drift_recent=path in recent,
                pending=self._pending(path, claimed),
                now=now,
            )
            for path, items in by_path.items()
        ]
        for record in self._records.mine():
            if record.path not in self._sources.files and not self._sources.hides(record.path):
                changed.append(replace(record, state=State.DELETED, problems=(), message="the file is gone"))
        await self._records.save(changed)

    def _pending(self, path: str, claimed: Set[Identity]) -> str:
        """Why a file's present text may not be its last word, "" if it is."""
        inventory = self._records.of(path).inventory
        missing = sum(brought.identity not in claimed for brought in inventory)
        return self._sources.files[path].pending(missing, self._clock.monotonic())

    def _next_deadline(self) -> float | None:
        now = self._clock.monotonic()
        times = [
            self._objects.next_due(),
            self._sources.next_deadline(now),
            self._records.next_deadline(now),
            self._prune_again_at,
            max(now, self._kinds_at + _KINDS_SECONDS) if self._has_unknown_kinds else None,
        ]
        return min((time for time in times if time is not None), default=None)
