"""Rules for PersistentVolumeClaims: what may be asked for, and the little of it that may change later."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.validation.difference import difference
from ktui.engine.api.validation.fields import forbidden, immutable, invalid, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.engine.api.validation.storage import (
    check_access_modes,
    check_class_name,
    check_size,
    check_volume_mode,
)
from ktui.kube.data import mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object
from ktui.kube.storage import CLASS_ANNOTATION, storage_of

_CLAIM: Final = "PersistentVolumeClaim"
_IMMUTABLE: Final = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def validate_claim(claim: Object) -> list[Cause]:
    return check_metadata(claim, namespaced=True) + check_claim_spec(section(claim, "spec"), "spec")


def check_claim_spec(spec: Object, path: str) -> list[Cause]:
    """A claim's spec, also of a template."""
    modes = strings(spec, "accessModes")
    causes: list[Cause] = []
    if not modes:
        causes.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    causes += check_label_selector(spec.get("selector"), f"{path}.selector")
    causes += check_access_modes(modes, f"{path}.accessModes")
    size = storage_of(section(spec, "resources", "requests"))
    at = f"{path}.resources[storage]"
    causes += check_size(size, at) if size else [required(at)]
    causes += check_class_name(string(spec, "storageClassName"), f"{path}.storageClassName")
    causes += check_volume_mode(spec, f"{path}.volumeMode")
    causes += check_class_name(string(spec, "volumeAttributesClassName"), f"{path}.volumeAttributesClassName")
    return causes + _source(spec, path)


def _source(spec: Object, path: str) -> list[Cause]:
    """What a new volume begins with: a claim, a snapshot, or whatever a populator knows."""
    causes: list[Cause] = []
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for field, found in (("dataSource", source), ("dataSourceRef", reference)):
        if found is None:
            continue
        at = f"{path}.{field}"
        causes += [required(f"{at}.{name}") for name in ("name", "kind") if not found.get(name)]
        if not found.get("apiGroup") and found.get("kind") and found["kind"] != _CLAIM:
            causes.append(
                invalid(
                    at, found["kind"], "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
                )
            )
    if source is None or reference is None:
        return causes
    if reference.get("namespace"):
        why = "may not be specified when dataSourceRef.namespace is specified"
        causes.append(invalid(path, f"{path}.dataSource", why))
    elif source != {field: value for field, value in reference.items() if field != "namespace"}:
        causes.append(invalid(path, f"{path}.dataSource", "must match dataSourceRef"))
    return causes


def validate_claim_update(new: Object, old: Object) -> list[Cause]:
    """A volume is given once, a class may be filled in while nothing is bound, and bound claims may grow."""
    causes = check_metadata_update(new, old)
    after, before = section(new, "spec"), section(old, "spec")
    allowed = {**before}
    if not before.get("volumeName") and "volumeName" in after:
        allowed["volumeName"] = after["volumeName"]
    is_bound = section(new, "status").get("phase") == "Bound"
    if _is_class_filled_in(new, old):
        allowed["storageClassName"] = after["storageClassName"]
    else:
        causes += _same_annotation(new, old)
    if is_bound:
        allowed["resources"] = _resized(section(before, "resources"), section(after, "resources"))
        if "volumeAttributesClassName" in after:
            allowed["volumeAttributesClassName"] = after["volumeAttributesClassName"]
    if after != allowed:
        changes = "\n".join(difference(allowed, after))
        causes.append(forbidden("spec", f"{_IMMUTABLE}\n{changes}"))
    causes += _no_shrinking(new, old)
    causes += _keeps_attributes(new, old)
    return causes + immutable("volumeMode", after.get("volumeMode"), before.get("volumeMode"))


def _resized(before: Object, after: Object) -> Object:
    requests = mapping(after, "requests")
    if "storage" not in requests:
        return before
    return {**before, "requests": {**mapping(before, "requests"), "storage": requests["storage"]}}


def _is_class_filled_in(new: Object, old: Object) -> bool:
    annotations = mapping(section(old, "metadata"), "annotations")
    had, has = section(old, "spec").get("storageClassName"), section(new, "spec").get("storageClassName")
    is_pending = section(old, "status").get("phase") in (None, "", "Pending")
    return CLASS_ANNOTATION not in annotations and had is None and has is not None and is_pending


def _same_annotation(new: Object, old: Object) -> list[Cause]:
    had, has = (
        mapping(section(each, "metadata"), "annotations").get(CLASS_ANNOTATION, "") for each in (old, new)
    )
    return immutable(f"metadata.annotations[{CLASS_ANNOTATION}]", has, had)


def _no_shrinking(new: Object, old: Object) -> list[Cause]:
    """A claim may be taken back to more than what there is already, never to less."""
    wanted, had = (storage_of(section(each, "spec", "resources", "requests")) for each in (new, old))
    if not wanted or not had or not parse_quantity(wanted) < parse_quantity(had):
        return []
    there = storage_of(section(old, "status", "capacity"))
    if there and parse_quantity(there) < parse_quantity(wanted):
        return []
    why = "field can not be less than status.capacity"
    return [forbidden("spec.resources.requests.storage", why)]


def _keeps_attributes(new: Object, old: Object) -> list[Cause]:
    """Once a volume has a class of attributes, it may get another, but not none."""
    had, has = (section(each, "spec").get("volumeAttributesClassName") for each in (old, new))
    if had == has or section(old, "status").get("currentVolumeAttributesClassName") is None or has:
        return []
    what = "nil" if has is None else "empty string"
    why = f"update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil"
    return [forbidden("spec.volumeAttributesClassName", why)]


_PHASES: Final = ("Bound", "Lost", "Pending")


def validate_claim_status(new: Object, old: Object) -> list[Cause]:
    status = section(new, "status")
    causes = check_metadata_update(new, old)
    phase: Any = status.get("phase")
    if phase and phase not in _PHASES:
        causes.append(unsupported("status.phase", phase, _PHASES))
    for name, amount in mapping(status, "capacity").items():
        causes += check_size(amount, f"status.capacity[{name}]")
    return causes
