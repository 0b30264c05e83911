"""Which pod is scheduled next: an active queue by priority and age, a back-off, and a pool of hopeless ones.

A pod that failed waits in the pool until an event that one of its refusing plugins cares about, or five
minutes; then it goes through its back-off (1 s doubling to 10 s) back to the active queue. Gated pods wait
for their gates. `pop` is the only thing that waits, on the injected clock.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ktui.engine.scheduler.events import EVERY_EVENT, ClusterEvent
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.kube.clock import Clock
from ktui.kube.resource import ObjectKey

INITIAL_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 10.0
MAX_UNSCHEDULABLE: Final = 300.0


@dataclass(slots=True, eq=False)
class QueuedPod:
    """A pod on its way through the queue. `plugins` are those that refused it last."""

    info: PodInfo
    since: float
    attempts: int = 0
    plugins: frozenset[str] = frozenset()
    gated_by: str = ""
    ticket: int = -1
    """The heap entry that counts; older ones of the same pod are stale and skipped."""
    missed: set[ClusterEvent] = field(default_factory=set[ClusterEvent])
    """What happened while it was being scheduled."""

    @property
    def backoff(self) -> float:
        """How long to wait after the last attempt (seconds)."""
        if not self.attempts:
            return 0.0
        return min(INITIAL_BACKOFF * 2 ** min(self.attempts - 1, 16), MAX_BACKOFF)


class SchedulingQueue:
    """See the module. `gate` gives the reason a pod must not be tried yet, or ""."""

    def __init__(
        self,
        clock: Clock,
        gate: Callable[[PodInfo], str],
        wakes_on: Mapping[str, frozenset[ClusterEvent]],
    ) -> None:
        self._clock = clock
        self._gate = gate
        self._wakes_on = wakes_on
        self._order = itertools.count()
        self._active: list[tuple[int, float, int, QueuedPod]] = []
        self._backoff: list[tuple[float, int, QueuedPod]] = []
        self._unschedulable: dict[ObjectKey, QueuedPod] = {}
        self._gated: dict[ObjectKey, QueuedPod] = {}
        self._in_flight: dict[ObjectKey, QueuedPod] = {}
        self._known: dict[ObjectKey, QueuedPod] = {}
        """Every pod waiting somewhere."""
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def pending(self) -> Mapping[str, int]:
        """How many pods wait where."""
        elsewhere = len(self._unschedulable) + len(self._gated)
        active = sum(entry.ticket == ticket for _, _, ticket, entry in self._active)
        return {
            "active": active,
            "backoff": len(self._known) - elsewhere - active,
            "unschedulable": len(self._unschedulable),
            "gated": len(self._gated),
        }

    def gated(self, key: ObjectKey) -> str:
        """Why the pod waits for its gates, or ""."""
        entry = self._gated.get(key)
        return entry.gated_by if entry is not None else ""

    def put(self, info: PodInfo) -> str:
        """Take in a new or changed pod; gives what gates it, or ""."""
        key = info.key
        flying = self._in_flight.get(key)
        if flying is not None and flying.info.uid == info.uid:
            flying.info = info
            return ""
        entry = self._known.get(key)
        if entry is None or entry.info.uid != info.uid:
            self.remove(key)
            return self._enter(QueuedPod(info, self._clock.monotonic()))
        changed = _matters(entry.info, info)
        reprioritized = entry.info.priority != info.priority
        entry.info = info
        if key in self._gated:
            gated_by = self._gate(info)
            if not gated_by:
                del self._gated[key]
                self._activate(entry)
            entry.gated_by = gated_by
            return gated_by
        if changed and self._unschedulable.pop(key, None) is not None:
            self._back_off(entry)
        elif reprioritized and key not in self._unschedulable:
            self._activate(entry)
        return ""

    def remove(self, key: ObjectKey) -> None:
        """The pod is gone or has a node."""
        entry = self._known.pop(key, None)
        if entry is not None:
            entry.ticket = -1
        self._unschedulable.pop(key, None)
        self._gated.pop(key, None)
        self._in_flight.pop(key, None)

    async def pop(self) -> QueuedPod:
        """The next pod to try, waiting for one. It is in flight until `done` or a `retry`."""
        while True:
            entry = self._next()
            if entry is not None:
                return entry
            await self._wait()

    def is_in_flight(self, entry: QueuedPod) -> bool:
        """Whether the pod is still being tried: it may have gone, or got a node, meanwhile."""
        return self._in_flight.get(entry.info.key) is entry

    def done(self, entry: QueuedPod) -> None:
        """The pod was placed (or must not be tried again)."""
        if self.is_in_flight(entry):
            del self._in_flight[entry.info.key]

    def retry(self, entry: QueuedPod, plugins: frozenset[str] = frozenset()) -> None:
        """The attempt failed: into the pool when plugins refused it, into the back-off on an error."""
        key = entry.info.key
        if not self.is_in_flight(entry):
            return
        del self._in_flight[key]
        entry.plugins = plugins
        entry.since = self._clock.monotonic()
        self._known[key] = entry
        if not plugins or any(self._cares(entry, event) for event in entry.missed):
            self._back_off(entry)
        else:
            self._unschedulable[key] = entry
        self._wake.set()

    def readmit(self, info: PodInfo, attempts: int) -> None:
        """Take back a pod whose binding failed."""
        if info.key not in self._known and info.key not in self._in_flight:
            entry = QueuedPod(info, self._clock.monotonic(), attempts)
            self._known[info.key] = entry
            self._back_off(entry)

    def move(self, event: ClusterEvent) -> None:
        """Something happened: pods refused by a plugin that cares are tried again."""
        for entry in self._in_flight.values():
            entry.missed.add(event)
        caring: dict[frozenset[str], bool] = {}
        moved: list[QueuedPod] = []
        for entry in self._unschedulable.values():
            cares = caring.get(entry.plugins)
            if cares is None:
                cares = caring[entry.plugins] = self._cares(entry, event)
            if cares:
                moved.append(entry)
        for entry in moved:
            del self._unschedulable[entry.info.key]
            self._back_off(entry)

    def _cares(self, entry: QueuedPod, event: ClusterEvent) -> bool:
        return any(event in self._wakes_on.get(plugin, EVERY_EVENT) for plugin in entry.plugins)

    def _enter(self, entry: QueuedPod) -> str:
        self._known[entry.info.key] = entry
        entry.gated_by = self._gate(entry.info)
        if entry.gated_by:
            self._gated[entry.info.key] = entry
        else:
            self._activate(entry)
        return entry.gated_by

    def _activate(self, entry: QueuedPod) -> None:
        entry.ticket = next(self._order)
        heapq.heappush(self._active, (-entry.info.priority, entry.since, entry.ticket, entry))
        self._wake.set()

    def _back_off(self, entry: QueuedPod) -> None:
        due = entry.since + entry.backoff
        if due <= self._clock.monotonic():
            self._activate(entry)
        else:
            entry.ticket = next(self._order)
            heapq.heappush(self._backoff, (due, entry.ticket, entry))
            self._wake.set()

    def _next(self) -> QueuedPod | None:
        self._flush()
        while self._active:
            _, _, ticket, entry = heapq.heappop(self._active)
            if entry.ticket != ticket:
                continue
            del self._known[entry.info.key]
            entry.ticket = -1
            entry.attempts += 1
            entry.missed.clear()
            self._in_flight[entry.info.key] = entry
            return entry
        return None

    def _flush(self) -> None:
        """Activate what has waited long enough."""
        now = self._clock.monotonic()
        while self._backoff and self._backoff[0][0] <= now:
            _, ticket, entry = heapq.heappop(self._backoff)
            if entry.ticket == ticket:
                self._activate(entry)
        while self._unschedulable:
            entry = next(iter(self._unschedulable.values()))
            if entry.since + MAX_UNSCHEDULABLE > now:
                break
            del self._unschedulable[entry.info.key]
            self._activate(entry)

    async def _wait(self) -> None:
        """Until something is put in or the next timer is due."""
        self._wake.clear()
        due = [self._backoff[0][0]] if self._backoff else []
        if self._unschedulable:
            due.append(next(iter(self._unschedulable.values())).since + MAX_UNSCHEDULABLE)
        if not due:
            await self._wake.wait()
            return
        waiters = (
            asyncio.ensure_future(self._wake.wait()),
            asyncio.ensure_future(self._clock.sleep(min(due) - self._clock.monotonic())),
        )
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()


def _matters(old: PodInfo, new: PodInfo) -> bool:
    """Whether a change of the pod itself (not of its status) could make it schedulable."""
    return old.labels != new.labels or old.spec != new.spec
