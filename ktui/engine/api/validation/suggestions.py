"""The field someone most likely meant where the schema has none of that name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, cast

from ktui.engine.api import schema
from ktui.kube.manifest import split_path

_REF = "#/definitions/"


def did_you_mean(definition_name: str, path: str) -> str:
    """` (did you mean "replicas"?)` for `spec.replcas`, or "" when nothing is near."""
    *parents, unknown = list(split_path(path)) or [""]
    node = _resolved({"$ref": f"{_REF}{definition_name}"})
    for part in parents:
        if isinstance(part, int):
            node = _resolved(node.get("items") or {})
        else:
            properties: dict[str, Any] = node.get("properties") or {}
            node = _resolved(properties.get(part) or node.get("additionalProperties") or {})
    known: dict[str, Any] = node.get("properties") or {}
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(str(unknown).lower(), by_lower, n=1, cutoff=0.6)
    return f' (did you mean "{by_lower[close[0]]}"?)' if close else ""


def _resolved(node: Any) -> dict[str, Any]:
    found = cast(dict[str, Any], node) if isinstance(node, dict) else {}
    while "$ref" in found:
        found = schema.load().definitions[found["$ref"].removeprefix(_REF)]
    return found
