"""CEL's types as far as expressions are checked against them, and the types that objects of a schema have.

`DYN` stands for whatever is not known: it fits everywhere, so that only what is certainly wrong is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from ktui.engine.api import schema
from ktui.engine.api.cel.programs import escaped
from ktui.engine.api.schema import Definition


@dataclass(frozen=True, slots=True)
class Simple:
    """A type by its name: int, string, bool, dyn, …"""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListType:
    item: Type

    def __str__(self) -> str:
        return f"list({self.item})"


@dataclass(frozen=True, slots=True)
class MapType:
    key: Type
    value: Type

    def __str__(self) -> str:
        return f"map({self.key}, {self.value})"


@dataclass(frozen=True, slots=True)
class Optional:
    inner: Type

    def __str__(self) -> str:
        return f"optional_type({self.inner})"


@dataclass(frozen=True, slots=True)
class Struct:
    """An object with fields; those of a schema are read when they are asked for."""

    name: str
    fields: Mapping[str, Type] = field(default_factory=dict[str, "Type"], hash=False, compare=False)
    definition: Definition | None = field(default=None, hash=False, compare=False)
    is_open: bool = field(default=False, hash=False, compare=False)
    """Its name is all that is known: it has any field."""

    def __str__(self) -> str:
        return self.name

    def field(self, name: str) -> Type | None:
        """The type of a field, None if there is none of that name."""
        if self.is_open:
            return DYN
        if self.definition is None:
            return self.fields.get(name)
        properties: dict[str, Definition] = self.definition.get("properties") or {}
        for property_name, node in properties.items():
            if name in (property_name, escaped(property_name)):
                return of_schema(node, f"{self.name}.{property_name}")
        return None


Type: TypeAlias = Simple | ListType | MapType | Optional | Struct

DYN: Final = Simple("dyn")
INT, UINT, DOUBLE = Simple("int"), Simple("uint"), Simple("double")
STRING, BYTES, BOOL, NULL = Simple("string"), Simple("bytes"), Simple("bool"), Simple("null")
TIMESTAMP, DURATION, TYPE = Simple("timestamp"), Simple("duration"), Simple("type")
PATCH_TYPES: Final = frozenset(("Object", "JSONPatch"))
"""The types of what expressions that change objects make: `Object`, `Object.spec` and so on, and `JSONPatch`."""
JSON_PATCH: Final = Struct("JSONPatch", {"op": STRING, "path": STRING, "from": STRING, "value": DYN})
_SCALARS: Final[Mapping[str, Type]] = {"integer": INT, "number": DOUBLE, "boolean": BOOL, "string": STRING}
_OPEN_FORMATS: Final = ("date-time", "date", "datetime", "duration", "byte", "int-or-string")


def of_schema(node: Definition, name: str) -> Type:
    """The type of values of a schema's node."""
    resolved = schema.load().resolve(node)
    if (
        resolved.get("x-kubernetes-int-or-string")
        or resolved.get("x-kubernetes-preserve-unknown-fields")
        or resolved.get("format") in _OPEN_FORMATS
        or resolved.get("nullable")
    ):
        return DYN
    match resolved.get("type"):
        case "array":
            return ListType(_nested(resolved.get("items"), f"{name}.@idx"))
        case "object" | None:
            if resolved.get("properties"):
                return Struct(name, definition=resolved)
            if not isinstance(resolved.get("additionalProperties"), dict):
                return DYN
            return MapType(STRING, _nested(resolved["additionalProperties"], f"{name}.@prop"))
        case str() as kind:
            return _SCALARS.get(kind, DYN)
        case _:
            return DYN


def _nested(node: Any, name: str) -> Type:
    return of_schema(cast("Definition", node), name) if isinstance(node, dict) else DYN


def fits(one: Type, other: Type) -> bool:
    """Whether two types may be the same."""
    if DYN in (one, other):
        return True
    match one, other:
        case (Struct(), Struct()) if PATCH_TYPES & {one.name.partition(".")[0], other.name.partition(".")[0]}:
            return one.name == other.name
        case ListType(), ListType():
            return fits(one.item, other.item)
        case MapType(), MapType():
            return fits(one.key, other.key) and fits(one.value, other.value)
        case Optional(), Optional():
            return fits(one.inner, other.inner)
        case (Struct(), (Struct() | MapType())) | (MapType(), Struct()):
            return True
        case _:
            return one == other or (NULL in (one, other) and not _never_null(one, other))


def _never_null(one: Type, other: Type) -> bool:
    return isinstance(other if one == NULL else one, Simple | ListType | MapType)


def joined(one: Type, other: Type) -> Type:
    """The type of a value that may be either."""
    return one if one == other else DYN
