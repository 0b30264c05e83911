"""DeviceTaintRule: an administrator's taint on devices, as if their driver had set it."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Column, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.conditions import check_conditions
from ktui.engine.api.validation.devices import check_label, check_pool_name, check_taint
from ktui.engine.api.validation.fields import too_many
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.storage import check_driver_name
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import DEVICE_TAINT_RULES
from ktui.kube.resource import Object

_MOST_CONDITIONS: Final = 8
_SELECTED: Final = {"driver": check_driver_name, "pool": check_pool_name, "device": check_label}


def identify(rule: Object) -> Object:
    """A taint that does not say since when is there since now."""
    return _since(rule, string(section(rule, "metadata"), "creationTimestamp"))


def prepare_update(new: Object, old: Object) -> Object:
    return keep_status(_since(new, string(section(old, "spec", "taint"), "timeAdded")), old)


def _since(rule: Object, moment: str) -> Object:
    spec = section(rule, "spec")
    taint = section(spec, "taint")
    if taint.get("timeAdded") or not moment:
        return rule
    return {**rule, "spec": {**spec, "taint": {**taint, "timeAdded": moment}}}


def validate(rule: Object) -> list[Cause]:
    causes = check_metadata(rule, namespaced=False)
    selector = section(rule, "spec", "deviceSelector")
    for field, check in _SELECTED.items():
        value: str | None = selector.get(field)
        if value is not None:
            causes += check(value, f"spec.deviceSelector.{field}")
    return causes + check_taint(section(rule, "spec", "taint"), "spec.taint")


def validate_status(new: Object, old: Object) -> list[Cause]:
    conditions = items(section(new, "status"), "conditions")
    causes = check_conditions(conditions, "status.conditions")
    if len(conditions) > _MOST_CONDITIONS:
        causes.append(too_many("status.conditions", len(conditions), _MOST_CONDITIONS))
    return causes


def _of_taint(field: str, description: str) -> Column:
    return text(field.capitalize(), lambda rule: string(section(rule, "spec", "taint"), field), description)


DECLARATIONS = (
    Declaration(
        resource=DEVICE_TAINT_RULES,
        schema="io.k8s.api.resource.v1.DeviceTaintRule",
        columns=(
            NAME,
            _of_taint("key", "The taint's key."),
            _of_taint("value", "The taint's value."),
            _of_taint("effect", "What it does to claims that don't tolerate it."),
            AGE,
        ),
        prepare_create=without_status,
        identify=identify,
        prepare_update=prepare_update,
        prepare_status=only_status,
        validate_create=validate,
        validate_update=check_metadata_update,
        validate_status=validate_status,
        has_status=True,
        has_generation=True,
    ),
)
