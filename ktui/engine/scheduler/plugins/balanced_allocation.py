"""NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory fill up evenly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

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
        key = (self.name, cpu, memory)
        return [node.remembered(key, partial(_improvement, node, cpu, memory)) for node in nodes]


def _improvement(node: NodeInfo, cpu: int, memory: int) -> int:
    """How much more balanced the node is with the pod than without, around 50."""
    cpus, bytes_ = node.allocatable.get(CPU, 0), node.allocatable.get(MEMORY, 0)
    if not cpus or not bytes_:
        return _HALF + _HALF // 2
    used, filled = node.requested.get(CPU, 0), node.requested.get(MEMORY, 0)
    after = _balance((used + cpu) / cpus, (filled + memory) / bytes_)
    before = _balance(used / cpus, filled / bytes_)
    return _HALF + (_HALF + after - before) // 2


def _balance(used: float, filled: float) -> int:
    """100 when cpu and memory are used to the same fraction, 50 when one is full and the other empty."""
    return int((1 - abs(min(used, 1.0) - min(filled, 1.0)) / 2) * MAX_SCORE)
