"""The disruption budget of a pod that is to be evicted: taken from, or in the way.

One disruption is taken from `status.disruptionsAllowed`, against the version that was read, and the pod noted
in `status.disruptedPods`, until the disruption controller has seen it go.
"""

from __future__ import annotations

from typing import Final

from ktui.engine.api.admission.base import View
from ktui.engine.api.documents import metadata_of
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import Cause, StatusError, forbidden, internal, too_many_requests
from ktui.kube.kinds import POD_DISRUPTION_BUDGETS
from ktui.kube.resource import Object
from ktui.kube.selector import Selector

_ATTEMPTS: Final = 20
_MOST_DISRUPTED: Final = 2000
_REFUSED: Final = "Cannot evict pod as it would violate the pod's disruption budget."


class Budgets:
    """Asks the budgets in the store."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def take(self, pod: Object, now: str, *, dry_run: bool) -> None:
        """Return if the pod may go; raises 429 if its budget forbids it."""
        for _ in range(_ATTEMPTS):
            budget = self._of(pod)
            if budget is None or _goes_as_unhealthy(pod, budget):
                return
            taken = _taken(pod, budget, now)
            if dry_run or await self._view.replace(POD_DISRUPTION_BUDGETS.key, taken):
                return
        raise _in_the_way("the disruption budget is being changed by many at once", 10)

    def _of(self, pod: Object) -> Object | None:
        metadata = metadata_of(pod)
        labels = mapping(metadata, "labels")
        found = [
            budget
            for budget in self._view.listed(POD_DISRUPTION_BUDGETS.key, metadata["namespace"])
            if _selects(budget, labels)
        ]
        if len(found) > 1:
            raise internal(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            )
        return found[0] if found else None


def _selects(budget: Object, labels: dict[str, str]) -> bool:
    selector = section(budget, "spec").get("selector")
    return selector is not None and Selector.of(selector).matches(labels)


def _goes_as_unhealthy(pod: Object, budget: Object) -> bool:
    """A pod that runs and is not ready may go, if there are enough others or the budget does not mind."""
    conditions = items(section(pod, "status"), "conditions")
    if any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions):
        return False
    if section(budget, "spec").get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = section(budget, "status")
    desired: int = status.get("desiredHealthy") or 0
    return desired > 0 and int(status.get("currentHealthy") or 0) >= desired


def _taken(pod: Object, budget: Object, now: str) -> Object:
    """The budget with one disruption less."""
    metadata, status = metadata_of(budget), section(budget, "status")
    name, pod_name = string(metadata, "name"), string(metadata_of(pod), "name")
    allowed: int = status.get("disruptionsAllowed") or 0
    disrupted = mapping(status, "disruptedPods")
    if int(status.get("observedGeneration") or 0) < int(metadata.get("generation") or 0):
        raise _in_the_way(f"The disruption budget {name} is still being processed by the server.", 10)
    if allowed < 0:
        raise forbidden(POD_DISRUPTION_BUDGETS, name, "pdb disruptions allowed is negative")
    if len(disrupted) > _MOST_DISRUPTED:
        text = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden(POD_DISRUPTION_BUDGETS, name, text)
    if allowed == 0:
        desired, current = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        raise _in_the_way(
            f"The disruption budget {name} needs {desired} healthy pods and has {current} currently", 0
        )
    taken = {"disruptionsAllowed": allowed - 1, "disruptedPods": {**disrupted, pod_name: now}}
    return {**budget, "status": {**status, **taken}}


def _in_the_way(message: str, seconds: int) -> StatusError:
    error = too_many_requests(_REFUSED, seconds)
    cause = Cause("", "DisruptionBudget", message)
    details = {name: value for name, value in error.details.items() if value}
    error.status["details"] = {**details, "causes": [cause.to_object()]}
    return error
