"""Rules for a container's environment: `env` and `envFrom`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ktui.engine.api.validation.field_refs import ENVIRONMENT_FIELDS, check_field_ref, check_resource_ref
from ktui.engine.api.validation.fields import each_invalid, invalid, required
from ktui.engine.api.validation.paths import no_backsteps
from ktui.kube import names
from ktui.kube.data import items, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_NO_SOURCE: Final = (
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
)
_TOO_MANY: Final = "may not have more than one field specified at a time"


def check_environment(container: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, variable in enumerate(items(container, "env")):
        at = f"{path}.env[{index}]"
        name = string(variable, "name")
        if not name:
            causes.append(required(f"{at}.name"))
        else:
            causes += each_invalid(f"{at}.name", name, names.environment_name(name))
        if "valueFrom" in variable:
            causes += _value_from(variable, f"{at}.valueFrom")
    for index, source in enumerate(items(container, "envFrom")):
        causes += _env_from(source, f"{path}.envFrom[{index}]", f"{path}.envFrom")
    return causes


def _value_from(variable: Object, path: str) -> list[Cause]:
    source: Object = variable["valueFrom"]
    causes: list[Cause] = []
    found = 0
    for field, check in _SOURCES.items():
        if field in source:
            found += 1
            causes += check(source[field], f"{path}.{field}")
    if not found:
        causes.append(invalid(path, "", _NO_SOURCE))
    elif variable.get("value"):
        causes.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif found > 1:
        causes.append(invalid(path, "", _TOO_MANY))
    return causes


def _field(reference: Object, path: str) -> list[Cause]:
    return check_field_ref(reference, path, ENVIRONMENT_FIELDS)


def _resource(reference: Object, path: str) -> list[Cause]:
    return check_resource_ref(reference, path, needs_container=False)


def _key(reference: Object, path: str) -> list[Cause]:
    """A key of a ConfigMap or Secret."""
    name, key = string(reference, "name"), string(reference, "key")
    causes = each_invalid(f"{path}.name", name, names.dns_subdomain(name))
    if not key:
        causes.append(required(f"{path}.key"))
    else:
        causes += each_invalid(f"{path}.key", key, names.data_key(key))
    return causes


def _file_key(reference: Object, path: str) -> list[Cause]:
    """A variable in a file of an emptyDir."""
    key, volume, file = (string(reference, field) for field in ("key", "volumeName", "path"))
    causes: list[Cause] = []
    causes += (
        each_invalid(f"{path}.key", key, names.environment_name(key)) if key else [required(f"{path}.key")]
    )
    if volume:
        causes += each_invalid(f"{path}.volumeName", volume, names.dns_label(volume))
    else:
        causes.append(required(f"{path}.volumeName"))
    causes += no_backsteps(file, f"{path}.path") if file else [required(f"{path}.path")]
    return causes


_SOURCES: Final[dict[str, Callable[[Object, str], list[Cause]]]] = {
    "fieldRef": _field,
    "resourceFieldRef": _resource,
    "configMapKeyRef": _key,
    "secretKeyRef": _key,
    "fileKeyRef": _file_key,
}


def _env_from(source: Object, path: str, list_path: str) -> list[Cause]:
    causes: list[Cause] = []
    prefix = string(source, "prefix")
    if prefix:
        causes += each_invalid(f"{path}.prefix", prefix, names.environment_name(prefix))
    found = [field for field in ("configMapRef", "secretRef") if field in source]
    for field in found:
        name = string(source[field], "name")
        if not name:
            causes.append(required(f"{path}.{field}.name"))
        else:
            causes += each_invalid(f"{path}.{field}.name", name, names.dns_subdomain(name))
    if not found:
        causes.append(invalid(list_path, "", "must specify one of: `configMapRef` or `secretRef`"))
    elif len(found) > 1:
        causes.append(invalid(list_path, "", _TOO_MANY))
    return causes
