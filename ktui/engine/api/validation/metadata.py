"""Rules for `metadata`, the same for every kind: names, labels, annotations, owners, finalizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    immutable,
    invalid,
    required,
)
from ktui.kube import names
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

NameRule: TypeAlias = Callable[[str], list[str]]

_LARGEST_ANNOTATIONS: Final = 256 * 1024
_KNOWN_FINALIZERS: Final = ("kubernetes", "foregroundDeletion", "orphan")


def metadata_of(obj: Object) -> Object:
    metadata: Object = obj.get("metadata") or {}
    return metadata


def check_metadata(
    obj: Object, *, namespaced: bool, name_rule: NameRule = names.dns_subdomain, path: str = "metadata"
) -> list[Cause]:
    """All that Kubernetes asks of an object's metadata."""
    metadata = metadata_of(obj)
    causes: list[Cause] = []
    prefix: str = metadata.get("generateName") or ""
    if prefix:
        causes += each_invalid(f"{path}.generateName", prefix, name_rule(names.prefix_of_name(prefix)))
    name: str = metadata.get("name") or ""
    if not name:
        causes.append(required(f"{path}.name", "name or generateName is required"))
    else:
        causes += each_invalid(f"{path}.name", name, name_rule(name))
    namespace: str = metadata.get("namespace") or ""
    if namespaced:
        if not namespace:
            causes.append(required(f"{path}.namespace"))
        else:
            causes += each_invalid(f"{path}.namespace", namespace, names.dns_label(namespace))
    elif namespace:
        causes.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    generation = metadata.get("generation")
    if generation is not None and generation < 0:
        causes.append(invalid(f"{path}.generation", generation, names.NON_NEGATIVE))
    causes += check_labels(metadata.get("labels"), f"{path}.labels")
    causes += check_annotations(metadata.get("annotations"), f"{path}.annotations")
    causes += _owners(metadata, path)
    causes += _finalizers(metadata, f"{path}.finalizers")
    return causes


def check_metadata_update(new: Object, old: Object, path: str = "metadata") -> list[Cause]:
    """What of an object's metadata can't change, besides what the server itself keeps."""
    after, before = metadata_of(new), metadata_of(old)
    causes: list[Cause] = []
    for field in ("name", "namespace", "uid", "creationTimestamp"):
        if after.get(field) or field == "name":
            causes += immutable(f"{path}.{field}", after.get(field), before.get(field))
    if before.get("deletionTimestamp"):
        added = [f for f in after.get("finalizers") or () if f not in (before.get("finalizers") or ())]
        if added:
            causes.append(
                forbidden(
                    f"{path}.finalizers",
                    "no new finalizers can be added if the object is being deleted, found new finalizers "
                    f"[]string{{{', '.join(chr(34) + f + chr(34) for f in added)}}}",
                )
            )
    return causes


def check_labels(labels: dict[str, str] | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, value in (labels or {}).items():
        causes += each_invalid(path, key, names.qualified_name(key))
        causes += each_invalid(path, value, names.label_value(value))
    return causes


def check_annotations(annotations: dict[str, str] | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    total = 0
    for key, value in (annotations or {}).items():
        causes += each_invalid(path, key, names.qualified_name(key.lower()))
        total += len(key.encode()) + len(value.encode())
    if total > _LARGEST_ANNOTATIONS:
        causes.append(
            Cause(path, "FieldValueTooLong", f"Too long: may not be more than {_LARGEST_ANNOTATIONS} bytes")
        )
    return causes


def _owners(metadata: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    controllers: list[str] = []
    owners: list[dict[str, Any]] = metadata.get("ownerReferences") or []
    for index, owner in enumerate(owners):
        at = f"{path}.ownerReferences[{index}]"
        api_version: str = owner.get("apiVersion") or ""
        if not api_version:
            causes.append(invalid(f"{at}.apiVersion", "", "version must not be empty"))
        for field, why in (
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ):
            if not owner.get(field):
                causes.append(invalid(f"{at}.{field}", "", why))
        if owner.get("kind") == "Event" and api_version in ("v1", "events.k8s.io/v1"):
            causes.append(invalid(at, owner, f"{api_version}, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            controllers.append(str(owner.get("name")))
    if len(controllers) > 1:
        causes.append(
            invalid(
                f"{path}.ownerReferences",
                owners,
                'Only one reference can have Controller set to true. Found "true" in references for '
                + " and ".join(controllers[:2]),
            )
        )
    return causes


def _finalizers(metadata: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    finalizers: list[str] = metadata.get("finalizers") or []
    for index, finalizer in enumerate(finalizers):
        at = f"{path}[{index}]"
        causes += each_invalid(at, finalizer, names.qualified_name(finalizer))
        if "/" not in finalizer and finalizer not in _KNOWN_FINALIZERS:
            causes.append(
                invalid(
                    at,
                    finalizer,
                    "name is neither a standard finalizer name nor is it fully qualified",
                )
            )
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        causes.append(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
    return causes
