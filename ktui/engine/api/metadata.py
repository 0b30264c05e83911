"""What the server itself writes into metadata, and which of it nobody may change.

Pure functions between what a client sent and what is stored: identity checks against the request's path,
fields filled at creation, fields carried over and rules checked at an update.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, cast

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import metadata_of, with_metadata
from ktui.kube.clock import rfc3339
from ktui.kube.errors import Cause, StatusError, bad_request, invalid
from ktui.kube.resource import GroupVersionKind, Object

_IMMUTABLE = "field is immutable"
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def checked_body(declaration: Declaration, body: Any) -> Object:
    """The body as an object of the declared kind; a missing apiVersion and kind are filled in."""
    resource = declaration.resource
    if not isinstance(body, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    obj = cast("Object", body)
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if api_version not in (None, "", resource.api_version):
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind not in (None, "", resource.kind):
        raise bad_request(
            f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"{resource.api_version}, Kind={kind} is not a {resource.kind}"
        )
    metadata = obj.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta"
        )
    if api_version and kind and metadata is not None:
        return obj
    known: Object = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata or {}}
    return {**known, **{name: value for name, value in obj.items() if name not in known}}


def in_namespace(declaration: Declaration, obj: Object, namespace: str) -> Object:
    """The object in the namespace of the request, which it may leave out but not contradict."""
    metadata = metadata_of(obj)
    found = metadata.get("namespace") or ""
    if not declaration.resource.namespaced:
        return with_metadata(obj, namespace=None) if "namespace" in metadata else obj
    if found == namespace:
        return obj
    if found:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return with_metadata(obj, namespace=namespace)


def check_name(obj: Object, name: str) -> None:
    """The name of an object sent to a path with a name."""
    found = metadata_of(obj).get("name") or ""
    if found != name:
        raise bad_request(f"the name of the object ({found}) does not match the name on the URL ({name})")


def name_required(declaration: Declaration) -> StatusError:
    """A create without name and generateName."""
    return invalid(
        declaration.resource,
        "",
        [Cause("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")],
    )


def born(declaration: Declaration, obj: Object, name: str, now: datetime) -> Object:
    """The object as it comes into being: identity and times are the server's."""
    metadata = metadata_of(obj)
    kept = {
        field: value
        for field, value in metadata.items()
        if field
        not in (
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "resourceVersion",
            "generation",
        )
    }
    kept["name"] = name
    kept["uid"] = str(uuid.uuid4())
    kept["creationTimestamp"] = rfc3339(now)
    if declaration.has_generation:
        kept["generation"] = 1
    return {**obj, "metadata": kept}


def carried_over(new: Object, old: Object) -> Object:
    """An update's object with what the server keeps of metadata: identity, times, generation, version."""
    before = metadata_of(old)
    metadata = dict(metadata_of(new))
    for field in _KEPT:
        if field in before and metadata.get(field) in (None, ""):
            metadata[field] = before[field]
    for field in ("generation", "selfLink"):
        metadata.pop(field, None)
        if field in before:
            metadata[field] = before[field]
    metadata["resourceVersion"] = before.get("resourceVersion", "")
    return {**new, "metadata": metadata}


def update_errors(new: Object, old: Object) -> list[Cause]:
    """The rules on metadata of an update."""
    after, before = metadata_of(new), metadata_of(old)
    errors = [
        Cause(
            f"metadata.{field}",
            "FieldValueInvalid",
            f"Invalid value: {_quoted(after.get(field))}: {_IMMUTABLE}",
        )
        for field in ("name", "namespace", *_KEPT)
        if (after.get(field) or None) != (before.get(field) or None)
    ]
    if before.get("deletionTimestamp"):
        finalizers: list[str] = after.get("finalizers") or []
        added = sorted(set(finalizers) - set(before.get("finalizers") or ()))
        if added:
            listed = ", ".join(f'"{name}"' for name in added)
            errors.append(
                Cause(
                    "metadata.finalizers",
                    "FieldValueForbidden",
                    "Forbidden: no new finalizers can be added if the object is being deleted, found new "
                    f"finalizers []string{{{listed}}}",
                )
            )
    return errors


def _quoted(value: Any) -> str:
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else str(value)


def next_generation(declaration: Declaration, new: Object, old: Object) -> Object:
    """Counts up when something outside metadata and status has changed."""
    if not declaration.has_generation or not _changed(declaration, new, old):
        return new
    return with_metadata(new, generation=int(metadata_of(old).get("generation") or 0) + 1)


def _changed(declaration: Declaration, new: Object, old: Object) -> bool:
    outside = (new.keys() | old.keys()) - {"metadata", "apiVersion", "kind"}
    if declaration.has_status:
        outside -= {"status"}
    return any(new.get(field) != old.get(field) for field in outside)


def marked_deleted(obj: Object, moment: datetime, grace: int) -> Object:
    """The object on its way out: gone at `moment`, which is `grace` seconds from the request."""
    metadata = metadata_of(obj)
    generation = int(metadata.get("generation") or 0)
    changes: dict[str, Any] = {"deletionTimestamp": rfc3339(moment), "deletionGracePeriodSeconds": grace}
    if generation and not metadata.get("deletionTimestamp"):
        changes["generation"] = generation + 1
    return with_metadata(obj, **changes)


def is_finished(obj: Object) -> bool:
    """Marked deleted, with no grace left and no finalizer: it can go."""
    metadata = metadata_of(obj)
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if metadata.get("deletionGracePeriodSeconds"):
        return False
    if GroupVersionKind.of(obj) == ("", "v1", "Namespace"):
        spec: Object = obj.get("spec") or {}
        return not spec.get("finalizers")
    return True
