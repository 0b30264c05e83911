"""NodeAffinity: `nodeSelector` and required node affinity refuse nodes, preferred affinity ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import SKIP, Rejection, normalized
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.kube.node_selector import preferred_nodes, required_nodes

_NO_MATCH: Final = Rejection(("node(s) didn't match Pod's node affinity/selector",), resolvable=False)


class NodeAffinity:
    """State: the parsed requirements."""

    name = "NodeAffinity"
    weight = 2
    wakes_on = frozenset((ClusterEvent.NODE_ADDED, ClusterEvent.NODE_LABELS))

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        return required_nodes(pod.spec) or SKIP

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        return None if state.matches(node) else _NO_MATCH

    def score(self, pod: PodInfo, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
        terms = preferred_nodes(pod.spec)
        if not terms:
            return None
        return normalized([sum(term.weight for term in terms if term.matches(node)) for node in nodes])
