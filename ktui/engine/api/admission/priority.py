"""Priority: a pod's priority class becomes the number the scheduler compares."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.admission.base import Attributes, Mutating, View
from ktui.kube.data import section
from ktui.kube.errors import forbidden
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object

PRIORITY_CLASSES: Final = "priorityclasses.scheduling.k8s.io"
SYSTEM: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_PREEMPT: Final = "PreemptLowerPriority"


class Priority(Mutating):
    """Resolves `spec.priorityClassName` (built in, stored or the global default) at creation."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if old is not None and request.is_about(PODS, "UPDATE"):
            return _kept(obj, old)
        if not request.is_about(PODS, "CREATE"):
            return obj
        spec: Object = obj.get("spec") or {}
        name, priority, policy = self._resolved(request, spec.get("priorityClassName") or "")
        asked = spec.get("priority")
        if asked is not None and asked != priority:
            raise forbidden(
                PODS,
                request.name,
                f"the integer value of priority ({asked}) must not be provided in pod spec; priority admission "
                f"controller computed {priority} from the given PriorityClass name",
            )
        if spec.get("preemptionPolicy") not in (None, policy):
            raise forbidden(
                PODS,
                request.name,
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod "
                f"spec; priority admission controller computed {policy} from the given PriorityClass name",
            )
        resolved: dict[str, Any] = {"priority": priority, "preemptionPolicy": policy}
        if name:
            resolved["priorityClassName"] = name
        return {**obj, "spec": {**spec, **resolved}}

    def _resolved(self, request: Attributes, name: str) -> tuple[str, int, str]:
        """Class name, value and preemption policy."""
        if name in SYSTEM:
            return name, SYSTEM[name], _PREEMPT
        if name:
            found = self._view.lookup(PRIORITY_CLASSES, "", name)
            if found is None:
                raise forbidden(PODS, request.name, f"no PriorityClass with name {name} was found")
        else:
            defaults = [c for c in self._view.listed(PRIORITY_CLASSES) if c.get("globalDefault")]
            if not defaults:
                return "", 0, _PREEMPT
            found = min(defaults, key=lambda c: int(c.get("value") or 0))
        class_name: str = found["metadata"]["name"]
        return class_name, int(found.get("value") or 0), found.get("preemptionPolicy") or _PREEMPT


def _kept(obj: Object, old: Object) -> Object:
    """An update that leaves the priority out means the one the pod has."""
    spec, before = section(obj, "spec"), section(old, "spec")
    fields = ("priority", "preemptionPolicy")
    kept = {name: before[name] for name in fields if name in before and spec.get(name) is None}
    return {**obj, "spec": {**spec, **kept}} if kept else obj
