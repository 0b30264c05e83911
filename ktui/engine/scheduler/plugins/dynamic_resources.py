"""DynamicResources: a pod that claims devices runs only where they are allocated to it. ktui's nodes have no drivers
of devices, so that no node has any: such a pod stays pending instead of running without what it needs."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

_NOT_ALLOCATED: Final = Rejection(("cannot allocate all claims",), resolvable=False)


class DynamicResources:
    """Reads `spec.resourceClaims`."""

    name = "DynamicResources"
    wakes_on = frozenset((ClusterEvent.NODE_ADDED,))

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        return None if pod.spec.resourceClaims else SKIP

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        return _NOT_ALLOCATED
