"""TaintToleration: keeps pods off nodes whose taints they don't tolerate, and prefers untainted ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import MAX_SCORE, Rejection, normalized
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.kube.tolerations import tolerates, untolerated

_HARD: Final = frozenset(("NoSchedule", "NoExecute"))
_TAINTED: Final = Rejection(("node(s) had untolerated taint(s)",), resolvable=False)


class TaintToleration:
    """NoSchedule and NoExecute refuse, PreferNoSchedule costs score."""

    name = "TaintToleration"
    weight = 3
    wakes_on = frozenset((ClusterEvent.NODE_ADDED, ClusterEvent.NODE_TAINTS))

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        if node.taints and untolerated(pod.tolerations, node.taints, _HARD) is not None:
            return _TAINTED
        return None

    def score(self, pod: PodInfo, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
        if not any(node.taints for node in nodes):
            return [MAX_SCORE] * len(nodes)
        relevant = [t for t in pod.tolerations if not t.effect or t.effect == "PreferNoSchedule"]
        intolerable = [
            sum(t.effect == "PreferNoSchedule" and not tolerates(relevant, t) for t in node.taints)
            for node in nodes
        ]
        return normalized(intolerable, reverse=True)
