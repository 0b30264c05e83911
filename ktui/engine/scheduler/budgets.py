"""Which of the pods that might be evicted a PodDisruptionBudget would rather keep. Pure.

Preemption prefers victims whose budgets allow it; it is no promise: when nothing else makes room, they go too.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# (lightkube-models types maps as a bare dict)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lightkube.models.policy_v1 import PodDisruptionBudget

from ktui.engine.scheduler.podinfo import PodInfo
from ktui.kube.selector import Selector


class _Budget(NamedTuple):
    namespace: str
    selector: Selector
    disrupted: frozenset[str]
    """Pods that have been counted already, by name."""
    allowed: int


class Budgets:
    """The budgets of a cluster, parsed; those that choose no pods are left out."""

    def __init__(self, budgets: Iterable[PodDisruptionBudget] = ()) -> None:
        self._budgets = [parsed for budget in budgets if (parsed := _parsed(budget)) is not None]

    def protected(self, pods: Sequence[PodInfo]) -> frozenset[str]:
        """The UIDs of those whose eviction, one after the other in this order, breaks a budget."""
        if not self._budgets:
            return frozenset()
        allowed = [budget.allowed for budget in self._budgets]
        found: set[str] = set()
        for pod in pods:
            for i, budget in enumerate(self._budgets):
                if budget.namespace != pod.key.namespace or pod.key.name in budget.disrupted:
                    continue
                if pod.labels and budget.selector.matches(pod.labels):
                    allowed[i] -= 1
                    if allowed[i] < 0:
                        found.add(pod.uid)
        return frozenset(found)


def _parsed(budget: PodDisruptionBudget) -> _Budget | None:
    metadata, spec, status = budget.metadata, budget.spec, budget.status
    if metadata is None or spec is None or spec.selector is None:
        return None
    selector = Selector.of(spec.selector)
    if selector.empty or selector.nothing:
        return None
    disrupted: Iterable[str] = (status.disruptedPods if status is not None else None) or ()
    allowed = (status.disruptionsAllowed if status is not None else None) or 0
    return _Budget(metadata.namespace or "", selector, frozenset(disrupted), allowed)
