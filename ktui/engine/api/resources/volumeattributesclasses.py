"""VolumeAttributesClass: how volumes of a driver are tuned, by name; a claim may change its class later."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.validation.fields import forbidden, required
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.storage import check_parameters, check_provisioner
from ktui.kube.data import mapping, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import VOLUME_ATTRIBUTES_CLASSES
from ktui.kube.resource import Object


def validate(found: Object) -> list[Cause]:
    parameters = mapping(found, "parameters")
    causes = check_metadata(found, namespaced=False)
    causes += check_provisioner(string(found, "driverName"), "driverName")
    causes += check_parameters(parameters, "parameters")
    return (
        causes
        if parameters
        else [*causes, required("parameters", "must contain at least one key/value pair")]
    )


def validate_update(new: Object, old: Object) -> list[Cause]:
    changed = [
        field
        for field in ("driverName", "parameters")
        if (new.get(field) or None) != (old.get(field) or None)
    ]
    return check_metadata_update(new, old) + [
        forbidden(field, f"updates to {field} are forbidden.") for field in changed
    ]


DECLARATIONS = (
    Declaration(
        resource=VOLUME_ATTRIBUTES_CLASSES,
        schema="io.k8s.api.storage.v1.VolumeAttributesClass",
        columns=(
            NAME,
            text("DriverName", lambda found: string(found, "driverName"), "Whose volumes it tunes."),
            AGE,
        ),
        validate_create=validate,
        validate_update=validate_update,
    ),
)
