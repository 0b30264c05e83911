"""One scheduling cycle as a pure function: a pod and a snapshot in, a node or the reasons why not out.

Filters run in order on every node and stop at its first refusal; what is left is scored. Pods nominated to a
node (preemptors waiting for their victims to go) count as being there for pods of no higher priority.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ktui.engine.scheduler.framework import SKIP, Filter, Profile, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

MIN_FEASIBLE_NODES: Final = 100
MIN_FEASIBLE_PERCENT: Final = 5
NO_NODES: Final = "no nodes available to schedule pods"

Nominations = Mapping[str, Sequence[PodInfo]]
"""Node name to the pods nominated to run there."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A plugin's rejection of a node."""

    plugin: str
    rejection: Rejection


class PluginScores(NamedTuple):
    """What a plugin gave each feasible node, before its weight."""

    plugin: str
    weight: int
    scores: Sequence[int]


@dataclass(frozen=True, slots=True)
class Placement:
    """The node chosen among the feasible ones, with the scores (none when there was no choice)."""

    node: str
    feasible: Sequence[str]
    scores: Sequence[PluginScores]
    refused: Mapping[str, Refusal]


@dataclass(slots=True)
class Unfit:
    """No node can take the pod. `refused` says for each node which plugin spoke first and why."""

    nodes: int
    refused: dict[str, Refusal] = field(default_factory=dict[str, Refusal])
    everywhere: Refusal | None = None
    """Set when a pre-filter refused the pod before any node was looked at."""

    @property
    def plugins(self) -> frozenset[str]:
        """The plugins whose mind must change; their cluster events wake the pod."""
        refusals = [self.everywhere] if self.everywhere else list(self.refused.values())
        return frozenset(refusal.plugin for refusal in refusals)

    def message(self, preemption: str = "") -> str:
        """The summary Kubernetes gives: `0/3 nodes are available: 1 Insufficient cpu, 2 …`."""
        if not self.nodes:
            return NO_NODES
        if self.everywhere is not None:
            reasons = ", ".join(self.everywhere.rejection.reasons)
        else:
            reasons = histogram(refusal.rejection.reasons for refusal in self.refused.values())
        return fit_message(self.nodes, reasons, preemption)


def fit_message(nodes: int, reasons: str, preemption: str = "") -> str:
    """`0/N nodes are available: reasons.`, with what preemption had to say behind it."""
    message = f"0/{nodes} nodes are available:"
    if reasons:
        message += f" {reasons}."
    return f"{message} {preemption}" if preemption else message


def histogram(reasons: Iterable[Sequence[str]]) -> str:
    """`1 Insufficient cpu, 2 node(s) were unschedulable`, in the order of the text as Kubernetes sorts it."""
    counts = Counter(reason for group in reasons for reason in group)
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))


class Algorithm:
    """Holds the plugins, and where the last round over the nodes stopped so that the next goes on there."""

    def __init__(self, profile: Profile, chance: random.Random) -> None:
        self.profile = profile
        self._chance = chance
        self._next_node = 0

    def schedule(
        self, pod: PodInfo, snapshot: Snapshot, nominations: Nominations, nominated: str = ""
    ) -> Placement | Unfit:
        """Find the pod a node: the one it is `nominated` to if it fits there, or else the best."""
        names = list(snapshot.nodes)
        if not names:
            return Unfit(0)
        prepared = self._pre_filter(pod, snapshot)
        if isinstance(prepared, Refusal):
            return Unfit(len(names), everywhere=prepared)
        node = snapshot.nodes.get(nominated)
        if node is not None and not self._fits(pod, node, snapshot, prepared, nominations.get(nominated, ())):
            return Placement(nominated, (nominated,), (), {})
        wanted = feasible_wanted(len(names))
        refused: dict[str, Refusal] = {}
        feasible: list[NodeInfo] = []
        start = self._next_node % len(names)
        looked_at = 0
        for name in (*names[start:], *names[:start]):
            node = snapshot.nodes[name]
            looked_at += 1
            if nominations and name in nominations:
                refusal = self._fits(pod, node, snapshot, prepared, nominations[name])
            else:
                refusal = _first_refusal(prepared, pod, node)
            if refusal is not None:
                refused[name] = refusal
                continue
            feasible.append(node)
            if len(feasible) >= wanted:
                break
        self._next_node = (start + looked_at) % len(names)
        if not feasible:
            return Unfit(len(names), {name: refused[name] for name in names})
        return self._choose(pod, feasible, snapshot, refused)

    def refusal(
        self, pod: PodInfo, node: NodeInfo, snapshot: Snapshot, nominated: Sequence[PodInfo]
    ) -> Refusal | None:
        """Why the pod could not run on `node` as given (which need not be the snapshot's); None if it could."""
        snapshot = snapshot.replacing(node)
        prepared = self._pre_filter(pod, snapshot)
        if isinstance(prepared, Refusal):
            return prepared
        return self._fits(pod, node, snapshot, prepared, nominated)

    def verdicts(
        self, pod: PodInfo, names: Sequence[str], snapshot: Snapshot
    ) -> dict[str, Sequence[Refusal]]:
        """Every filter's refusal of each node, not only the first: for the record of a failure."""
        prepared = self._pre_filter(pod, snapshot)
        if isinstance(prepared, Refusal):
            return dict.fromkeys(names, (prepared,))
        return {name: tuple(_refusals(prepared, pod, snapshot.nodes[name])) for name in names}

    def _pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> list[tuple[Filter, Any]] | Refusal:
        """The filters that have a say, each with its state."""
        prepared: list[tuple[Filter, Any]] = []
        for plugin in self.profile.filters:
            pre_filter = self.profile.pre_filters.get(plugin.name)
            state = None if pre_filter is None else pre_filter.pre_filter(pod, snapshot)
            if state is SKIP:
                continue
            if isinstance(state, Rejection):
                return Refusal(plugin.name, state)
            prepared.append((plugin, state))
        return prepared

    def _fits(
        self,
        pod: PodInfo,
        node: NodeInfo,
        snapshot: Snapshot,
        prepared: list[tuple[Filter, Any]],
        nominated: Sequence[PodInfo],
    ) -> Refusal | None:
        ahead = [p for p in nominated if p.priority >= pod.priority and p.uid != pod.uid]
        if ahead:
            crowded = node.copy()
            for other in ahead:
                crowded.add(other)
            again = self._pre_filter(pod, snapshot.replacing(crowded))
            refusal = again if isinstance(again, Refusal) else _first_refusal(again, pod, crowded)
            if refusal is not None:
                return refusal
        return _first_refusal(prepared, pod, node)

    def _choose(
        self, pod: PodInfo, feasible: list[NodeInfo], snapshot: Snapshot, refused: dict[str, Refusal]
    ) -> Placement:
        names = tuple(node.name for node in feasible)
        if len(feasible) == 1:
            return Placement(names[0], names, (), refused)
        totals = [0] * len(feasible)
        given: list[PluginScores] = []
        for plugin in self.profile.scorers:
            scores = plugin.score(pod, feasible, snapshot)
            if scores is not None:
                given.append(PluginScores(plugin.name, plugin.weight, scores))
                totals = [total + plugin.weight * score for total, score in zip(totals, scores, strict=True)]
        best = max(totals)
        chosen = self._chance.choice([i for i, total in enumerate(totals) if total == best])
        return Placement(names[chosen], names, given, refused)


def feasible_wanted(nodes: int) -> int:
    """How many feasible nodes are enough to score: all up to 100, then a share that shrinks to 5 %."""
    if nodes < MIN_FEASIBLE_NODES:
        return nodes
    percent = max(50 - nodes // 125, MIN_FEASIBLE_PERCENT)
    return max(nodes * percent // 100, MIN_FEASIBLE_NODES)


def _first_refusal(prepared: Sequence[tuple[Filter, Any]], pod: PodInfo, node: NodeInfo) -> Refusal | None:
    for plugin, state in prepared:
        rejection = plugin.filter(state, pod, node)
        if rejection is not None:
            return Refusal(plugin.name, rejection)
    return None


def _refusals(prepared: Sequence[tuple[Filter, Any]], pod: PodInfo, node: NodeInfo) -> Iterator[Refusal]:
    for plugin, state in prepared:
        rejection = plugin.filter(state, pod, node)
        if rejection is not None:
            yield Refusal(plugin.name, rejection)
