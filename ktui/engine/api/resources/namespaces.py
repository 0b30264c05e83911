"""Namespace: Active until deleted, then Terminating until the namespace controller has emptied it."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata
from ktui.engine.api.validation.fields import each_invalid, invalid
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import section
from ktui.kube.errors import Cause
from ktui.kube.kinds import NAMESPACES
from ktui.kube.resource import Object

NAME_LABEL: Final = "kubernetes.io/metadata.name"
FINALIZER: Final = "kubernetes"


def default(namespace: Object) -> Object:
    """Every namespace carries its name as a label, so that selectors can pick it."""
    metadata = section(namespace, "metadata")
    labels: dict[str, str] = metadata.get("labels") or {}
    name = metadata.get("name")
    if not name or labels.get(NAME_LABEL) == name:
        return namespace
    return {**namespace, "metadata": {**metadata, "labels": {**labels, NAME_LABEL: name}}}


def prepare_create(namespace: Object) -> Object:
    spec = section(namespace, "spec")
    finalizers: list[str] = spec.get("finalizers") or []
    if FINALIZER not in finalizers:
        spec = {**spec, "finalizers": [*finalizers, FINALIZER]}
    return {**namespace, "spec": spec, "status": {"phase": "Active"}}


def prepare_update(new: Object, old: Object) -> Object:
    """Finalizers go through the finalize subresource, status through status."""
    kept = keep_status(new, old)
    return {**kept, "spec": old["spec"]} if "spec" in old else kept


def validate(namespace: Object) -> list[Cause]:
    causes = check_metadata(namespace, namespaced=False, name_rule=names.dns_label)
    finalizers: list[str] = section(namespace, "spec").get("finalizers") or []
    at = "spec.finalizers"
    for finalizer in finalizers:
        causes += each_invalid(at, finalizer, names.qualified_name(finalizer))
        if "/" not in finalizer and finalizer not in (FINALIZER, "foregroundDeletion", "orphan"):
            causes.append(
                invalid(at, finalizer, "name is neither a standard finalizer name nor is it fully qualified")
            )
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    phase = phase_of(new)
    if phase == phase_of(old):
        return causes
    deleted = bool(section(new, "metadata").get("deletionTimestamp"))
    if deleted and phase != "Terminating":
        why = "may only be 'Terminating' if `deletionTimestamp` is not empty"
        causes.append(invalid("status.Phase", phase, why))
    if not deleted and phase != "Active":
        causes.append(invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty"))
    return causes


def phase_of(namespace: Object) -> str:
    return str(section(namespace, "status").get("phase") or "")


DECLARATIONS = (
    Declaration(
        resource=NAMESPACES,
        schema="io.k8s.api.core.v1.Namespace",
        columns=(NAME, text("Status", phase_of, "Active, or Terminating while it is emptied."), AGE),
        default=default,
        prepare_create=prepare_create,
        prepare_update=prepare_update,
        prepare_status=status_and_metadata,
        validate_create=validate,
        validate_update=validate_update,
        has_status=True,
        selectable_fields={"status.phase": phase_of},
    ),
)
