"""Where the syncer stands with each object: what is due to be applied, what came of it, and what drifted.

In: the objects all files ask for, once a pass. Out: their outcomes, for the files' records, and the time of
the next attempt. Drift is put back at once, but ever later when someone goes on and on changing an object.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ktui.client.base import Client
from ktui.engine.manifests.apply import Applied, Outcome, Refused, Waiting, apply
from ktui.engine.manifests.drift import Baseline, DriftWatch
from ktui.engine.manifests.plan import Wanted, changed_fields, in_apply_order
from ktui.engine.manifests.record import Identity
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

_CONCURRENCY = 16
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
_DRIFT_QUIET_SECONDS = 600.0
_DRIFT_FREE = 3
"""Corrections made at once before each next one waits longer."""
_DRIFT_MOST_SECONDS = 60.0


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


class Objects:
    """Applies the objects that are due, and watches those that were applied for drift."""

    def __init__(
        self, client: Client, clock: Clock, wake: Callable[[], None], note: Callable[[str, str], None]
    ) -> None:
        self._client = client
        self._clock = clock
        self._wake = wake
        self._note = note
        """Gets a path and what was put back."""
        self._progress: dict[Identity, _Progress] = {}
        self._drift = DriftWatch(client, clock, self._on_drift)

    async def run(self) -> None:
        """Watch for drift until cancelled."""
        await self._drift.run()

    def outcome(self, identity: Identity) -> Outcome | None:
        """What came of the last attempt; None before the first."""
        progress = self._progress.get(identity)
        return progress.outcome if progress else None

    def is_due(self, item: Wanted) -> bool:
        progress = self._progress.get(item.identity)
        if progress is None or progress.digest != item.digest:
            return True
        return progress.due is not None and progress.due <= self._clock.monotonic()

    def start_over(self, identity: Identity) -> None:
        """Apply the object anew in the next pass, whatever came of it before."""
        self._progress.pop(identity, None)

    def forget(self, identity: Identity) -> None:
        """The object is no longer wanted."""
        self._progress.pop(identity, None)
        self._drift.forget(identity)

    def next_due(self) -> float | None:
        """The monotonic time of the next attempt."""
        return min(
            (progress.due for progress in self._progress.values() if progress.due is not None), default=None
        )

    async def apply(self, due: Sequence[Wanted]) -> None:
        """Apply what is due, in the order of what needs what; one that fails does not stop the others."""
        gate = asyncio.Semaphore(_CONCURRENCY)

        async def one(item: Wanted) -> None:
            async with gate:
                await self._apply_one(item)

        for batch in in_apply_order(due):
            async with asyncio.TaskGroup() as group:
                for item in batch:
                    group.create_task(one(item))

    async def _apply_one(self, item: Wanted) -> None:
        progress = self._progress.setdefault(item.identity, _Progress())
        try:
            before = await self._live(item) if progress.drifted else None
            outcome = await apply(self._client, item)
        except Exception as error:
            log.exception("manifests: applying %s from %s failed", item.identity, item.path)
            before, outcome = None, Waiting(f"{item.identity}: internal error ({type(error).__name__})")
        progress.digest, progress.outcome = item.digest, outcome
        match outcome:
            case Applied(obj):
                baseline = Baseline.of(obj, item.object)
                if before is not None and int(before["metadata"]["resourceVersion"]) != baseline.version:
                    if fields := changed_fields(before, obj):
                        self._note(item.path, f"{item.identity}: put back {', '.join(fields)}")
                elif progress.drifted and before is None:
                    self._note(item.path, f"{item.identity}: made again after it was deleted")
                progress.due, progress.attempts, progress.drifted = None, 0, False
                self._drift.expect(item.resource, item.identity, baseline)
            case Waiting():
                delay = _RETRY_SECONDS[min(progress.attempts, len(_RETRY_SECONDS) - 1)]
                progress.attempts += 1
                progress.due = self._clock.monotonic() + delay
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
            self._wake()
            return
        if now - progress.corrected_at > _DRIFT_QUIET_SECONDS:
            progress.corrections = 0
        over = progress.corrections - _DRIFT_FREE + 1
        wait = min(2.0**over, _DRIFT_MOST_SECONDS) if over > 0 else 0.0
        progress.drifted = True
        progress.corrections += 1
        progress.corrected_at = now
        progress.due = now + wait
        self._wake()
