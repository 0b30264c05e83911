"""How a kind's fields merge: the schema compiled once to small nodes, for strategic patches and server-side apply.

Each node says what a value is (scalar, struct, map or list) and, for lists, how items are told apart: not at
all (atomic), by value (set), or by key fields (map). What the schema does not describe merges as untyped JSON.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal

from ktui.engine.api import schema
from ktui.engine.api.schema import Definition

Kind = Literal["scalar", "struct", "map", "list", "untyped"]

_SCALARS: Final = frozenset({schema.QUANTITY, schema.INT_OR_STRING, schema.TIME, schema.MICRO_TIME})

_ALWAYS: Final = frozenset(
    {"metadata", "spec", "status", "template", "strategy", "updateStrategy", "resources"}
)
"""Structs that are there in Kubernetes' types even when nothing is in them."""

KEY_DEFAULTS: Final = {"protocol": "TCP"}
"""Key fields of list items that Kubernetes defaults, for items that come without."""


class Shape:
    """A node of a kind's shape."""

    __slots__ = (
        "atomic",
        "fields",
        "item",
        "keys",
        "kind",
        "merge_key",
        "required",
        "strategies",
        "there",
        "unique",
    )

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.fields: dict[str, Shape] = {}
        """Of a struct."""
        self.item: Shape = self
        """Of a map or list."""
        self.atomic = kind in ("scalar", "list")
        """One owner for the whole value in server-side apply."""
        self.unique = False
        """A list whose items are told apart by their value."""
        self.keys: tuple[str, ...] = ()
        """The fields that tell a list's items apart, sorted."""
        self.merge_key = ""
        """The field a strategic merge patch tells a list's items apart by."""
        self.strategies: frozenset[str] = frozenset()
        """Of a strategic merge patch: merge, replace, retainKeys."""
        self.required: frozenset[str] = frozenset()
        self.there: frozenset[str] = frozenset()
        """Fields that Kubernetes' type has with or without a value: structs that are no pointers, required lists."""

    def child(self, name: str) -> Shape:
        """The shape of a field or of a map's value."""
        if self.kind == "struct":
            return self.fields.get(name, UNTYPED)
        return self.item if self.kind == "map" else UNTYPED


UNTYPED: Final = Shape("untyped")
"""What no schema describes: objects merge field by field, all else is replaced."""
UNTYPED.item = UNTYPED


@lru_cache(maxsize=512)
def shape_of(definition: str) -> Shape:
    """The shape of a definition of the schema, `io.k8s.api.core.v1.Pod`."""
    return _Compiler().named(definition)


class _Compiler:
    """Compiles a definition and what it refers to; definitions may refer to each other in circles."""

    def __init__(self) -> None:
        self._schema = schema.load()
        self._named: dict[str, Shape] = {}

    def named(self, name: str) -> Shape:
        found = self._named.get(name)
        if found is not None:
            return found
        node = self._schema.definitions.get(name)
        if node is None:
            return UNTYPED
        if name in _SCALARS or "type" not in node:
            shape = Shape("scalar")
            self._named[name] = shape
            return shape
        shape = Shape(_kind(node))
        self._named[name] = shape
        self._fill(shape, node)
        return shape

    def _of(self, node: Definition) -> Shape:
        name = schema.reference(node)
        if not name:
            shape = Shape(_kind(node))
            self._fill(shape, node)
            return shape
        shape = self.named(name)
        strategies = _strategies(node)
        if not strategies and "x-kubernetes-map-type" not in node:
            return shape
        own = Shape(shape.kind)
        own.fields, own.item, own.required, own.there = shape.fields, shape.item, shape.required, shape.there
        own.atomic = shape.atomic or node.get("x-kubernetes-map-type") == "atomic"
        own.strategies = strategies
        return own

    def _fill(self, shape: Shape, node: Definition) -> None:
        shape.strategies = _strategies(node)
        shape.merge_key = node.get("x-kubernetes-patch-merge-key", "")
        match shape.kind:
            case "struct":
                shape.atomic = node.get("x-kubernetes-map-type") == "atomic"
                shape.required = frozenset(node.get("required", ()))
                properties: dict[str, Any] = node["properties"]
                shape.fields.update({name: self._of(child) for name, child in properties.items()})
                shape.there = frozenset(
                    name
                    for name, child in shape.fields.items()
                    if (child.kind == "struct" and name in _ALWAYS)
                    or (child.kind == "list" and name in shape.required)
                )
            case "map":
                shape.atomic = node.get("x-kubernetes-map-type") == "atomic"
                shape.item = self._of(node["additionalProperties"])
            case "list":
                shape.item = self._of(node["items"])
                list_type = node.get("x-kubernetes-list-type", "atomic")
                shape.atomic = list_type == "atomic"
                shape.unique = list_type == "set"
                if list_type == "map":
                    shape.keys = tuple(sorted(node["x-kubernetes-list-map-keys"]))
            case _:
                pass


def _kind(node: Definition) -> Kind:
    match node.get("type"):
        case "object" if node.get("x-kubernetes-preserve-unknown-fields"):
            return "untyped"
        case "object" if "properties" in node:
            return "struct"
        case "object" if "additionalProperties" in node:
            return "map"
        case "object":
            return "untyped"
        case "array":
            return "list"
        case _:
            return "scalar"


def _strategies(node: Definition) -> frozenset[str]:
    text: str = node.get("x-kubernetes-patch-strategy", "")
    return frozenset(text.split(",")) if text else frozenset()
