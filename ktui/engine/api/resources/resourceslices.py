"""ResourceSlice: devices that a driver has in a pool, for the scheduler to allocate to claims."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.resourceslices import check_slice_spec, check_slice_update
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import RESOURCE_SLICES
from ktui.kube.resource import Object


def identify(resource_slice: Object) -> Object:
    """Taints that don't say since when are there since now."""
    return _since(resource_slice, string(section(resource_slice, "metadata"), "creationTimestamp"))


def _since(resource_slice: Object, moment: str) -> Object:
    spec = section(resource_slice, "spec")
    devices = items(spec, "devices")
    if not any(items(device, "taints") for device in devices):
        return resource_slice
    timed = [
        {**device, "taints": [{"timeAdded": moment, **taint} for taint in device["taints"]]}
        if device.get("taints")
        else device
        for device in devices
    ]
    return {**resource_slice, "spec": {**spec, "devices": timed}}


def validate(resource_slice: Object) -> list[Cause]:
    return check_metadata(resource_slice, namespaced=False) + check_slice_spec(
        section(resource_slice, "spec")
    )


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + check_slice_update(new, old)


def _node(resource_slice: Object) -> str:
    return string(section(resource_slice, "spec"), "nodeName")


def _driver(resource_slice: Object) -> str:
    return string(section(resource_slice, "spec"), "driver")


def _pool(resource_slice: Object) -> str:
    return string(section(resource_slice, "spec", "pool"), "name")


DECLARATIONS = (
    Declaration(
        resource=RESOURCE_SLICES,
        schema="io.k8s.api.resource.v1.ResourceSlice",
        columns=(
            NAME,
            text("Node", _node, "Where the devices are."),
            text("Driver", _driver, "Whose devices they are."),
            text("Pool", _pool, "The pool they are part of."),
            AGE,
        ),
        identify=identify,
        validate_create=validate,
        validate_update=validate_update,
        has_generation=True,
        selectable_fields={"spec.nodeName": _node, "spec.driver": _driver, "spec.pool.name": _pool},
    ),
)
