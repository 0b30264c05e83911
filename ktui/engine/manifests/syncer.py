"""Keeps the cluster as the folder says: one level-triggered pass after another over folder, records and API.

A pass reads what changed, works out what each file asks for, applies what is new or has drifted, prunes what
no file asks for any more, and writes down each file's state. Passes are woken by the folder, by drift, by
annotations on the records (pause, re-apply, approve), and by timers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ktui.client.base import Client
from ktui.engine.manifests.apply import Applied, Outcome, Refused, Waiting, apply
from ktui.engine.manifests.drift import Baseline, DriftWatch
from ktui.engine.manifests.folder import Folder
from ktui.engine.manifests.plan import (
    KindIndex,
    Wanted,
    changed_fields,
    in_apply_order,
    split_duplicates,
    want,
)
from ktui.engine.manifests.pruning import Pruner
from ktui.engine.manifests.record import Brought, FileRecord, FolderState, Identity, Problem, State
from ktui.engine.manifests.records import Records
from ktui.engine.manifests.sources import Sources
from ktui.kube.clock import Clock, RealClock, rfc3339
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

_CONCURRENCY = 16
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
_DRIFT_QUIET_SECONDS = 600.0
_KINDS_SECONDS = 5.0


@dataclass(slots=True)
class _Progress:
    """Where the syncer stands with one object."""

    digest: str = ""
    """Of what was last applied or refused."""
    outcome: Outcome | None = None
    due: float | None = None
    """When to try again."""
    attempts: int = 0
    drifted: bool = False
    corrections: int = 0
    corrected_at: float = float("-inf")


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
        self._pruner = Pruner(client, prune_limit)
        self._drift = DriftWatch(client, self._clock, self._on_drift)
        self._progress: dict[Identity, _Progress] = {}
        self._kinds = KindIndex(())
        self._kinds_at = float("-inf")
        self._passes = 0
        self._passed = asyncio.Condition()

    async def run(self) -> None:
        """Sync until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._records.run(), name="manifest records")
            await self._records.wait_synced()
            group.create_task(self._drift.run(), name="manifest drift")
            group.create_task(self._folder.watch(self._wake), name="manifest folder")
            while True:
                self._wake.clear()
                try:
                    due = await self._pass()
                except (StatusError, OSError) as error:
                    log.warning("manifests: a pass failed: %s", error)
                    due = self._clock.monotonic() + 1.0
                async with self._passed:
                    self._passes += 1
                    self._passed.notify_all()
                await self._wait(due)

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
        await self._save(wanted, unique, problems)
        return self._next_deadline()

    async def _refresh_kinds(self, now: float) -> None:
        documents = (doc for source in self._sources.files.values() for doc in source.documents)
        is_unknown = any(self._kinds.find(document.object) is None for document in documents)
        if is_unknown and now - self._kinds_at >= _KINDS_SECONDS:
            self._kinds = KindIndex(await self._client.resources())
            self._kinds_at = now

    def _want(self, now: float) -> tuple[list[Wanted], dict[str, list[Problem]]]:
        wanted: list[Wanted] = []
        problems: dict[str, list[Problem]] = {}
        for path, source in self._sources.files.items():
            if problem := source.shown_problem(now):
                problems.setdefault(path, []).append(problem)
            for document in source.documents:
                item = want(path, document, self._kinds, self._default_namespace)
                if isinstance(item, Problem):
                    problems.setdefault(path, []).append(item)
                else:
                    wanted.append(item)
        return wanted, problems

    async def _apply(self, wanted: Sequence[Wanted]) -> None:
        now = self._clock.monotonic()
        for path in {item.path for item in wanted}:
            if self._records.take_reapply(path):
                for item in wanted:
                    if item.path == path:
                        self._progress.pop(item.identity, None)
        due = [item for item in wanted if self._is_due(item, now)]
        gate = asyncio.Semaphore(_CONCURRENCY)

        async def one(item: Wanted) -> None:
            async with gate:
                await self._apply_one(item)

        for batch in in_apply_order(due):
            async with asyncio.TaskGroup() as group:
                for item in batch:
                    group.create_task(one(item))

    def _is_due(self, item: Wanted, now: float) -> bool:
        if self._records.is_paused(item.path):
            return False
        progress = self._progress.get(item.identity)
        if progress is None or progress.digest != item.digest:
            return True
        return progress.due is not None and progress.due <= now

    async def _apply_one(self, item: Wanted) -> None:
        progress = self._progress.setdefault(item.identity, _Progress())
        before = await self._live(item) if progress.drifted else None
        outcome = await apply(self._client, item)
        now = self._clock.monotonic()
        progress.digest, progress.outcome = item.digest, outcome
        match outcome:
            case Applied(obj):
                baseline = Baseline.of(obj, item.object)
                if before is not None and int(before["metadata"]["resourceVersion"]) != baseline.version:
                    fields = ", ".join(changed_fields(before, obj))
                    self._records.note_drift(item.path, f"{item.identity}: put back {fields}")
                elif progress.drifted and before is None:
                    self._records.note_drift(item.path, f"{item.identity}: made again after it was deleted")
                progress.due, progress.attempts, progress.drifted = None, 0, False
                self._drift.expect(item.resource, item.identity, baseline)
            case Waiting():
                delay = _RETRY_SECONDS[min(progress.attempts, len(_RETRY_SECONDS) - 1)]
                progress.attempts += 1
                progress.due = now + delay
            case Refused():
                progress.due, progress.drifted = None, False
                self._drift.forget(item.identity)

    async def _live(self, item: Wanted) -> Object | None:
        try:
            return await self._client.get(item.resource, item.identity.name, item.identity.namespace)
        except StatusError:
            return None

    def _on_drift(self, identity: Identity) -> None:
        """Someone changed or deleted an object: due at once, and ever later if it goes on and on."""
        progress = self._progress.get(identity)
        if progress is None or progress.drifted:
            return
        now = self._clock.monotonic()
        if isinstance(progress.outcome, Waiting):
            progress.due = now
            self._wake.set()
            return
        if now - progress.corrected_at > _DRIFT_QUIET_SECONDS:
            progress.corrections = 0
        wait = 0.0 if progress.corrections < 3 else min(2.0 ** (progress.corrections - 2), 60.0)
        progress.drifted = True
        progress.corrections += 1
        progress.corrected_at = now
        progress.due = now + wait
        self._wake.set()

    async def _prune(self, wanted: Iterable[Wanted], problems: dict[str, list[Problem]]) -> None:
        now = self._clock.monotonic()
        claimants: dict[Identity, set[str]] = {}
        for item in wanted:
            claimants.setdefault(item.identity, set()).add(item.path)
        doomed: dict[str, list[Brought]] = {}
        for record in self._records.mine():
            source = self._sources.files.get(record.path)
            if self._records.is_paused(record.path):
                continue
            if source is not None:
                only_refused = record.path not in problems
                if not (source.is_settled(now) and only_refused):
                    continue
            elif now - self._sources.gone.setdefault(record.path, now) < 0.5:
                continue
            moved = [
                b for b in record.inventory if record.path not in claimants.get(b.identity, {record.path})
            ]
            if moved:
                self._records.remove_from_inventory(record.path, moved)
            unclaimed = [brought for brought in record.inventory if brought.identity not in claimants]
            if unclaimed or source is None:
                doomed[record.path] = unclaimed
        result = await self._pruner.prune(doomed, self._kinds, self._records.folder)
        for path, gone in result.pruned.items():
            for brought in gone:
                self._progress.pop(brought.identity, None)
                self._drift.forget(brought.identity)
            self._records.remove_from_inventory(path, gone)
        await self._records.save_folder(result.state, result.message, result.waiting)
        for path in doomed:
            if path not in self._sources.files and not self._records.of(path).inventory:
                self._sources.gone.pop(path, None)
                await self._records.delete(path)

    async def _save(
        self, wanted: Sequence[Wanted], unique: Sequence[Wanted], problems: dict[str, list[Problem]]
    ) -> None:
        by_path: dict[str, list[Wanted]] = {path: [] for path in self._sources.files}
        for item in unique:
            by_path[item.path].append(item)
        changed = [
            self._judge(self._records.of(path), items, problems.get(path, ()))
            for path, items in by_path.items()
        ]
        for record in self._records.mine():
            if record.path not in self._sources.files:
                changed.append(replace(record, state=State.DELETED, problems=(), message="the file is gone"))
        await self._records.save(changed)

    def _judge(self, record: FileRecord, items: Sequence[Wanted], problems: Sequence[Problem]) -> FileRecord:
        """The record a file deserves after a pass."""
        found = list(problems)
        waiting: list[str] = []
        inventory = {brought.identity: brought for brought in record.inventory}
        is_fresh = False
        for item in items:
            progress = self._progress.get(item.identity)
            match progress.outcome if progress else None:
                case Applied(obj):
                    brought = Brought(
                        item.identity, item.resource.api_version, obj["metadata"]["uid"], item.digest
                    )
                    is_fresh = is_fresh or inventory.get(item.identity) != brought
                    inventory[item.identity] = brought
                case Refused(refused):
                    found.extend(refused)
                case Waiting(message):
                    waiting.append(message)
                case None:
                    waiting.append(f"{item.identity} is not applied yet")
        count = len(items)
        message = f"{count} object{'' if count == 1 else 's'} applied"
        state = State.SYNCED
        if found:
            state = State.INVALID
        elif self._records.is_paused(record.path):
            state, message = State.PAUSED, "paused; its objects are left as they are"
        elif waiting:
            state, message = State.PENDING, waiting[0]
        elif record.path in self._records.recent_drift(self._clock.monotonic()):
            state, message = State.DRIFTED, self._records.drift_notes(record.path)[-1]
        return replace(
            record,
            state=state,
            problems=tuple(sorted(found, key=lambda problem: problem.position)),
            inventory=tuple(inventory[identity] for identity in sorted(inventory)),
            message=message,
            drift=tuple(self._records.drift_notes(record.path)),
            applied_at=rfc3339(self._clock.now()) if is_fresh else record.applied_at,
        )

    def _next_deadline(self) -> float | None:
        now = self._clock.monotonic()
        times = [progress.due for progress in self._progress.values() if progress.due is not None]
        for due in (self._sources.next_deadline(now), self._records.next_deadline(now)):
            if due is not None:
                times.append(due)
        if self._kinds_at > now - _KINDS_SECONDS and any(
            self._kinds.find(document.object) is None
            for source in self._sources.files.values()
            for document in source.documents
        ):
            times.append(self._kinds_at + _KINDS_SECONDS)
        return min(times, default=None)
