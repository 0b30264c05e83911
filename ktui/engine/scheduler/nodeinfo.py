"""A node with the pods on it, summed up so that a filter answers without walking the pods.

The cache adds and removes pods as they come and go; preemption works on a `copy`. Amounts are those of
`resources`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# (lightkube-models types maps as a bare dict)

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Final, TypeVar

from lightkube.models.core_v1 import Node, Taint

from ktui.engine.scheduler.podinfo import AffinityTerm, PodInfo, Preference
from ktui.engine.scheduler.resources import CPU, MEMORY, PODS, Amounts, amounts
from ktui.kube.resource import ObjectKey

T = TypeVar("T", bound=Hashable)

HARD_AFFINITY_WEIGHT: Final = 1
"""What a running pod's required affinity to a newcomer is worth when ranking nodes."""
_MEMO_SIZE: Final = 64
_NO_LABELS: Final[Mapping[str, str]] = {}


class NodeInfo:
    """One node. `pods` holds what runs or is assumed to run on it, keyed by namespace and name.

    `memo` keeps what plugins worked out about the node as it is (see `remembered`); any change empties it. So
    a hundred like pods cost little more than one on all the nodes that don't change between them.
    """

    __slots__ = (
        "allocatable",
        "allowed_pods",
        "controllers",
        "images",
        "labels",
        "memo",
        "name",
        "node",
        "pods",
        "pods_with_ports",
        "preferences",
        "repelling",
        "requested",
        "scoring_requested",
        "taints",
        "unschedulable",
    )

    def __init__(self, node: Node) -> None:
        self.pods: dict[ObjectKey, PodInfo] = {}
        self.pods_with_ports: dict[ObjectKey, PodInfo] = {}
        self.requested: Amounts = {}
        self.scoring_requested: Amounts = {CPU: 0, MEMORY: 0}
        self.controllers: Counter[str] = Counter()
        self.repelling: Counter[AffinityTerm] = Counter()
        """The required anti-affinity of the pods here, with how many have it."""
        self.preferences: Counter[Preference] = Counter()
        """What the pods here would like of others; required affinity counts as `HARD_AFFINITY_WEIGHT`."""
        self.memo: dict[Hashable, int] = {}
        self.set_node(node)

    def set_node(self, node: Node) -> None:
        """Take over a changed node object; the pods stay."""
        self.memo.clear()
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
        self.memo.clear()
        self.pods[pod.key] = pod
        for name, value in pod.requests.items():
            self.requested[name] = self.requested.get(name, 0) + value
        for name, value in pod.scoring_requests.items():
            self.scoring_requested[name] += value
        if pod.host_ports:
            self.pods_with_ports[pod.key] = pod
        self._count(pod, 1)

    def remove(self, key: ObjectKey) -> PodInfo | None:
        """Count a pod out, and give it, if it is here."""
        pod = self.pods.pop(key, None)
        if pod is None:
            return None
        self.memo.clear()
        for name, value in pod.requests.items():
            self.requested[name] -= value
        for name, value in pod.scoring_requests.items():
            self.scoring_requested[name] -= value
        self.pods_with_ports.pop(key, None)
        self._count(pod, -1)
        return pod

    def _count(self, pod: PodInfo, by: int) -> None:
        for term in pod.anti_affinity:
            _add(self.repelling, term, by)
        for term in pod.affinity:
            _add(self.preferences, (term, HARD_AFFINITY_WEIGHT), by)
        for preference in pod.preferences:
            _add(self.preferences, preference, by)
        if pod.controller:
            _add(self.controllers, pod.controller, by)

    def remembered(self, key: Hashable, work_out: Callable[[], int]) -> int:
        """A number that depends on nothing but `key` and this node with its pods, as they are now."""
        found = self.memo.get(key)
        if found is None:
            if len(self.memo) >= _MEMO_SIZE:
                self.memo.clear()
            found = self.memo[key] = work_out()
        return found

    def copy(self) -> NodeInfo:
        """The same node and pods, to add to and remove from without touching this one."""
        twin = NodeInfo.__new__(NodeInfo)
        twin.memo = {}
        twin.node = self.node
        twin.name, twin.labels, twin.taints = self.name, self.labels, self.taints
        twin.unschedulable, twin.allocatable = self.unschedulable, self.allocatable
        twin.allowed_pods, twin.images = self.allowed_pods, self.images
        twin.pods = dict(self.pods)
        twin.pods_with_ports = dict(self.pods_with_ports)
        twin.requested = dict(self.requested)
        twin.scoring_requested = dict(self.scoring_requested)
        twin.controllers = Counter(self.controllers)
        twin.repelling = Counter(self.repelling)
        twin.preferences = Counter(self.preferences)
        return twin


def _add(counter: Counter[T], key: T, by: int) -> None:
    counter[key] += by
    if not counter[key]:
        del counter[key]
