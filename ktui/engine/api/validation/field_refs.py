"""Rules for references to fields and resources of a pod, in environments and downward API volumes."""

from __future__ import annotations

import re
from typing import Final

from ktui.engine.api.validation.fields import each_invalid, invalid, required, unsupported
from ktui.kube import names
from ktui.kube.data import string
from ktui.kube.errors import Cause
from ktui.kube.quantity import canonical
from ktui.kube.resource import Object

ENVIRONMENT_FIELDS: Final = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS: Final = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
_KNOWN_FIELDS: Final = frozenset(ENVIRONMENT_FIELDS + VOLUME_FIELDS)
_RESOURCES: Final = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_HUGE_PAGES: Final = ("limits.hugepages-", "requests.hugepages-")
_CPU_DIVISORS: Final = ("1m", "1")
_SIZES: Final = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_subscript = re.compile(r"(.*)\['(.*)'\]").fullmatch


def check_field_ref(reference: Object, path: str, supported: tuple[str, ...]) -> list[Cause]:
    """`fieldRef`: which fields may be read depends on where the value goes."""
    if not reference.get("apiVersion"):
        return [required(f"{path}.apiVersion")]
    field = string(reference, "fieldPath")
    if not field:
        return [required(f"{path}.fieldPath")]
    match = _subscript(field)
    if match:
        name, key = match.groups()
        if name == "metadata.annotations":
            return each_invalid(path, key.lower(), names.qualified_name(key.lower()))
        if name == "metadata.labels":
            return each_invalid(path, key, names.qualified_name(key))
        return [invalid(path, name, "does not support subscript")]
    if field not in _KNOWN_FIELDS:
        return [
            invalid(
                f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}"
            )
        ]
    return [] if field in supported else [unsupported(f"{path}.fieldPath", field, supported)]


def check_resource_ref(reference: Object, path: str, *, needs_container: bool) -> list[Cause]:
    """`resourceFieldRef`: a container's request or limit, divided by a power."""
    causes: list[Cause] = []
    resource = string(reference, "resource")
    if needs_container and not reference.get("containerName"):
        causes.append(required(f"{path}.containerName"))
    elif not resource:
        causes.append(required(f"{path}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(_HUGE_PAGES):
        causes.append(unsupported(f"{path}.resource", resource, _RESOURCES))
    return causes + _divisor(resource, canonical(reference.get("divisor") or "0"), path)


def _divisor(resource: str, divisor: str, path: str) -> list[Cause]:
    if divisor == "0":
        return []
    kind = resource.partition(".")[2]
    if kind == "cpu":
        allowed, name = _CPU_DIVISORS, "cpu"
    elif kind == "memory":
        allowed, name = _SIZES, "memory"
    elif kind == "ephemeral-storage":
        allowed, name = _SIZES, "local ephemeral storage"
    elif kind.startswith("hugepages-"):
        allowed, name = _SIZES, "hugepages"
    else:
        return []
    if divisor in allowed:
        return []
    listed = " and ".join(allowed) if len(allowed) == 2 else ", ".join(allowed)
    return [
        invalid(
            f"{path}.divisor",
            resource,
            f"only divisor's values {listed} are supported with the {name} resource",
        )
    ]
