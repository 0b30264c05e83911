"""Priority: a pod's priority class becomes the number the scheduler compares."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.admission.base import Attributes, View
from ktui.engine.api.resources.priorityclasses import SYSTEM_CLASSES
from ktui.kube.data import section
from ktui.kube.errors import forbidden
from ktui.kube.kinds import PODS, PRIORITY_CLASSES
from ktui.kube.resource import Object

_PREEMPT: Final = "PreemptLowerPriority"


class Priority:
    """Resolves `spec.priorityClassName` (built in, stored or the global default) at creation; one class at most is
    the default."""

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

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if request.resource.key != PRIORITY_CLASSES.key:
            return
        if request.operation == "DELETE" and request.name in SYSTEM_CLASSES:
            why = "this is a system priority class and cannot be deleted"
            raise forbidden(PRIORITY_CLASSES, request.name, why)
        if obj is None or not obj.get("globalDefault"):
            return
        for other in self._view.listed(PRIORITY_CLASSES.key):
            name: str = other["metadata"]["name"]
            if other.get("globalDefault") and name != request.name:
                raise forbidden(
                    PRIORITY_CLASSES,
                    request.name,
                    f"PriorityClass {name} is already marked as default. Only one default can exist",
                )

    def _resolved(self, request: Attributes, name: str) -> tuple[str, int, str]:
        """Class name, value and preemption policy."""
        if name in SYSTEM_CLASSES:
            return name, SYSTEM_CLASSES[name], _PREEMPT
        if name:
            found = self._view.lookup(PRIORITY_CLASSES.key, "", name)
            if found is None:
                raise forbidden(PODS, request.name, f"no PriorityClass with name {name} was found")
        else:
            defaults = [c for c in self._view.listed(PRIORITY_CLASSES.key) if c.get("globalDefault")]
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
