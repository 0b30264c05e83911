"""InterPodAffinity: pods that want to be near, or far from, other pods, over any topology of nodes.

Required terms count both ways: what the pod asks of those that run, and what running pods' anti-affinity
forbids the newcomer. Preferred terms (of both sides) only rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import MAX_SCORE, SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import AffinityTerm, PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

HARD_AFFINITY_WEIGHT: Final = 1
"""What a running pod's required affinity to the newcomer is worth when ranking."""

_AFFINITY: Final = Rejection(("node(s) didn't match pod affinity rules",), resolvable=False)
_ANTI_AFFINITY: Final = Rejection(("node(s) didn't match pod anti-affinity rules",))
_EXISTING: Final = Rejection(("node(s) didn't satisfy existing pods anti-affinity rules",))

Domains: TypeAlias = "Counter[tuple[str, str]]"
"""How many pods there are in each (topology key, value)."""
_Namespaces: TypeAlias = "Mapping[str, Mapping[str, str]]"


@dataclass(frozen=True, slots=True)
class _Counts:
    affinity: Domains
    anti_affinity: Domains
    existing: Domains
    starts_group: bool
    """Whether the pod matches its own affinity: then the first of a group may go anywhere."""


class InterPodAffinity:
    """State: pods counted per topology domain."""

    name = "InterPodAffinity"
    weight = 2
    wakes_on = frozenset(
        (
            ClusterEvent.NODE_ADDED,
            ClusterEvent.NODE_LABELS,
            ClusterEvent.POD_PLACED,
            ClusterEvent.POD_LABELS,
            ClusterEvent.POD_RELEASED,
            ClusterEvent.NAMESPACE_LABELS,
        )
    )

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        existing = _forbidden(pod, snapshot)
        if not (existing or pod.affinity or pod.anti_affinity):
            return SKIP
        affinity: Domains = Counter()
        anti_affinity: Domains = Counter()
        namespaces = snapshot.namespaces
        if pod.affinity or pod.anti_affinity:
            for node in snapshot.nodes.values():
                for other in node.pods.values():
                    if pod.affinity and all(term.matches(other, namespaces) for term in pod.affinity):
                        _count(affinity, pod.affinity, node)
                    if pod.anti_affinity:
                        met = [term for term in pod.anti_affinity if term.matches(other, namespaces)]
                        _count(anti_affinity, met, node)
        alone = not affinity and all(term.matches(pod, namespaces) for term in pod.affinity)
        return _Counts(affinity, anti_affinity, existing, starts_group=alone)

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        counts: _Counts = state
        if pod.affinity and not _attracted(pod, node, counts):
            return _AFFINITY
        for term in pod.anti_affinity:
            domain = (term.topology_key, node.labels.get(term.topology_key, ""))
            if term.topology_key in node.labels and counts.anti_affinity[domain]:
                return _ANTI_AFFINITY
        if counts.existing and any(counts.existing[domain] for domain in node.labels.items()):
            return _EXISTING
        return None

    def score(self, pod: PodInfo, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
        worth: Domains = Counter()
        namespaces = snapshot.namespaces
        has_preferences = bool(pod.preferred_affinity or pod.preferred_anti_affinity)
        for node in snapshot.nodes.values():
            if has_preferences:
                for other in node.pods.values():
                    _add(worth, node, pod.preferred_affinity, other, namespaces, 1)
                    _add(worth, node, pod.preferred_anti_affinity, other, namespaces, -1)
            for other in node.pods_with_affinity.values():
                for term in other.affinity:
                    if term.matches(pod, namespaces):
                        _weigh(worth, node, term.topology_key, HARD_AFFINITY_WEIGHT)
                _add(worth, node, other.preferred_affinity, pod, namespaces, 1)
                _add(worth, node, other.preferred_anti_affinity, pod, namespaces, -1)
        if not worth:
            return None
        keys = {key for key, _ in worth}
        sums = [sum(worth[key, node.labels[key]] for key in keys if key in node.labels) for node in nodes]
        least, most = min(sums), max(sums)
        if least == most:
            return [0] * len(sums)
        return [MAX_SCORE * (value - least) // (most - least) for value in sums]


def _forbidden(pod: PodInfo, snapshot: Snapshot) -> Domains:
    """The domains from which running pods' required anti-affinity keeps this pod."""
    found: Domains = Counter()
    for node in snapshot.nodes.values():
        for other in node.pods_with_anti_affinity.values():
            met = [term for term in other.anti_affinity if term.matches(pod, snapshot.namespaces)]
            _count(found, met, node)
    return found


def _attracted(pod: PodInfo, node: NodeInfo, counts: _Counts) -> bool:
    there = True
    for term in pod.affinity:
        if term.topology_key not in node.labels:
            return False
        there = there and counts.affinity[term.topology_key, node.labels[term.topology_key]] > 0
    return there or counts.starts_group


def _count(domains: Domains, terms: Iterable[AffinityTerm], node: NodeInfo) -> None:
    for term in terms:
        _weigh(domains, node, term.topology_key, 1)


def _add(
    worth: Domains,
    node: NodeInfo,
    terms: Iterable[AffinityTerm],
    other: PodInfo,
    namespaces: _Namespaces,
    sign: int,
) -> None:
    for term in terms:
        if term.matches(other, namespaces):
            _weigh(worth, node, term.topology_key, sign * term.weight)


def _weigh(domains: Domains, node: NodeInfo, key: str, weight: int) -> None:
    value = node.labels.get(key)
    if value is not None:
        domains[key, value] += weight
