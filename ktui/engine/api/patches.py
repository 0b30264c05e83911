"""PATCH: a patch of any content type becomes a function from the stored object to the wanted one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from ktui.client.base import PatchType
from ktui.engine.api.patching import json_patch, merge_patch, strategic
from ktui.engine.api.patching.shape import shape_of
from ktui.engine.api.schema import load
from ktui.kube.errors import Cause, StatusError, bad_request, invalid, status
from ktui.kube.resource import Object, Resource

_PATCH_OPTIONS: Final = Resource("meta.k8s.io", "v1", "patchoptions", "PatchOptions", False)
_REJECTED: Final = "the server rejected our request due to an error in our request"


def patcher(patch_type: PatchType, patch: Any, definition: str) -> Callable[[Object], Object]:
    """How a patch changes an object; 400 for what is not a patch, 422 (at the call) for one that does not fit."""
    match patch_type:
        case PatchType.JSON:
            return _json_patcher(patch, _always_there(definition))
        case PatchType.MERGE:
            fields = _fields(patch)
            return lambda old: merge_patch.merge(old, fields)
        case PatchType.STRATEGIC:
            return _strategic_patcher(_fields(patch), definition)
        case _:
            raise StatusError(
                status(
                    415,
                    "UnsupportedMediaType",
                    f"the body of the request was in an unknown format: {patch_type}",
                )
            )


def unsupported_patch(accepted: Sequence[PatchType]) -> StatusError:
    """415 for a patch of a content type the kind does not take."""
    listed = ", ".join(accepted)
    return StatusError(
        status(
            415,
            "UnsupportedMediaType",
            f"the body of the request was in an unknown format - accepted media types include: {listed}",
        )
    )


def invalid_options(field: str, message: str) -> StatusError:
    """422 for options that don't fit the kind of patch."""
    reason = "FieldValueRequired" if message.startswith("Required") else "FieldValueForbidden"
    return invalid(_PATCH_OPTIONS, "", [Cause(field, reason, message)])


def _fields(patch: Any) -> Object:
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: the patch must be a JSON object")
    return cast("Object", patch)


def _strategic_patcher(patch: Object, definition: str) -> Callable[[Object], Object]:
    shape = shape_of(definition)

    def patched(old: Object) -> Object:
        try:
            return strategic.merge(shape, old, patch)
        except strategic.StrategicPatchError as error:
            raise bad_request(f"error decoding patch: {error}") from error

    return patched


def _always_there(definition: str) -> Object:
    """The sections of Kubernetes' own kinds that an object has even if nothing is in them, for paths to lead into."""
    declared = load().definitions.get(definition, {}).get("properties", {})
    return {name: {} for name in ("spec", "status") if name in declared}


def _json_patcher(patch: Any, empty: Object) -> Callable[[Object], Object]:
    if not isinstance(patch, list | tuple):
        raise bad_request("error decoding patch: a JSON patch must be a list of operations")
    operations = cast("Sequence[Any]", patch)
    if len(operations) > json_patch.MOST_OPERATIONS:
        raise StatusError(
            status(
                413,
                "RequestEntityTooLarge",
                f"Request entity too large: The allowed maximum operations in a JSON patch is "
                f"{json_patch.MOST_OPERATIONS}, got {len(operations)}",
            )
        )

    def patched(old: Object) -> Object:
        try:
            found = json_patch.apply({**empty, **old}, operations)
        except json_patch.PatchError as error:
            if error.malformed:
                raise bad_request(f"error decoding patch: {error}") from error
            raise _rejected(str(error)) from error
        if not isinstance(found, dict):
            raise _rejected("the patched document is not an object")
        new = cast("Object", found)
        return {name: value for name, value in new.items() if value or name in old or name not in empty}

    return patched


def _rejected(why: str) -> StatusError:
    return StatusError(status(422, "Invalid", f"{_REJECTED}: {why}"))


def only_annotates(patch_type: PatchType, patch: object) -> bool:
    """Whether a patch can change nothing but annotations: how users ask ktui's own kinds for something."""
    if patch_type not in (PatchType.MERGE, PatchType.STRATEGIC) or not isinstance(patch, dict):
        return False
    document = cast(Object, patch)
    metadata: object = document.get("metadata")
    return (
        document.keys() == {"metadata"}
        and isinstance(metadata, dict)
        and cast(Object, metadata).keys() <= {"annotations", "resourceVersion"}
    )
