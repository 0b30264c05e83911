"""Rules for APIServices."""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

from ktui.engine.api.validation.fields import invalid, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata
from ktui.kube import names
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_MOST_GROUP_PRIORITY: Final = 20000
_MOST_VERSION_PRIORITY: Final = 1000
_STATUSES: Final = ("False", "True", "Unknown")


def check(api_service: Object) -> list[Cause]:
    """Its metadata and spec."""
    spec = section(api_service, "spec")
    group, version = string(spec, "group"), string(spec, "version")
    causes = [
        cause for cause in check_metadata(api_service, namespaced=False) if cause.field != "metadata.name"
    ]
    name, wanted = string(section(api_service, "metadata"), "name"), f"{version}.{group}"
    if name != wanted:
        why = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        causes.append(invalid("metadata.name", name, why))
    if not group and version != "v1":
        causes.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
    if group:
        causes += [invalid("spec.group", group, problem) for problem in names.dns_subdomain(group)]
    causes += [invalid("spec.version", version, problem) for problem in names.dns_1035_label(version)]
    causes += _priority(spec, "groupPriorityMinimum", _MOST_GROUP_PRIORITY)
    causes += _priority(spec, "versionPriority", _MOST_VERSION_PRIORITY)
    return causes + (_local(spec) if spec.get("service") is None else _remote(spec))


def _priority(spec: Object, field: str, most: int) -> list[Cause]:
    value: Any = spec.get(field) or 0
    if 0 < value <= most:
        return []
    return [invalid(f"spec.{field}", value, f"must be positive and less than {most}")]


def _local(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    bundle = string(spec, "caBundle")
    if bundle:
        size = f"{len(b64decode(bundle))} bytes"
        causes.append(invalid("spec.caBundle", size, "local APIServices may not have a caBundle"))
    if spec.get("insecureSkipTLSVerify"):
        why = "local APIServices may not have insecureSkipTLSVerify"
        causes.append(invalid("spec.insecureSkipTLSVerify", True, why))
    return causes


def _remote(spec: Object) -> list[Cause]:
    service = section(spec, "service")
    causes = [required(f"spec.service.{field}") for field in ("namespace", "name") if not service.get(field)]
    port: Any = service.get("port")
    if not isinstance(port, int) or not 0 < port < 65536:
        why = "port is not valid: must be between 1 and 65535, inclusive"
        causes.append(invalid("spec.service.port", port, why))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        why = "may not be true if caBundle is present"
        causes.append(invalid("spec.insecureSkipTLSVerify", True, why))
    return causes


def check_status(new: Object, old: Object) -> list[Cause]:
    """The conditions of a status that is written."""
    return [
        unsupported(f"status.conditions[{index}].status", condition.get("status"), _STATUSES)
        for index, condition in enumerate(items(section(new, "status"), "conditions"))
        if condition.get("status") not in _STATUSES
    ]
