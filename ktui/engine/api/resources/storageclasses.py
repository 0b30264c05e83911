"""StorageClass: a kind of storage by name, who makes volumes of it, and when. `local-path` is there from the start."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, Column, text
from ktui.engine.api.validation.fields import (
    each_invalid,
    immutable,
    required,
    unsupported,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.storage import check_parameters, check_provisioner
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.kinds import STORAGE_CLASSES
from ktui.kube.resource import Object
from ktui.kube.storage import DEFAULT_ANNOTATIONS, is_default_class

_RECLAIM: Final = ("Delete", "Retain")
_BINDING: Final = ("Immediate", "WaitForFirstConsumer")

LOCAL_PATH: Final[Object] = {
    "metadata": {"name": "local-path", "annotations": {DEFAULT_ANNOTATIONS[0]: "true"}},
    "provisioner": "ktui.dev/local-path",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True,
}
"""There at every start, as k3s has it: who wants another default takes the annotation off this one."""


def default(storage_class: Object) -> Object:
    return {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", **storage_class}


def validate(storage_class: Object) -> list[Cause]:
    causes = check_metadata(storage_class, namespaced=False)
    causes += check_provisioner(string(storage_class, "provisioner"), "provisioner")
    causes += check_parameters(mapping(storage_class, "parameters"), "parameters")
    reclaim = string(storage_class, "reclaimPolicy")
    if reclaim and reclaim not in _RECLAIM:
        causes.append(unsupported("reclaimPolicy", reclaim, _RECLAIM))
    binding = string(storage_class, "volumeBindingMode")
    if binding not in _BINDING:
        causes.append(unsupported("volumeBindingMode", binding, _BINDING))
    return causes + _topologies(items(storage_class, "allowedTopologies"))


def _topologies(topologies: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for index, term in enumerate(topologies):
        for position, expression in enumerate(items(term, "matchLabelExpressions")):
            at = f"allowedTopologies[{index}].matchLabelExpressions[{position}]"
            key = string(expression, "key")
            causes += each_invalid(f"{at}.key", key, names.qualified_name(key))
            if not strings(expression, "values"):
                causes.append(required(f"{at}.values"))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        causes += immutable(field, new.get(field), old.get(field))
    return causes


def _name(storage_class: Object) -> str:
    name = string(section(storage_class, "metadata"), "name")
    return f"{name} (default)" if is_default_class(storage_class) else name


DECLARATIONS = (
    Declaration(
        resource=STORAGE_CLASSES,
        schema="io.k8s.api.storage.v1.StorageClass",
        columns=(
            Column(
                name="Name",
                read=_name,
                format="name",
                description="The class, and whether it is the default.",
            ),
            text("Provisioner", lambda found: string(found, "provisioner"), "Who makes its volumes."),
            text(
                "ReclaimPolicy",
                lambda found: string(found, "reclaimPolicy"),
                "What becomes of a volume when its claim is gone.",
            ),
            text(
                "VolumeBindingMode",
                lambda found: string(found, "volumeBindingMode"),
                "When a volume is made.",
            ),
            text(
                "AllowVolumeExpansion",
                lambda found: "true" if found.get("allowVolumeExpansion") else "false",
                "Whether claims may grow.",
            ),
            AGE,
        ),
        default=default,
        validate_create=validate,
        validate_update=validate_update,
        returns_deleted=True,
    ),
)
