"""A structural schema as a tree of nodes, built once a version, and what decoding does along it.

Pruning drops fields the schema does not have and reports them, defaulting fills in what is missing; both give
new values and leave the old ones as they are. `checking` validates along the same nodes, `rules` evaluates CEL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, cast

from ktui.engine.api.patching.shape import UNTYPED, Shape, shape_of
from ktui.engine.api.schema import OBJECT_META
from ktui.engine.api.validation.structure import validate_schema
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

MISSING: Final = object()
_IDENTITY: Final = ("apiVersion", "kind", "metadata")


@dataclass(slots=True)
class Node:
    """One place in a structural schema."""

    raw: Object
    """The schema as it was written."""
    type: str = ""
    """A JSON type, `int-or-string`, or nothing for any."""
    properties: dict[str, Node] = field(default_factory=dict[str, "Node"])
    values: Node | None = None
    """What `additionalProperties` says of each value."""
    items: Node | None = None
    is_open: bool = False
    """Fields it does not know are kept."""
    is_embedded: bool = False
    """A whole object with apiVersion, kind and metadata."""
    is_nullable: bool = False
    default: Any = MISSING

    @property
    def list_type(self) -> str:
        return self.raw.get("x-kubernetes-list-type") or "atomic"

    @property
    def keys(self) -> list[str]:
        """What tells the items of a list apart."""
        return self.raw.get("x-kubernetes-list-map-keys") or []

    def child(self, name: str) -> Node | None:
        """The node of a field."""
        return self.properties.get(name) or self.values


def node_of(raw: Object) -> Node:
    """The tree of a schema."""
    node = Node(
        raw,
        type="int-or-string" if raw.get("x-kubernetes-int-or-string") else raw.get("type") or "",
        is_open=bool(raw.get("x-kubernetes-preserve-unknown-fields")),
        is_embedded=bool(raw.get("x-kubernetes-embedded-resource")),
        is_nullable=bool(raw.get("nullable")),
        default=raw.get("default", MISSING),
    )
    properties: dict[str, Object] = raw.get("properties") or {}
    node.properties = {name: node_of(child) for name, child in properties.items()}
    values = raw.get("additionalProperties")
    if isinstance(values, dict):
        node.values = node_of(cast("Object", values))
    elif values is True:
        node.is_open = True
    if isinstance(raw.get("items"), dict):
        node.items = node_of(raw["items"])
    return node


@dataclass(slots=True)
class Pruned:
    """What pruning made of an object."""

    object: Object
    unknown_fields: list[str] = field(default_factory=list[str])
    causes: list[Cause] = field(default_factory=list[Cause])
    """Metadata of a wrong type."""


def prune(root: Node, obj: Object) -> Pruned:
    """The object with the fields its schema has, its metadata (and that of embedded objects) in canonical form."""
    pruned = Pruned(obj)
    pruned.object = _pruned_fields(root, obj, "", pruned, is_object=True)
    return pruned


def _pruned(node: Node | None, value: Any, path: str, found: Pruned) -> Any:
    if node is None:
        return value
    if isinstance(value, dict):
        return _pruned_fields(node, cast("Object", value), path, found, is_object=node.is_embedded)
    if isinstance(value, list):
        values = cast("list[Any]", value)
        return [_pruned(node.items, item, f"{path}[{index}]", found) for index, item in enumerate(values)]
    return value


def _pruned_fields(node: Node, value: Object, path: str, found: Pruned, *, is_object: bool) -> Object:
    kept: Object = {}
    for name, inner in value.items():
        at = f"{path}.{name}" if path else name
        if is_object and name in _IDENTITY:
            kept[name] = _metadata(inner, at, found) if name == "metadata" else inner
        elif (child := node.child(name)) is not None:
            kept[name] = _pruned(child, inner, at, found)
        elif node.is_open or not node.type:
            kept[name] = inner
        else:
            found.unknown_fields.append(at)
    return kept


def _metadata(value: Any, path: str, found: Pruned) -> Any:
    report = validate_schema(OBJECT_META, value)
    found.unknown_fields += [f"{path}.{name}" for name in report.unknown_fields]
    found.causes += [
        Cause(f"{path}.{cause.field}" if cause.field else path, cause.reason, cause.message)
        for cause in report.causes
    ]
    return report.object


def defaulted(node: Node | None, value: Any) -> Any:
    """The value with defaults where fields are missing; nulls that may not be are as good as missing."""
    if node is None:
        return value
    if isinstance(value, dict):
        fields = cast("Object", value)
        found: Object = {}
        for name, inner in fields.items():
            child = node.child(name)
            if inner is None and child is not None and not child.is_nullable:
                continue
            found[name] = defaulted(child, inner)
        for name, child in node.properties.items():
            if name not in found and child.default is not MISSING:
                found[name] = defaulted(child, child.default)
        return found
    if isinstance(value, list) and node.items is not None:
        items = cast("list[Any]", value)
        spare = None if node.items.default is MISSING else node.items.default
        return [
            defaulted(node.items, spare if item is None and not node.items.is_nullable else item)
            for item in items
        ]
    return cast("Any", value)


def has_defaults(node: Node) -> bool:
    """Whether there is anything to fill in."""
    children = [*node.properties.values(), *(child for child in (node.values, node.items) if child)]
    return any(child.default is not MISSING or has_defaults(child) for child in children)


def shape(root: Node) -> Shape:
    """How objects merge, for server-side apply."""
    found = _shape(root)
    if found.kind != "struct":
        found = Shape("struct")
    identity = {"apiVersion": Shape("scalar"), "kind": Shape("scalar"), "metadata": shape_of(OBJECT_META)}
    found.fields.update(identity)
    return found


def _shape(node: Node) -> Shape:
    map_type = node.raw.get("x-kubernetes-map-type")
    match node.type:
        case "object" if node.properties or node.is_embedded:
            found = Shape("struct")
            found.fields.update({name: _shape(child) for name, child in node.properties.items()})
            if node.is_embedded:
                found.fields["metadata"] = shape_of(OBJECT_META)
            found.atomic = map_type == "atomic"
        case "object" if node.values is not None:
            found = Shape("map")
            found.item = _shape(node.values)
            found.atomic = map_type == "atomic"
        case "array" if node.items is not None:
            found = Shape("list")
            found.item = _shape(node.items)
            found.atomic = node.list_type == "atomic"
            found.unique = node.list_type == "set"
            if node.list_type == "map":
                found.keys = tuple(sorted(node.keys))
        case "" | "object":
            found = UNTYPED
            if map_type == "atomic":
                found = Shape("untyped")
                found.item, found.atomic = UNTYPED, True
        case _:
            found = Shape("scalar")
    return found
