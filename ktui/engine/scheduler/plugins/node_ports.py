"""NodePorts: two pods can't have the same host port (of one address and protocol) on one node."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

_TAKEN: Final = Rejection(("node(s) didn't have free ports for the requested pod ports",))


class NodePorts:
    """State: the host ports the pod wants."""

    name = "NodePorts"
    wakes_on = frozenset((ClusterEvent.NODE_ADDED, ClusterEvent.POD_RELEASED))

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        return pod.host_ports or SKIP

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        for other in node.pods_with_ports.values():
            if any(port.conflicts(wanted) for port in other.host_ports for wanted in state):
                return _TAKEN
        return None
