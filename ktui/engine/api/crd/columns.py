"""Printer columns of a CustomResourceDefinition: a JSONPath and a type make a cell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ktui.engine.api.crd.facts import path_of
from ktui.engine.api.declaration import Cell, Column
from ktui.engine.api.resources.columns import AGE, NAME
from ktui.kube.age import UNKNOWN, age
from ktui.kube.data import items
from ktui.kube.jsonpath import JSONPath, JSONPathError, to_text
from ktui.kube.resource import Object


def columns_of(version: Object) -> list[Column]:
    """Name, then what the version declares; Age if it declares nothing."""
    declared = items(version, "additionalPrinterColumns")
    return [NAME, *map(_column, declared)] if declared else [NAME, AGE]


def _column(declared: Object) -> Column:
    kind: str = declared.get("type") or "string"
    return Column(
        name=declared.get("name") or "",
        read=_reader(path_of(declared.get("jsonPath") or ""), kind),
        show=_date if kind == "date" else None,
        type=kind,
        format=declared.get("format") or "",
        description=declared.get("description")
        or f"Custom resource definition column (in JSONPath format): {declared.get('jsonPath')}",
        priority=declared.get("priority") or 0,
    )


def _reader(path: JSONPath, kind: str) -> Callable[[Object], Cell]:
    def read(obj: Object) -> Cell:
        try:
            found = list(path.find(obj))
        except JSONPathError:
            return None
        if not found or found[0] is None:
            return None
        return _cell(found, kind)

    return read


def _date(value: Cell, now: datetime) -> Cell:
    return value if value is None else age(str(value), now)


def _cell(found: list[Any], kind: str) -> Cell:
    value = found[0]
    match kind:
        case "integer":
            return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "number":
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return value if isinstance(value, str) else UNKNOWN
        case _:
            return to_text(value) if len(found) == 1 else " ".join(map(to_text, found))
