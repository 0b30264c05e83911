"""VolumeRestrictions: a claim with access mode ReadWriteOncePod is one pod's alone, in the whole cluster."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.kube.data import section, strings
from ktui.kube.resource import ObjectKey

_IN_USE: Final = Rejection(
    (
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by "
        "another pod",
    )
)


class VolumeRestrictions:
    """State: True, when the pod wants a claim that is another's; evicting that one would help."""

    name = "VolumeRestrictions"
    wakes_on = frozenset((ClusterEvent.POD_RELEASED, ClusterEvent.CLAIM))

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        exclusive = {used.name for used in pod.claims if _is_exclusive(pod, used.name, snapshot)}
        if not exclusive:
            return SKIP
        others = (other for node in snapshot.nodes.values() for other in node.pods.values() if other.claims)
        taken = any(
            used.name in exclusive
            for other in others
            if other.key.namespace == pod.key.namespace and other.uid != pod.uid
            for used in other.claims
        )
        return taken or SKIP

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        return _IN_USE


def _is_exclusive(pod: PodInfo, name: str, snapshot: Snapshot) -> bool:
    claim = snapshot.volumes.claim(ObjectKey(pod.key.namespace, name))
    return claim is not None and "ReadWriteOncePod" in strings(section(claim, "spec"), "accessModes")
