"""Reading an object's JSON data where fields may be missing or null: a missing field reads as its empty value."""

from __future__ import annotations

from ktui.kube.resource import Object


def section(obj: Object, *path: str) -> Object:
    """The object at a path of fields, empty if there is none: `section(pod, "spec", "affinity")`."""
    found: Object | None = obj
    for field in path:
        found = found.get(field)
        if not found:
            return {}
    return found


def items(obj: Object, field: str) -> list[Object]:
    """A list of objects."""
    return obj.get(field) or []


def strings(obj: Object, field: str) -> list[str]:
    """A list of strings."""
    return obj.get(field) or []


def mapping(obj: Object, field: str) -> dict[str, str]:
    """A map of strings: labels, annotations, quantities, data."""
    return obj.get(field) or {}


def string(obj: Object, field: str) -> str:
    return obj.get(field) or ""
