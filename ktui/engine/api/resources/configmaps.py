"""ConfigMap: configuration as keys and values, at most 1 MiB; one marked immutable stays as it is."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number
from ktui.engine.api.validation.fields import each_invalid, forbidden, invalid, too_long
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.errors import Cause
from ktui.kube.kinds import CONFIG_MAPS
from ktui.kube.resource import Object

_LARGEST: Final = 1024 * 1024


def _size(config_map: Object) -> int:
    return len(config_map.get("data") or ()) + len(config_map.get("binaryData") or ())


def validate(config_map: Object) -> list[Cause]:
    causes = check_metadata(config_map, namespaced=True)
    data: dict[str, str] = config_map.get("data") or {}
    binary: dict[str, str] = config_map.get("binaryData") or {}
    total = 0
    for key, value in data.items():
        causes += each_invalid(f"data[{key}]", key, names.data_key(key))
        if key in binary:
            causes.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        total += len(value.encode())
    for key, value in binary.items():
        causes += each_invalid(f"binaryData[{key}]", key, names.data_key(key))
        total += len(value) * 3 // 4
    if total > _LARGEST:
        causes.append(too_long("", _LARGEST))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + frozen(new, old, ("data", "binaryData"))


def frozen(new: Object, old: Object, fields: tuple[str, ...]) -> list[Cause]:
    """What an object marked immutable refuses: a change of its data, and of the mark itself."""
    if not old.get("immutable"):
        return []
    causes: list[Cause] = []
    if not new.get("immutable"):
        causes.append(forbidden("immutable", "field is immutable when `immutable` is set"))
    for field in fields:
        before: dict[str, Any] = old.get(field) or {}
        if (new.get(field) or {}) != before:
            causes.append(forbidden(field, "field is immutable when `immutable` is set"))
    return causes


DECLARATIONS = (
    Declaration(
        resource=CONFIG_MAPS,
        schema="io.k8s.api.core.v1.ConfigMap",
        columns=(NAME, number("Data", _size, "The number of keys."), AGE),
        validate_create=validate,
        validate_update=validate_update,
    ),
)
