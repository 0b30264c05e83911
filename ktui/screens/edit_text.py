"""The text of an edit: an object as commented YAML, what the user made of it, and the patch between.

Pure: objects and texts in, texts, patches and `EditError`s out. A patch holds only what the user changed, and the
version the change was made on, so that nobody's later change is overwritten unseen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from ktui.kube.manifest import ManifestError, parse
from ktui.kube.resource import GroupVersionKind, Object
from ktui.kube.yaml_text import to_yaml, without_managed_fields

_HEADER = (
    "Please edit the object below. Lines beginning with a '#' will be ignored,",
    "and an empty file will abort the edit. If an error occurs while saving this file will be",
    "reopened with the relevant failures.",
    "",
)
_IDENTITY = ("name", "namespace", "uid")


class EditError(ValueError):
    """What the user wrote can't be used; the message says where and why."""


def edit_text(obj: Object, problems: Sequence[str] = ()) -> str:
    """The file to edit: what to do, what was wrong, the object."""
    return with_problems(to_yaml(without_managed_fields(obj)), problems)


def with_problems(body: str, problems: Sequence[str]) -> str:
    """The object's text under a fresh header."""
    lines = [*_HEADER, *(line for problem in problems for line in problem.splitlines())]
    if problems:
        lines.append("")
    return "".join(f"# {line}".rstrip() + "\n" for line in lines) + body


def without_header(text: str) -> str:
    """The text without the comments at its top."""
    lines = text.splitlines(keepends=True)
    at = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    return "".join(lines[at:])


def read_edit(text: str, before: Object) -> Object | None:
    """The object as the user left it; None for an empty file. Raises EditError."""
    try:
        documents = parse(text.encode())
    except ManifestError as error:
        raise EditError(
            f"line {error.position.line}, column {error.position.column}: {error.message}"
        ) from None
    if not documents:
        return None
    if len(documents) > 1:
        raise EditError(f"line {documents[1].position.line}: one object at a time, this is a second one")
    after = documents[0].object
    if GroupVersionKind.of(after) != GroupVersionKind.of(before):
        raise EditError("apiVersion and kind can't be changed by an edit")
    old, new = before["metadata"], after.get("metadata") or {}
    for field in _IDENTITY:
        if new.get(field) != old.get(field):
            raise EditError(f"metadata.{field} can't be changed by an edit: it is {old.get(field)!r}")
    return after


def merge_patch(before: Any, after: Any) -> Object:
    """The JSON merge patch from one object to another; empty when they are equal."""
    patch: Object = {}
    for key in before.keys() | after.keys():
        if key not in after:
            patch[key] = None
        elif key not in before:
            patch[key] = after[key]
        elif before[key] != after[key]:
            both = isinstance(before[key], dict) and isinstance(after[key], dict)
            patch[key] = merge_patch(before[key], after[key]) if both else after[key]
    return patch


def apply_merge_patch(obj: Object, patch: Object) -> Object:
    """An object with a merge patch applied."""
    result = dict(obj)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inside = result.get(key)
            start = cast(Object, inside) if isinstance(inside, dict) else {}
            result[key] = apply_merge_patch(start, cast(Object, value))
        else:
            result[key] = value
    return result


def user_patch(before: Object, after: Object) -> Object:
    """What the user changed; managedFields and the version are the server's."""
    patch = merge_patch(without_managed_fields(before), without_managed_fields(after))
    metadata: Object = dict(patch.get("metadata") or {})
    metadata.pop("resourceVersion", None)
    metadata.pop("managedFields", None)
    patch.pop("metadata", None)
    return {**patch, "metadata": metadata} if metadata else patch


def changed_paths(before: Object, after: Object) -> list[str]:
    """The fields that differ, with both values, for people; what the cluster itself keeps up to date aside."""
    patch = {key: value for key, value in user_patch(before, after).items() if key != "status"}
    metadata = {key: value for key, value in (patch.get("metadata") or {}).items() if key != "generation"}
    return _paths({**patch, "metadata": metadata}, before, "")


def _paths(patch: Object, before: Object, lead: str) -> list[str]:
    found: list[str] = []
    for key, value in sorted(patch.items()):
        old = before.get(key)
        path = f"{lead}.{key}" if lead else str(key)
        if isinstance(value, dict) and isinstance(old, dict):
            found += _paths(cast(Object, value), cast(Object, old), path)
        else:
            found.append(f"{path}: {_brief(old)} -> {_brief(value)}")
    return found


def _brief(value: Any) -> str:
    text = "(none)" if value is None else value if isinstance(value, str) else json.dumps(value)
    text = text.replace("\n", " ")
    return text if len(text) <= 60 else text[:59] + "…"
