"""VolumeBinding: a pod's claims must have their volumes, or be able to get them, where the pod goes."""

from __future__ import annotations

from typing import Any

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.engine.scheduler.volume_plan import VolumePlan, plan_volumes, read_claims


class VolumeBinding:
    """State: the pod's claims, and the volumes as of this cycle."""

    name = "VolumeBinding"
    wakes_on = frozenset(
        (
            ClusterEvent.NODE_ADDED,
            ClusterEvent.NODE_LABELS,
            ClusterEvent.CLAIM,
            ClusterEvent.VOLUME,
            ClusterEvent.STORAGE_CLASS,
            ClusterEvent.STORAGE_DRIVER,
            ClusterEvent.STORAGE_CAPACITY,
        )
    )

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        if not pod.claims:
            return SKIP
        claims = read_claims(pod, snapshot.volumes)
        if isinstance(claims, str):
            return Rejection((claims,), resolvable=False)
        return claims, snapshot.volumes

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        claims, volumes = state
        plan = plan_volumes(claims, node, volumes)
        return None if isinstance(plan, VolumePlan) else Rejection(tuple(plan), resolvable=False)
