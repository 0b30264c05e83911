"""Rules for PersistentVolumes: a size, access modes and exactly one source, none of which can change."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.validation.difference import difference
from ktui.engine.api.validation.fields import forbidden, immutable, invalid, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.paths import no_backsteps
from ktui.engine.api.validation.scheduling import check_node_selector
from ktui.engine.api.validation.storage import (
    check_access_modes,
    check_class_name,
    check_size,
    check_volume_mode,
)
from ktui.engine.api.validation.volumes import check_source
from ktui.kube.data import mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_RECLAIM: Final = ("Delete", "Recycle", "Retain")
_EXPAND_SECRET: Final = "controllerExpandSecretRef"
_PLAIN: Final = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)
"""Fields of the spec that say nothing of where the data is."""


def validate_volume(volume: Object) -> list[Cause]:
    spec = section(volume, "spec")
    modes, capacity = strings(spec, "accessModes"), mapping(spec, "capacity")
    causes = check_metadata(volume, namespaced=False)
    if not modes:
        causes.append(required("spec.accessModes"))
    causes += check_access_modes(modes, "spec.accessModes")
    if not capacity:
        causes.append(required("spec.capacity"))
    if "storage" not in capacity or len(capacity) > 1:
        causes.append(unsupported("spec.capacity", capacity, ("storage",)))
    for name, amount in capacity.items():
        causes += check_size(amount, f"spec.capacity[{name}]")
    policy = string(spec, "persistentVolumeReclaimPolicy")
    if policy and policy not in _RECLAIM:
        causes.append(unsupported("spec.persistentVolumeReclaimPolicy", policy, _RECLAIM))
    causes += _affinity(spec)
    causes += _sources(spec)
    if section(spec, "hostPath").get("path") == "/" and policy == "Recycle":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        causes.append(forbidden("spec.persistentVolumeReclaimPolicy", why))
    causes += check_class_name(string(spec, "storageClassName"), "spec.storageClassName")
    causes += check_volume_mode(spec, "spec.volumeMode")
    return causes + _attributes_class(spec)


def _attributes_class(spec: Object) -> list[Cause]:
    """Only drivers know classes of attributes."""
    name, at = spec.get("volumeAttributesClassName"), "spec.volumeAttributesClassName"
    if name is None:
        return []
    causes = check_class_name(name, at) if name else [required(at, "an empty string is disallowed")]
    if not spec.get("csi"):
        causes.append(required("spec.csi", "has to be specified when using volumeAttributesClassName"))
    return causes


def _affinity(spec: Object) -> list[Cause]:
    if spec.get("nodeAffinity") is None:
        return []
    wanted: Object | None = section(spec, "nodeAffinity").get("required")
    at = "spec.nodeAffinity.required"
    if wanted is None:
        return [required(at, "must specify required node constraints")]
    return check_node_selector(wanted, at)


def sources_of(spec: Object) -> list[str]:
    """Which sources a volume's spec has."""
    return [field for field in spec if field not in _PLAIN and spec[field] is not None]


def _sources(spec: Object) -> list[Cause]:
    found = sources_of(spec)
    if not found:
        return [required("spec", "must specify a volume type")]
    causes = [forbidden(f"spec.{field}", "may not specify more than 1 volume type") for field in found[1:]]
    first = found[0]
    if first != "local":
        return causes + check_source(first, spec[first], f"spec.{first}")
    path = string(spec["local"], "path")
    causes += no_backsteps(path, "spec.local.path") if path else [required("spec.local.path")]
    if spec.get("nodeAffinity") is None:
        causes.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    return causes


def validate_volume_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    after, before = section(new, "spec"), section(old, "spec")
    had, has = ({field: spec[field] for field in sources_of(spec)} for spec in (before, after))
    if "csi" in had and "csi" in has and not had["csi"].get(_EXPAND_SECRET):
        # A driver that learns to expand volumes may be given its secret later.
        has["csi"] = {field: value for field, value in has["csi"].items() if field != _EXPAND_SECRET}
    if had != has:
        changes = "\n".join(difference(had, has))
        why = f"spec.persistentvolumesource is immutable after creation\n{changes}"
        causes.append(forbidden("spec.persistentvolumesource", why))
    causes += immutable("volumeMode", after.get("volumeMode"), before.get("volumeMode"))
    if before.get("nodeAffinity"):
        causes += immutable("nodeAffinity", after.get("nodeAffinity"), before.get("nodeAffinity"))
    if before.get("volumeAttributesClassName") is not None and after.get("volumeAttributesClassName") is None:
        why = "update from non-nil value to nil is forbidden"
        causes.append(forbidden("spec.volumeAttributesClassName", why))
    return causes


_PHASES: Final = ("Available", "Bound", "Failed", "Pending", "Released")


def validate_volume_status(new: Object, old: Object) -> list[Cause]:
    phase = string(section(new, "status"), "phase")
    causes = check_metadata_update(new, old)
    if phase and phase not in _PHASES:
        causes.append(invalid("status.phase", phase, "must be one of " + ", ".join(_PHASES)))
    return causes
