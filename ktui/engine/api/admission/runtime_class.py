"""RuntimeClass: a pod that names one gets its overhead, and goes where the class can be had."""

from __future__ import annotations

from ktui.engine.api.admission.base import Attributes, View
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import StatusError, forbidden
from ktui.kube.kinds import PODS, RUNTIME_CLASSES
from ktui.kube.quantity import QuantityError, parse_quantity
from ktui.kube.resource import Object


class RuntimeClass:
    """Looks at pods when they are created."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if not request.is_about(PODS, "CREATE"):
            return obj
        spec = section(obj, "spec")
        found = self._class_of(request, spec)
        if found is None:
            return obj
        changed = {**spec, **_overhead(request, spec, found), **_scheduling(request, spec, found)}
        return obj if changed == spec else {**obj, "spec": changed}

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if obj is None or not request.is_about(PODS, "CREATE"):
            return
        spec = section(obj, "spec")
        found = self._class_of(request, spec)
        wanted = mapping(section(found or {}, "overhead"), "podFixed")
        if wanted and not _same(wanted, mapping(spec, "overhead")):
            raise _rejected(request, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        if not wanted and spec.get("overhead"):
            raise _rejected(request, "Pod Overhead set without corresponding RuntimeClass defined Overhead")

    def _class_of(self, request: Attributes, spec: Object) -> Object | None:
        name = string(spec, "runtimeClassName")
        if not name:
            return None
        found = self._view.lookup(RUNTIME_CLASSES.key, "", name)
        if found is None:
            raise _rejected(request, f'RuntimeClass "{name}" not found')
        return found


def _rejected(request: Attributes, why: str) -> StatusError:
    return forbidden(PODS, request.name, f"pod rejected: {why}")


def _overhead(request: Attributes, spec: Object, found: Object) -> Object:
    wanted = mapping(section(found, "overhead"), "podFixed")
    if not wanted:
        return {}
    if spec.get("overhead") and not _same(wanted, mapping(spec, "overhead")):
        raise _rejected(request, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    return {"overhead": wanted}


def _scheduling(request: Attributes, spec: Object, found: Object) -> Object:
    scheduling = section(found, "scheduling")
    if not scheduling:
        return {}
    selector = mapping(spec, "nodeSelector")
    for key, value in mapping(scheduling, "nodeSelector").items():
        if selector.get(key, value) != value:
            raise forbidden(
                PODS,
                request.name,
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = "
                f"{selector[key]}",
            )
    changed: Object = {}
    if merged := {**selector, **mapping(scheduling, "nodeSelector")}:
        changed["nodeSelector"] = merged
    tolerations = items(spec, "tolerations")
    if added := [each for each in items(scheduling, "tolerations") if each not in tolerations]:
        changed["tolerations"] = [*tolerations, *added]
    return changed


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    """As amounts, however they are written."""
    try:
        return {name: parse_quantity(amount).nanos for name, amount in one.items()} == {
            name: parse_quantity(amount).nanos for name, amount in other.items()
        }
    except QuantityError:
        return one == other
