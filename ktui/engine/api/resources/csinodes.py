"""CSINode: the storage drivers on a node, as the kubelet or the drivers themselves registered them."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number
from ktui.engine.api.resources.strategy import without_status
from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    immutable,
    invalid,
    non_negative,
    required,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.storage import check_driver_name
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.kinds import CSI_NODES
from ktui.kube.resource import Object

_LONGEST_ID: Final = 256


def _drivers(node: Object) -> list[Object]:
    return items(section(node, "spec"), "drivers")


def validate(node: Object) -> list[Cause]:
    causes = check_metadata(node, namespaced=False)
    seen: set[str] = set()
    for index, driver in enumerate(_drivers(node)):
        at, name = f"spec.drivers[{index}]", string(driver, "name")
        causes += _driver(driver, at)
        if name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
    return causes


def _driver(driver: Object, at: str) -> list[Cause]:
    causes = check_driver_name(string(driver, "name"), f"{at}.name")
    node_id = string(driver, "nodeID")
    if not node_id:
        causes.append(required(f"{at}.nodeID"))
    if len(node_id) > _LONGEST_ID:
        causes.append(invalid(f"{at}.nodeID", node_id, f"must be {_LONGEST_ID} characters or less"))
    causes += non_negative(f"{at}.allocatable.count", section(driver, "allocatable").get("count"))
    keys = strings(driver, "topologyKeys")
    for index, key in enumerate(keys):
        if not key:
            causes.append(required(at))
        if key in keys[:index]:
            causes.append(duplicate(at, key))
        causes += each_invalid(at, key, names.qualified_name(key))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    """Drivers come and go; what a registered one said stays, but for how many volumes it can take."""
    causes = check_metadata_update(new, old)
    before = {string(driver, "name"): driver for driver in _drivers(old)}
    for driver in _drivers(new):
        was = before.get(string(driver, "name"))
        if was is not None:
            causes += immutable("spec.drivers", _lasting(driver), _lasting(was))
    return causes


def _lasting(driver: Object) -> Object:
    return {name: value for name, value in driver.items() if name != "allocatable"}


DECLARATIONS = (
    Declaration(
        resource=CSI_NODES,
        schema="io.k8s.api.storage.v1.CSINode",
        columns=(
            NAME,
            number("Drivers", lambda node: len(_drivers(node)), "How many drivers are registered."),
            AGE,
        ),
        prepare_create=without_status,
        prepare_update=lambda new, _: without_status(new),
        validate_create=validate,
        validate_update=validate_update,
        needs_version=True,
    ),
)
