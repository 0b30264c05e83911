"""CustomResourceDefinition: a kind declared at run time; `engine.api.crd` serves what it declares."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.crd.definition import validate, validate_update
from ktui.engine.api.crd.facts import CLEANUP, storage_version
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import metadata_of, with_metadata
from ktui.engine.api.resources.columns import NAME, text
from ktui.engine.api.resources.strategy import keep_status, only_status
from ktui.kube.data import section, string, strings
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS
from ktui.kube.resource import Object

_NONE: Final = {"strategy": "None"}


def default(definition: Object) -> Object:
    spec = section(definition, "spec")
    names = section(spec, "names")
    kind = string(names, "kind")
    filled = {**names}
    if kind:
        filled["singular"] = names.get("singular") or kind.lower()
        filled["listKind"] = names.get("listKind") or f"{kind}List"
    changed = {**spec, "conversion": _default_conversion(section(spec, "conversion"))}
    if filled:
        changed["names"] = filled
    return definition if changed == spec else {**definition, "spec": changed}


def _default_conversion(conversion: Object) -> Object:
    webhook = section(conversion, "webhook")
    service = section(webhook, "clientConfig", "service")
    if service and service.get("port") is None:
        config = {**section(webhook, "clientConfig"), "service": {**service, "port": 443}}
        return {**conversion, "webhook": {**webhook, "clientConfig": config}}
    return conversion or _NONE


def prepare_create(definition: Object) -> Object:
    """A new definition starts without names accepted, with its storage version as the only one stored."""
    version = storage_version(definition)
    status: Object = {
        "acceptedNames": {"plural": "", "kind": ""},
        "conditions": [],
        "storedVersions": [version] if version else [],
    }
    return {**definition, "status": status}


def prepare_update(new: Object, old: Object) -> Object:
    """A new storage version is one of those that objects may be stored in."""
    kept = keep_status(new, old)
    status, version = section(kept, "status"), storage_version(kept)
    stored = strings(status, "storedVersions")
    if not version or version in stored:
        return kept
    return {**kept, "status": {**status, "storedVersions": [*stored, version]}}


def prepare_delete(definition: Object) -> Object:
    """Its objects go first."""
    finalizers = strings(metadata_of(definition), "finalizers")
    if metadata_of(definition).get("deletionTimestamp") or CLEANUP in finalizers:
        return definition
    return with_metadata(definition, finalizers=[*finalizers, CLEANUP])


def _created(definition: Object) -> str:
    return string(section(definition, "metadata"), "creationTimestamp")


DECLARATIONS = (
    Declaration(
        resource=CUSTOM_RESOURCE_DEFINITIONS,
        schema="io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        columns=(NAME, text("Created At", _created, "When it was created.")),
        default=default,
        prepare_create=prepare_create,
        prepare_update=prepare_update,
        prepare_status=only_status,
        prepare_delete=prepare_delete,
        needs_version=True,
        validate_create=validate,
        validate_update=validate_update,
        has_status=True,
        has_generation=True,
    ),
)
