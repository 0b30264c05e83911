"""DeviceClass: a kind of device by name, what a device must be to belong to it, and how it is set up."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME
from ktui.engine.api.validation.compute import is_native
from ktui.engine.api.validation.devices import check_configuration, check_list, check_selectors
from ktui.engine.api.validation.fields import invalid
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import items, section
from ktui.kube.errors import Cause
from ktui.kube.kinds import DEVICE_CLASSES
from ktui.kube.resource import Object

_MOST_CONFIGURATIONS: Final = 32


def validate(device_class: Object) -> list[Cause]:
    spec = section(device_class, "spec")
    causes = check_metadata(device_class, namespaced=False)
    causes += check_selectors(items(spec, "selectors"), "spec.selectors")
    causes += check_list(items(spec, "config"), _MOST_CONFIGURATIONS, "spec.config", check_configuration)
    extended: str | None = spec.get("extendedResourceName")
    if extended is not None and (is_native(extended) or names.qualified_name(f"requests.{extended}")):
        why = "must be a valid extended resource name"
        causes.append(invalid("spec.extendedResourceName", extended, why))
    return causes


DECLARATIONS = (
    Declaration(
        resource=DEVICE_CLASSES,
        schema="io.k8s.api.resource.v1.DeviceClass",
        columns=(NAME, AGE),
        validate_create=validate,
        validate_update=check_metadata_update,
        has_generation=True,
    ),
)
