"""PodTopologySpread: keeps like pods evenly spread over zones, hosts or any other topology.

`DoNotSchedule` constraints refuse nodes, `ScheduleAnyway` ones rank them. A pod of a controller that has no
constraints of its own is spread over hosts and zones as Kubernetes does by default; its siblings are the pods
of the same controller.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from lightkube.models.core_v1 import TopologySpreadConstraint

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import MAX_SCORE, SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo, pod_selector
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.kube.node_selector import RequiredNodes, required_nodes
from ktui.kube.selector import Selector
from ktui.kube.tolerations import untolerated

_HOST: Final = "kubernetes.io/hostname"
_ZONE: Final = "topology.kubernetes.io/zone"
_HARD_TAINTS: Final = frozenset(("NoSchedule", "NoExecute"))
_UNEVEN: Final = Rejection(("node(s) didn't match pod topology spread constraints",))
_NO_LABEL: Final = Rejection(
    ("node(s) didn't match pod topology spread constraints (missing required label)",), resolvable=False
)


@dataclass(frozen=True, slots=True)
class _Constraint:
    """A parsed constraint. Without a selector it counts the pods of the incoming pod's controller."""

    key: str
    max_skew: int
    selector: Selector | None
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False

    def counts_node(self, pod: PodInfo, node: NodeInfo, required: RequiredNodes | None) -> bool:
        """Whether the pods on a node count towards the spread."""
        if self.honors_affinity and required is not None and not required.matches(node):
            return False
        return not (self.honors_taints and untolerated(pod.tolerations, node.taints, _HARD_TAINTS))

    def count(self, pod: PodInfo, node: NodeInfo) -> int:
        """How many of the pods it is about are on a node; those on their way out don't count."""
        if self.selector is None:
            return node.controllers[pod.controller]
        namespace, selector = pod.key.namespace, self.selector
        return node.remembered((namespace, selector), partial(_matching, node, namespace, selector))


def _matching(node: NodeInfo, namespace: str, selector: Selector) -> int:
    return sum(
        other.key.namespace == namespace and not other.terminating and selector.matches(other.labels)
        for other in node.pods.values()
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """A hard constraint with the pods counted in each domain and the least of them."""

    constraint: _Constraint
    domains: Counter[str]
    least: int
    itself: int
    """1 when the pod counts itself."""


class PodTopologySpread:
    """State: the spread of each hard constraint."""

    name = "PodTopologySpread"
    weight = 2
    wakes_on = frozenset(
        (
            ClusterEvent.NODE_ADDED,
            ClusterEvent.NODE_LABELS,
            ClusterEvent.NODE_TAINTS,
            ClusterEvent.POD_PLACED,
            ClusterEvent.POD_LABELS,
            ClusterEvent.POD_RELEASED,
        )
    )

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        constraints = _constraints(pod, "DoNotSchedule")
        if not constraints:
            return SKIP
        required = required_nodes(pod.spec)
        keys = [constraint.key for constraint in constraints]
        nodes = [node for node in snapshot.nodes.values() if all(key in node.labels for key in keys)]
        return [_spread(constraint, pod, nodes, required) for constraint in constraints]

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        spreads: list[_Spread] = state
        for spread in spreads:
            value = node.labels.get(spread.constraint.key)
            if value is None:
                return _NO_LABEL
            if spread.domains[value] + spread.itself - spread.least > spread.constraint.max_skew:
                return _UNEVEN
        return None

    def score(self, pod: PodInfo, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
        own = bool(pod.spec.topologySpreadConstraints)
        constraints = _constraints(pod, "ScheduleAnyway") if own else _defaults(pod)
        if not constraints:
            return None
        keys = [constraint.key for constraint in constraints]
        ignored = [own and not all(key in node.labels for key in keys) for node in nodes]
        required = required_nodes(pod.spec)
        raw = [0.0] * len(nodes)
        for constraint in constraints:
            candidates = [node for node, out in zip(nodes, ignored, strict=True) if not out]
            values = {node.labels[constraint.key] for node in candidates if constraint.key in node.labels}
            if not values:
                continue
            size = len(candidates) if constraint.key == _HOST else len(values)
            counts = _counted(constraint, pod, snapshot, required, values, keys if own else ())
            for i, node in enumerate(nodes):
                value = node.labels.get(constraint.key)
                if value is not None and not ignored[i]:
                    raw[i] += counts[value] * math.log(size + 2) + constraint.max_skew - 1
        return _spread_scores([round(value) for value in raw], ignored)


def _constraints(pod: PodInfo, when_unsatisfiable: str) -> list[_Constraint]:
    found = pod.spec.topologySpreadConstraints or ()
    return [_parse(pod, c) for c in found if c.whenUnsatisfiable == when_unsatisfiable]


def _parse(pod: PodInfo, constraint: TopologySpreadConstraint) -> _Constraint:
    return _Constraint(
        key=constraint.topologyKey,
        max_skew=constraint.maxSkew,
        selector=pod_selector(constraint.labelSelector, pod.labels, constraint.matchLabelKeys),
        min_domains=constraint.minDomains or 1,
        honors_affinity=(constraint.nodeAffinityPolicy or "Honor") == "Honor",
        honors_taints=constraint.nodeTaintsPolicy == "Honor",
    )


def _defaults(pod: PodInfo) -> list[_Constraint]:
    if not pod.controller:
        return []
    return [_Constraint(_HOST, 3, None), _Constraint(_ZONE, 5, None)]


def _spread(
    constraint: _Constraint, pod: PodInfo, nodes: Sequence[NodeInfo], required: RequiredNodes | None
) -> _Spread:
    domains: Counter[str] = Counter()
    for node in nodes:
        if constraint.counts_node(pod, node, required):
            domains[node.labels[constraint.key]] += constraint.count(pod, node)
    # Without any domain there is nothing to be uneven with, and the node itself lacks a label or is refused
    # by the affinity or taint that keeps it out of the count.
    least = 0 if len(domains) < constraint.min_domains else min(domains.values())
    itself = constraint.selector is not None and constraint.selector.matches(pod.labels)
    return _Spread(constraint, domains, least, int(itself))


def _counted(
    constraint: _Constraint,
    pod: PodInfo,
    snapshot: Snapshot,
    required: RequiredNodes | None,
    values: set[str],
    keys: Sequence[str],
) -> Counter[str]:
    """Pods in each of the domains the candidates are in; `keys` must all be on a node for it to count."""
    counts: Counter[str] = Counter()
    for node in snapshot.nodes.values():
        value = node.labels.get(constraint.key)
        if value not in values or not all(key in node.labels for key in keys):
            continue
        if constraint.counts_node(pod, node, required):
            counts[value] += constraint.count(pod, node)
    return counts


def _spread_scores(raw: Sequence[int], ignored: Sequence[bool]) -> list[int]:
    """Fewer pods are better; ignored nodes get nothing."""
    counted = [value for value, out in zip(raw, ignored, strict=True) if not out]
    least, most = min(counted, default=0), max(counted, default=0)
    return [
        0 if out else MAX_SCORE if most == 0 else MAX_SCORE * (most + least - value) // most
        for value, out in zip(raw, ignored, strict=True)
    ]
