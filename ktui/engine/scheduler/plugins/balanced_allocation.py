"""NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory fill up evenly."""

from __future__ import annotations

from collections.abc import Sequence

from ktui.engine.scheduler.framework import MAX_SCORE
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.resources import CPU, MEMORY
from ktui.engine.scheduler.snapshot import Snapshot

_HALF = MAX_SCORE // 2


class NodeResourcesBalancedAllocation:
    """Scores how much the pod evens out the node: 50 keeps the balance as it is, more improves it."""

    name = "NodeResourcesBalancedAllocation"
    weight = 1

    def score(self, pod: PodInfo, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
        cpu, memory = pod.requests.get(CPU, 0), pod.requests.get(MEMORY, 0)
        if not cpu and not memory:
            return None
        return [_HALF + (_HALF + _balance(node, cpu, memory) - _balance(node, 0, 0)) // 2 for node in nodes]


def _balance(node: NodeInfo, cpu: int, memory: int) -> int:
    """100 when cpu and memory are used to the same fraction, 50 when one is full and the other empty."""
    cpus, bytes_ = node.allocatable.get(CPU, 0), node.allocatable.get(MEMORY, 0)
    if not cpus or not bytes_:
        return MAX_SCORE
    used = min((node.requested.get(CPU, 0) + cpu) / cpus, 1.0)
    filled = min((node.requested.get(MEMORY, 0) + memory) / bytes_, 1.0)
    return int((1 - abs(used - filled) / 2) * MAX_SCORE)
