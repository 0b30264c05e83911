"""InterPodAffinity: pods that want to be near, or far from, other pods, over any topology of nodes.

Required terms count both ways: what the pod asks of those that run, and what running pods' anti-affinity
forbids the newcomer. Preferred terms (of both sides) only rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import MAX_SCORE, SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import AffinityTerm, PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

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
        for node in snapshot.nodes.values():
            if pod.affinity and (count := _matching(node, pod.affinity, namespaces)):
                for term in pod.affinity:
                    _weigh(affinity, node, term.topology_key, count)
            for term in pod.anti_affinity:
                if count := _matching(node, (term,), namespaces):
                    _weigh(anti_affinity, node, term.topology_key, count)
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
        liked: dict[AffinityTerm, bool] = {}
        for node in snapshot.nodes.values():
            for term, weight in pod.preferences:
                if count := _matching(node, (term,), namespaces):
                    _weigh(worth, node, term.topology_key, weight * count)
            for (term, weight), count in node.preferences.items():
                if term not in liked:
                    liked[term] = term.matches(pod, namespaces)
                if liked[term]:
                    _weigh(worth, node, term.topology_key, weight * count)
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
    meets: dict[AffinityTerm, bool] = {}
    for node in snapshot.nodes.values():
        for term, count in node.repelling.items():
            if term not in meets:
                meets[term] = term.matches(pod, snapshot.namespaces)
            if meets[term]:
                _weigh(found, node, term.topology_key, count)
    return found


def _matching(node: NodeInfo, terms: Sequence[AffinityTerm], namespaces: _Namespaces) -> int:
    """How many pods on a node meet all of the terms."""
    if any(term.namespace_selector is not None for term in terms):
        return _count(node, terms, namespaces)  # Labels of namespaces change without the node's noticing.
    return node.remembered(tuple(terms), partial(_count, node, terms, namespaces))


def _count(node: NodeInfo, terms: Sequence[AffinityTerm], namespaces: _Namespaces) -> int:
    return sum(all(term.matches(other, namespaces) for term in terms) for other in node.pods.values())


def _attracted(pod: PodInfo, node: NodeInfo, counts: _Counts) -> bool:
    there = True
    for term in pod.affinity:
        if term.topology_key not in node.labels:
            return False
        there = there and counts.affinity[term.topology_key, node.labels[term.topology_key]] > 0
    return there or counts.starts_group


def _weigh(domains: Domains, node: NodeInfo, key: str, weight: int) -> None:
    value = node.labels.get(key)
    if value is not None:
        domains[key, value] += weight
