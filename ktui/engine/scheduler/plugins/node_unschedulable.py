"""NodeUnschedulable: a cordoned node takes only pods that tolerate `node.kubernetes.io/unschedulable`."""

from __future__ import annotations

from typing import Any, Final

from lightkube.models.core_v1 import Taint

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.kube.tolerations import tolerates

_CORDON: Final = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
_UNSCHEDULABLE: Final = Rejection(("node(s) were unschedulable",), resolvable=False)


class NodeUnschedulable:
    """Reads `spec.unschedulable` of the node."""

    name = "NodeUnschedulable"
    wakes_on = frozenset((ClusterEvent.NODE_ADDED, ClusterEvent.NODE_TAINTS))

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        if not node.unschedulable or tolerates(pod.tolerations, _CORDON):
            return None
        return _UNSCHEDULABLE
