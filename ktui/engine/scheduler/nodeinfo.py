"""A node with the pods on it, summed up so that a filter answers without walking the pods.

The cache adds and removes pods as they come and go; preemption works on a `copy`. Amounts are those of
`resources`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# (lightkube-models types maps as a bare dict)

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from lightkube.models.core_v1 import Node, Taint

from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.resources import CPU, MEMORY, PODS, Amounts, amounts
from ktui.kube.resource import ObjectKey

_NO_LABELS: Final[Mapping[str, str]] = {}


class NodeInfo:
    """One node. `pods` holds what runs or is assumed to run on it, keyed by namespace and name."""

    __slots__ = (
        "allocatable",
        "allowed_pods",
        "controllers",
        "images",
        "labels",
        "name",
        "node",
        "pods",
        "pods_with_affinity",
        "pods_with_anti_affinity",
        "pods_with_ports",
        "requested",
        "scoring_requested",
        "taints",
        "unschedulable",
    )

    def __init__(self, node: Node) -> None:
        self.pods: dict[ObjectKey, PodInfo] = {}
        self.pods_with_affinity: dict[ObjectKey, PodInfo] = {}
        self.pods_with_anti_affinity: dict[ObjectKey, PodInfo] = {}
        self.pods_with_ports: dict[ObjectKey, PodInfo] = {}
        self.requested: Amounts = {}
        self.scoring_requested: Amounts = {CPU: 0, MEMORY: 0}
        self.controllers: Counter[str] = Counter()
        self.set_node(node)

    def set_node(self, node: Node) -> None:
        """Take over a changed node object; the pods stay."""
        self.node = node
        metadata, spec, status = node.metadata, node.spec, node.status
        self.name = (metadata.name if metadata is not None else None) or ""
        self.labels: Mapping[str, str] = (metadata.labels if metadata is not None else None) or _NO_LABELS
        self.taints: tuple[Taint, ...] = tuple((spec.taints if spec is not None else None) or ())
        self.unschedulable = bool(spec is not None and spec.unschedulable)
        self.allocatable: Amounts = amounts(status.allocatable if status is not None else None)
        self.allowed_pods = self.allocatable.get(PODS, 0)
        self.images: dict[str, int] = {
            name: image.sizeBytes or 0
            for image in (status.images if status is not None else None) or ()
            for name in image.names or ()
        }

    def add(self, pod: PodInfo) -> None:
        """Count a pod in; one of the same name is counted out first."""
        self.remove(pod.key)
        self.pods[pod.key] = pod
        for name, value in pod.requests.items():
            self.requested[name] = self.requested.get(name, 0) + value
        for name, value in pod.scoring_requests.items():
            self.scoring_requested[name] += value
        if pod.host_ports:
            self.pods_with_ports[pod.key] = pod
        if pod.has_affinity:
            self.pods_with_affinity[pod.key] = pod
        if pod.anti_affinity:
            self.pods_with_anti_affinity[pod.key] = pod
        if pod.controller:
            self.controllers[pod.controller] += 1

    def remove(self, key: ObjectKey) -> PodInfo | None:
        """Count a pod out, and give it, if it is here."""
        pod = self.pods.pop(key, None)
        if pod is None:
            return None
        for name, value in pod.requests.items():
            self.requested[name] -= value
        for name, value in pod.scoring_requests.items():
            self.scoring_requested[name] -= value
        self.pods_with_ports.pop(key, None)
        self.pods_with_affinity.pop(key, None)
        self.pods_with_anti_affinity.pop(key, None)
        if pod.controller:
            self.controllers[pod.controller] -= 1
            if not self.controllers[pod.controller]:
                del self.controllers[pod.controller]
        return pod

    def copy(self) -> NodeInfo:
        """The same node and pods, to add to and remove from without touching this one."""
        twin = NodeInfo.__new__(NodeInfo)
        twin.node = self.node
        twin.name, twin.labels, twin.taints = self.name, self.labels, self.taints
        twin.unschedulable, twin.allocatable = self.unschedulable, self.allocatable
        twin.allowed_pods, twin.images = self.allowed_pods, self.images
        twin.pods = dict(self.pods)
        twin.pods_with_affinity = dict(self.pods_with_affinity)
        twin.pods_with_anti_affinity = dict(self.pods_with_anti_affinity)
        twin.pods_with_ports = dict(self.pods_with_ports)
        twin.requested = dict(self.requested)
        twin.scoring_requested = dict(self.scoring_requested)
        twin.controllers = Counter(self.controllers)
        return twin
