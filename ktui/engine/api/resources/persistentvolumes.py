"""PersistentVolume: a piece of storage, given to one claim and kept or deleted when that lets go of it."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata
from ktui.engine.api.resources.volume_defaults import default_source
from ktui.engine.api.validation.persistentvolumes import (
    sources_of,
    validate_volume,
    validate_volume_status,
    validate_volume_update,
)
from ktui.kube.data import section, string, strings
from ktui.kube.kinds import PERSISTENT_VOLUMES
from ktui.kube.quantity import canonical
from ktui.kube.resource import Object
from ktui.kube.storage import class_of, short_modes, storage_of

UNSET: Final = "<unset>"


def default(volume: Object) -> Object:
    spec = section(volume, "spec")
    filled: Object = {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem", **spec}
    for source in sources_of(spec):
        filled[source] = default_source(source, spec[source])
    if section(spec, "claimRef"):
        filled["claimRef"] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **spec["claimRef"]}
    return {**volume, "spec": filled}


def prepare_create(volume: Object) -> Object:
    return {**volume, "status": {"phase": "Pending"}}


def phase_of(obj: Object) -> str:
    """The phase of a volume or claim as tables show it."""
    if section(obj, "metadata").get("deletionTimestamp"):
        return "Terminating"
    return string(section(obj, "status"), "phase")


def _claim(volume: Object) -> str:
    claim = section(volume, "spec", "claimRef")
    return f"{string(claim, 'namespace')}/{string(claim, 'name')}" if claim else ""


def _capacity(volume: Object) -> str:
    size = storage_of(section(volume, "spec", "capacity"))
    return canonical(size) if size else ""


def volume_mode(obj: Object) -> str:
    return section(obj, "spec").get("volumeMode") or UNSET


def attributes_class(obj: Object) -> str:
    return section(obj, "spec").get("volumeAttributesClassName") or UNSET


DECLARATIONS = (
    Declaration(
        resource=PERSISTENT_VOLUMES,
        schema="io.k8s.api.core.v1.PersistentVolume",
        columns=(
            NAME,
            text("Capacity", _capacity, "How much it holds."),
            text(
                "Access Modes",
                lambda found: short_modes(strings(section(found, "spec"), "accessModes")),
                "How it may be mounted.",
            ),
            text(
                "Reclaim Policy",
                lambda found: string(section(found, "spec"), "persistentVolumeReclaimPolicy"),
                "What becomes of it when its claim is gone.",
            ),
            text("Status", phase_of, "Available, Bound, Released or Failed."),
            text("Claim", _claim, "The claim that has it."),
            text("StorageClass", lambda found: class_of(found) or "", "The class it belongs to."),
            text("VolumeAttributesClass", attributes_class, "The class of its changeable attributes."),
            text("Reason", lambda found: string(section(found, "status"), "reason"), "Why it failed."),
            AGE,
            text("VolumeMode", volume_mode, "Filesystem or Block.", priority=1),
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_volume,
        validate_update=validate_volume_update,
        validate_status=validate_volume_status,
        has_status=True,
        returns_deleted=True,
    ),
)
