"""NodeResourcesFit: a node must have room for what the pod requests; the emptier one is preferred."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.framework import MAX_SCORE, Rejection
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.resources import CPU, MEMORY
from ktui.engine.scheduler.snapshot import Snapshot

_TOO_MANY: Final = "Too many pods"


class NodeResourcesFit:
    """Filters on requests and the number of pods; scores as LeastAllocated does (cpu and memory alike)."""

    name = "NodeResourcesFit"
    weight = 1
    wakes_on = frozenset((ClusterEvent.NODE_ADDED, ClusterEvent.NODE_ALLOCATABLE, ClusterEvent.POD_RELEASED))

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None:
        allocatable, requested = node.allocatable, node.requested
        for name, wanted in pod.requests.items():
            if wanted > allocatable.get(name, 0) - requested.get(name, 0):
                return _insufficient(pod, node)
        return _insufficient(pod, node) if len(node.pods) >= node.allowed_pods else None

    def score(self, pod: PodInfo, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
        cpu, memory = pod.scoring_requests[CPU], pod.scoring_requests[MEMORY]
        key = (self.name, cpu, memory)
        return [node.remembered(key, partial(_least_allocated, node, cpu, memory)) for node in nodes]


def _insufficient(pod: PodInfo, node: NodeInfo) -> Rejection:
    """Every resource that is short. One the whole node can't offer isn't won by evicting pods."""
    reasons = [_TOO_MANY] if len(node.pods) >= node.allowed_pods else []
    resolvable = True
    for name, wanted in pod.requests.items():
        capacity = node.allocatable.get(name, 0)
        if wanted > capacity - node.requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            resolvable = resolvable and wanted <= capacity
    return Rejection(tuple(reasons), resolvable)


def _least_allocated(node: NodeInfo, cpu: int, memory: int) -> int:
    total, counted = 0, 0
    for name, extra in ((CPU, cpu), (MEMORY, memory)):
        capacity = node.allocatable.get(name, 0)
        if capacity:
            free = capacity - node.scoring_requested[name] - extra
            total += max(free, 0) * MAX_SCORE // capacity
            counted += 1
    return total // counted if counted else 0
