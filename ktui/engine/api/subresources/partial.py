"""Subresources that take the whole object and change one part of it: what a write may touch through each.

Like a declaration's `prepare_status`: functions (new, old) -> the stored object with that part of the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ktui.engine.api.documents import metadata_of
from ktui.engine.api.resources.certificatesigningrequests import approval
from ktui.kube.data import items, section
from ktui.kube.errors import Cause, invalid
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS, NAMESPACES, PODS
from ktui.kube.qos import qos_class
from ktui.kube.resource import Object

_RESIZABLE: Final = ("cpu", "memory")


def finalize(new: Object, old: Object) -> Object:
    """A namespace's `spec.finalizers`: the last one taken away lets it go."""
    finalizers: list[str] = section(new, "spec").get("finalizers") or []
    spec = {**section(old, "spec"), "finalizers": finalizers}
    return {**old, "metadata": metadata_of(new), "spec": spec}


def ephemeral_containers(new: Object, old: Object) -> Object:
    """A pod's ephemeral containers: they can be added, not changed or removed."""
    after = items(section(new, "spec"), "ephemeralContainers")
    found = {container.get("name"): container for container in after}
    causes = [
        Cause(
            "spec.ephemeralContainers",
            "FieldValueForbidden",
            f'Forbidden: existing ephemeral containers "{name}" may not be '
            f"{'changed' if name in found else 'removed'}",
        )
        for container in items(section(old, "spec"), "ephemeralContainers")
        if found.get(name := container.get("name")) != container
    ]
    if causes:
        raise invalid(PODS, metadata_of(old).get("name", ""), causes)
    spec = {**section(old, "spec"), "ephemeralContainers": after} if after else section(old, "spec")
    return {**old, "metadata": metadata_of(new), "spec": spec}


def resize(new: Object, old: Object) -> Object:
    """The CPU and memory of a pod's containers, those that come first too."""
    spec, causes = {**section(old, "spec")}, list[Cause]()
    for field in ("initContainers", "containers"):
        before = items(spec, field)
        if not before:
            continue
        wanted = {container.get("name"): container for container in items(section(new, "spec"), field)}
        after: list[Object] = []
        for index, container in enumerate(before):
            asked = section(wanted.get(container.get("name")) or container, "resources")
            causes += _resize_causes(
                f"spec.{field}[{index}].resources", asked, section(container, "resources")
            )
            after.append({**container, "resources": asked})
        spec[field] = after
    resized = {**old, "metadata": metadata_of(new), "spec": spec}
    if (quality := qos_class(resized)) != qos_class(old) and not causes:
        why = "Pod QOS Class may not change as a result of resizing"
        causes.append(Cause("spec", "FieldValueInvalid", f'Invalid value: "{quality}": {why}'))
    if causes:
        raise invalid(PODS, metadata_of(old).get("name", ""), causes)
    return resized


def _resize_causes(path: str, new: Object, old: Object) -> list[Cause]:
    causes: list[Cause] = []
    for kind in ("requests", "limits"):
        after, before = section(new, kind), section(old, kind)
        if any(name in before and name not in after for name in _RESIZABLE):
            why = f"Forbidden: resource {kind} cannot be removed"
            causes.append(Cause(f"{path}.{kind}", "FieldValueForbidden", why))
        if {k: v for k, v in after.items() if k not in _RESIZABLE} != {
            k: v for k, v in before.items() if k not in _RESIZABLE
        }:
            why = "Forbidden: only cpu and memory resources are mutable"
            causes.append(Cause("spec", "FieldValueForbidden", why))
    return causes


PARTIAL: Final[Mapping[tuple[str, str], Callable[[Object, Object], Object]]] = {
    (CERTIFICATE_SIGNING_REQUESTS.key, "approval"): approval,
    (NAMESPACES.key, "finalize"): finalize,
    (PODS.key, "ephemeralcontainers"): ephemeral_containers,
    (PODS.key, "resize"): resize,
}
"""By resource and subresource."""

READABLE: Final = frozenset(PARTIAL) - {(NAMESPACES.key, "finalize")}
"""Those that can be read as well: they show the whole object."""
