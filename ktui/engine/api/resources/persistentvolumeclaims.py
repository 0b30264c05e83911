"""PersistentVolumeClaim: a wish for storage, bound to the volume that grants it."""

from __future__ import annotations

from ktui.engine.api.declaration import Cell, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.resources.persistentvolumes import attributes_class, phase_of, volume_mode
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata
from ktui.engine.api.validation.persistentvolumeclaims import (
    validate_claim,
    validate_claim_status,
    validate_claim_update,
)
from ktui.kube.data import section, string, strings
from ktui.kube.kinds import PERSISTENT_VOLUME_CLAIMS
from ktui.kube.quantity import canonical
from ktui.kube.resource import Object
from ktui.kube.storage import class_of, short_modes, storage_of


def default(claim: Object) -> Object:
    """A file system unless a block device is asked for; the two names of a source say the same."""
    spec: Object = {"volumeMode": "Filesystem", **section(claim, "spec")}
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = source
    elif source is None and reference is not None and not reference.get("namespace"):
        spec["dataSource"] = reference
    return {**claim, "spec": spec}


def prepare_create(claim: Object) -> Object:
    return {**claim, "status": {"phase": "Pending"}}


def _volume(claim: Object) -> str:
    return string(section(claim, "spec"), "volumeName")


def _capacity(claim: Object) -> Cell:
    size = storage_of(section(claim, "status", "capacity")) if _volume(claim) else ""
    return canonical(size) if size else ("0" if _volume(claim) else "")


def _modes(claim: Object) -> str:
    return short_modes(strings(section(claim, "status"), "accessModes")) if _volume(claim) else ""


DECLARATIONS = (
    Declaration(
        resource=PERSISTENT_VOLUME_CLAIMS,
        schema="io.k8s.api.core.v1.PersistentVolumeClaim",
        columns=(
            NAME,
            text("Status", phase_of, "Pending, Bound or Lost."),
            text("Volume", _volume, "The volume it is bound to."),
            text("Capacity", _capacity, "How much that holds."),
            text("Access Modes", _modes, "How it may be mounted."),
            text("StorageClass", lambda found: class_of(found) or "", "The class it asks for."),
            text("VolumeAttributesClass", attributes_class, "The class of its changeable attributes."),
            AGE,
            text("VolumeMode", volume_mode, "Filesystem or Block.", priority=1),
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_claim,
        validate_update=validate_claim_update,
        validate_status=validate_claim_status,
        has_status=True,
        returns_deleted=True,
    ),
)
