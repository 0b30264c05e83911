"""NodeName: a pod that names its node in the spec goes there and nowhere else."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

_OTHER_NODE: Final = Rejection(("node(s) didn't match the requested node name",), resolvable=False)


class NodeName:
    """Compares `spec.nodeName`."""

    name = "NodeName"
    wakes_on = frozenset((ClusterEvent.NODE_ADDED,))

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        return pod.spec.nodeName or SKIP

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        return None if state == node.name else _OTHER_NODE
