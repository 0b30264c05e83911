"""Merges what a policy's expression made into an object, as server-side apply merges, but without owners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ktui.engine.api import schema
from ktui.engine.api.admission.review import Shown
from ktui.engine.api.apply.merging import merged
from ktui.engine.api.apply.ownership import ListItemError
from ktui.engine.api.patching.shape import UNTYPED, Shape, shape_of
from ktui.engine.api.validation.structure import SchemaReport, validate_schema
from ktui.kube.resource import Object


class MergeError(Exception):
    """A configuration that can't be merged into this object."""


def applied(shown: Shown, obj: Object, config: Object) -> Object:
    """The object, as it is shown, with the fields of a configuration. Raises MergeError."""
    shape, report = _known(shown, {**config, "apiVersion": obj.get("apiVersion"), "kind": obj.get("kind")})
    if report is not None and report.unknown_fields:
        listed = "\n".join(f"  .{path}: field not declared in schema" for path in report.unknown_fields)
        raise MergeError(f"failed to convert patch object to typed object: errors:\n{listed}")
    if whole := list(_atomic(shape, config, "")):
        raise MergeError(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: " + ", ".join(whole)
        )
    try:
        found: Object = merged(shape, obj, config)
    except ListItemError as error:
        raise MergeError(f"failed to convert patch object to typed object: {error.message}") from error
    return found


def _known(shown: Shown, config: Object) -> tuple[Shape, SchemaReport | None]:
    """How objects merge, and what the schema says of the configuration."""
    declaration = shown.declaration
    if shown.kind == declaration.resource.gvk:
        custom = declaration.custom
        report = custom.decode(config) if custom else validate_schema(declaration.schema, config)
        return declaration.shape, report
    name = schema.load().by_kind.get(shown.kind)
    return (shape_of(name), validate_schema(name, config)) if name else (UNTYPED, None)


def _atomic(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """The paths of lists, maps and objects that belong together and are replaced whole."""
    if isinstance(value, dict):
        if shape.atomic and shape.kind in ("struct", "map"):
            yield path
        for name, inner in cast("Object", value).items():
            yield from _atomic(shape.child(name), inner, f"{path}.{name}")
    elif isinstance(value, list):
        if shape.kind != "list" or shape.atomic:
            yield path
        for index, inner in enumerate(cast("list[Any]", value)):
            yield from _atomic(shape.item, inner, f"{path}[{index}]")
