"""What expressions that change objects give, as JSON; and whether the types they name are those of the fields they
stand in.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from ktui.engine.api.cel.parsing import (
    Call,
    Index,
    ListOf,
    MapOf,
    Node,
    ParseError,
    Select,
    StructOf,
    parse,
)
from ktui.engine.api.cel.programs import CelError
from ktui.kube.clock import rfc3339


def plain(value: Any) -> Any:
    """A value of CEL as JSON; raises CelError for one that has no such form."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return int(value) if value.is_integer() else value
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return rfc3339(value)
        case timedelta():
            return f"{value.total_seconds():g}s"
        case list():
            return [plain(item) for item in cast("list[Any]", value)]
        case dict():
            fields = cast("dict[Any, Any]", value)
            if not all(isinstance(key, str) for key in fields):
                raise CelError("maps of JSON have strings for keys")
            return {key: plain(item) for key, item in fields.items()}
        case _:
            raise CelError(f"evaluated to a type that could not marshal to JSON: {type(value).__name__}")


def mismatches(expression: str) -> list[str]:
    """Objects whose type is not that of the field they stand in, as `Object.spec` in the field `status`."""
    try:
        return list(_within(parse(expression)))
    except ParseError:
        return []


def _within(node: Node) -> Iterator[str]:
    """Those of all outermost objects in a node."""
    match node:
        case StructOf("JSONPatch", fields):
            for _, value in fields:
                yield from _within(value)
        case StructOf(name):
            yield from _checked(node, name)
        case Call(_, arguments, target):
            for each in (*arguments, *((target,) if target is not None else ())):
                yield from _within(each)
        case ListOf(items):
            for item in items:
                yield from _within(item)
        case MapOf(entries):
            for _, value in entries:
                yield from _within(value)
        case Select(operand) | Index(operand):
            yield from _within(operand)
        case _:
            return


def _checked(node: Node, path: str) -> Iterator[str]:
    """Those in a value that stands at a path."""
    match node:
        case StructOf(name, fields):
            if name != path:
                yield (
                    f'unexpected type name "{name}", expected "{path}", which matches field name path from root '
                    "Object type"
                )
            for field, value in fields:
                yield from _checked(value, f"{name}.{field}")
        case ListOf(items):
            for item in items:
                yield from _checked(item, path)
        case MapOf(entries):
            for _, value in entries:
                yield from _checked(value, path)
        case Call("_?_:_", (_, yes, no)):
            yield from _checked(yes, path)
            yield from _checked(no, path)
        case _:
            return
