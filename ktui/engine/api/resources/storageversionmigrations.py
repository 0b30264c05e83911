"""StorageVersionMigration: every object of a kind is to be written anew, in the version the kind is stored in now."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import NAME, text
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.conditions import check_conditions
from ktui.engine.api.validation.fields import immutable, invalid, required
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import STORAGE_VERSION_MIGRATIONS
from ktui.kube.resource import Object


def validate(migration: Object) -> list[Cause]:
    causes = check_metadata(migration, namespaced=False)
    wanted = section(migration, "spec", "resource")
    resource, group = string(wanted, "resource"), string(wanted, "group")
    if not resource:
        causes.append(required("spec.resource.resource", "resource is required to be set"))
    elif problems := names.dns_1035_label(resource):
        causes.append(invalid("spec.resource.resource", resource, ",".join(problems)))
    if group and (problems := names.dns_subdomain(group)):
        causes.append(invalid("spec.resource.group", group, ",".join(problems)))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + immutable("spec", new.get("spec"), old.get("spec"))


def validate_status(new: Object, old: Object) -> list[Cause]:
    status, before = section(new, "status"), section(old, "status")
    conditions, path = items(status, "conditions"), "status.conditions"
    causes: list[Cause] = []
    version = string(status, "resourceVersion")
    if version and not (version.isascii() and version.isdigit()):
        why = f"resource version is not well formed: {version}"
        causes.append(invalid("status.resourceVersion", version, why))
    causes += check_conditions(conditions, path)
    if before.get("resourceVersion"):
        causes += immutable("status.resourceVersion", version, before["resourceVersion"])
    if is_true(new, "Succeeded") and is_true(new, "Failed"):
        why = "Both success and failed conditions cannot be true at the same time"
        causes.append(invalid(path, conditions, why))
    for kind, named in (("Succeeded", "Success"), ("Failed", "Failed")):
        if is_true(old, kind) and not is_true(new, kind):
            why = f"{named} condition cannot be set to false once it is true"
            causes.append(invalid(path, conditions, why))
    return causes


def is_true(migration: Object, kind: str) -> bool:
    """Does a condition hold?"""
    conditions = items(section(migration, "status"), "conditions")
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)


def _resource(migration: Object) -> str:
    wanted = section(migration, "spec", "resource")
    return ".".join(part for part in (string(wanted, "resource"), string(wanted, "group")) if part)


def _status(migration: Object) -> str:
    return next((kind for kind in ("Succeeded", "Failed", "Running") if is_true(migration, kind)), "Unknown")


DECLARATIONS = (
    Declaration(
        resource=STORAGE_VERSION_MIGRATIONS,
        schema="io.k8s.api.storagemigration.v1.StorageVersionMigration",
        columns=(
            NAME,
            text("Resource", _resource, "The kind whose objects are written anew."),
            text("Status", _status, "How far that is."),
        ),
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=only_status,
        validate_create=validate,
        validate_update=validate_update,
        validate_status=validate_status,
        has_status=True,
        needs_version=True,
    ),
)
