"""VolumeZone: a bound volume that is labelled with its zones and regions is used in them only."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import SKIP, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.kube.data import mapping, section, string
from ktui.kube.resource import ObjectKey

_CURRENT: Final = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
"""What the labels of old are called now."""
_LABELS: Final = (*_CURRENT, *_CURRENT.values())
_SEPARATOR: Final = "__"
"""Between the zones of a volume that is in several."""
_ELSEWHERE: Final = Rejection(("node(s) had no available volume zone",), resolvable=False)


class VolumeZone:
    """State: the labels of the pod's volumes, each with the values that will do."""

    name = "VolumeZone"
    wakes_on = frozenset(
        (ClusterEvent.NODE_ADDED, ClusterEvent.NODE_LABELS, ClusterEvent.CLAIM, ClusterEvent.VOLUME)
    )

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        asked: list[tuple[str, frozenset[str]]] = []
        for used in pod.claims:
            claim = snapshot.volumes.claim(ObjectKey(pod.key.namespace, used.name))
            name = string(section(claim, "spec"), "volumeName") if claim is not None else ""
            volume = snapshot.volumes.volume(name) if name else None
            labels = mapping(section(volume, "metadata"), "labels") if volume is not None else {}
            asked += [
                (label, frozenset(labels[label].split(_SEPARATOR))) for label in _LABELS if label in labels
            ]
        return asked or SKIP

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        if not any(label in node.labels for label in _LABELS):
            return None  # A cluster without zones.
        for label, values in state:
            if node.labels.get(label, node.labels.get(_CURRENT.get(label, ""), "")) not in values:
                return _ELSEWHERE
        return None
