"""Making room: which pods of lower priority would have to go, on which node, for a pod that fits nowhere.

A dry run: on a copy of each node where eviction could help, all less important pods are taken off; if the pod
fits then, they are put back one by one, those first that a disruption budget protects, then the most important,
as long as it still fits. The rest are the node's victims. The node whose victims are missed least is chosen.
Nothing is evicted here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from lightkube.models.core_v1 import Pod

from ktui.engine.scheduler.algorithm import Algorithm, Nominations, Refusal, Unfit, fit_message, histogram
from ktui.engine.scheduler.budgets import Budgets
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.kube.resource import ObjectKey

NOT_HELPFUL: Final = "Preemption is not helpful for scheduling"
NO_VICTIMS: Final = "No preemption victims found for incoming pod"
NEVER: Final = "preemption: not eligible due to preemptionPolicy=Never."
WAITING: Final = "preemption: not eligible due to a terminating pod on the nominated node."

_MIN_CANDIDATES: Final = 100
_PRIORITY_OFFSET: Final = 2**31
"""Added to each victim's priority so that a sum grows with their number, also of negative ones."""
_NOT_STARTED: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Room:
    """The outcome: a node and the pods to evict from it, or the message that says why there is none."""

    node: str = ""
    victims: Sequence[PodInfo] = ()
    message: str = ""
    keeps_nomination: bool = False
    """Whether the pod goes on waiting for the node it is nominated to."""


class _Victims(NamedTuple):
    """Who would have to go, and how many of them a budget protects."""

    pods: Sequence[PodInfo]
    protected: int


@dataclass(slots=True)
class _Search:
    candidates: list[tuple[str, _Victims]] = field(default_factory=list[tuple[str, _Victims]])
    reasons: dict[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


class Preemption:
    """`latest` gives a pod as the API last showed it: start times come after a pod was counted."""

    def __init__(
        self,
        algorithm: Algorithm,
        latest: Callable[[ObjectKey], Pod | None],
        budgets: Callable[[], Budgets] = Budgets,
    ) -> None:
        self._algorithm = algorithm
        self._latest = latest
        self._budgets = budgets

    async def make_room(
        self, pod: PodInfo, unfit: Unfit, snapshot: Snapshot, nominations: Nominations, nominated: str
    ) -> Room:
        """Find the best node to preempt on. Yields to the loop between trials."""
        if pod.spec.preemptionPolicy == "Never":
            return Room(message=NEVER)
        if self._is_waiting(pod, unfit, snapshot, nominated):
            return Room(message=WAITING, keeps_nomination=True)
        helped = [] if unfit.everywhere else [n for n, r in unfit.refused.items() if r.rejection.resolvable]
        search = await self._search(pod, helped, snapshot, nominations)
        if not search.candidates:
            reasons = histogram(search.reasons.get(name, (NOT_HELPFUL,)) for name in snapshot.nodes)
            return Room(message=f"preemption: {fit_message(unfit.nodes, reasons)}")
        node, victims = min(search.candidates, key=lambda candidate: self._cost(candidate[1]))
        return Room(node, victims.pods)

    def _is_waiting(self, pod: PodInfo, unfit: Unfit, snapshot: Snapshot, nominated: str) -> bool:
        """Whether victims on the pod's nominated node are still on their way out."""
        node = snapshot.nodes.get(nominated)
        if node is None:
            return False
        refusal: Refusal | None = unfit.everywhere or unfit.refused.get(nominated)
        if refusal is not None and not refusal.rejection.resolvable:
            return False
        return any(other.terminating and other.priority < pod.priority for other in node.pods.values())

    async def _search(
        self, pod: PodInfo, names: Sequence[str], snapshot: Snapshot, nominations: Nominations
    ) -> _Search:
        search = _Search()
        budgets = self._budgets()
        enough = max(len(names) // 10, _MIN_CANDIDATES)
        for name in names:
            node = snapshot.nodes.get(name)
            if node is None:
                continue  # It went away while others were looked at.
            found = self._victims(pod, node, snapshot, nominations.get(name, ()), budgets)
            if isinstance(found, Refusal):
                search.reasons[name] = found.rejection.reasons
            elif found.pods:
                search.candidates.append((name, found))
                if len(search.candidates) >= enough:
                    break
            else:
                search.reasons[name] = (NO_VICTIMS,)
                continue
            await asyncio.sleep(0)
        return search

    def _victims(
        self,
        pod: PodInfo,
        node: NodeInfo,
        snapshot: Snapshot,
        nominated: Sequence[PodInfo],
        budgets: Budgets,
    ) -> _Victims | Refusal:
        """The pods to evict from a node; none when there is nobody less important, or why that won't help."""
        lesser = [other for other in node.pods.values() if other.priority < pod.priority]
        if not lesser:
            return _Victims((), 0)
        trial = node.copy()
        for other in lesser:
            trial.remove(other.key)
        refusal = self._algorithm.refusal(pod, trial, snapshot, nominated)
        if refusal is not None:
            return refusal
        ordered = sorted(lesser, key=self._importance, reverse=True)
        protected = budgets.protected(ordered)
        victims: list[PodInfo] = []
        for other in sorted(ordered, key=lambda each: each.uid not in protected):
            trial.add(other)
            if self._algorithm.refusal(pod, trial, snapshot, nominated) is not None:
                trial.remove(other.key)
                victims.append(other)
        victims.sort(key=self._importance, reverse=True)
        return _Victims(victims, sum(other.uid in protected for other in victims))

    def _importance(self, pod: PodInfo) -> tuple[int, float]:
        """Higher priority first, then the longer running."""
        return pod.priority, -self._started(pod)

    def _cost(self, found: _Victims) -> tuple[int, int, int, int, float]:
        """The fewest broken budgets, then the lowest top priority, the lowest sum, the fewest pods, and of the top
        ones the latest started."""
        victims = found.pods
        top = max(victim.priority for victim in victims)
        total = sum(victim.priority + _PRIORITY_OFFSET for victim in victims)
        earliest = min(self._started(victim) for victim in victims if victim.priority == top)
        return found.protected, top, total, len(victims), -earliest

    def _started(self, info: PodInfo) -> float:
        pod = self._latest(info.key) or info.pod
        started = pod.status.startTime if pod.status is not None else None
        return (started or _NOT_STARTED).timestamp()
