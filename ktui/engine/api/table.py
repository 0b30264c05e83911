"""Objects as kube-apiserver prints them: the `Table` of meta/v1, made from a kind's declared columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from ktui.engine.api.declaration import Column, Declaration
from ktui.kube.resource import Object

IncludeObject = Literal["", "None", "Metadata", "Object"]

_PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


def table(
    declaration: Declaration,
    objects: Iterable[Object],
    now: datetime,
    *,
    include_object: IncludeObject = "Metadata",
    list_metadata: Object | None = None,
) -> Object:
    """Print objects of one kind: a column definition and a cell for each declared column."""
    columns = declaration.columns
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata or {},
        "columnDefinitions": [column_definition(column) for column in columns],
        "rows": [row(columns, obj, now, include_object) for obj in objects],
    }


def column_definition(column: Column) -> Object:
    """`TableColumnDefinition`."""
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def row(columns: Iterable[Column], obj: Object, now: datetime, include_object: IncludeObject) -> Object:
    """`TableRow`: the cells and, unless told otherwise, the metadata of the object they tell about."""
    found: dict[str, Any] = {"cells": [column.cell(obj, now) for column in columns]}
    if include_object == "Object":
        found["object"] = obj
    elif include_object != "None":
        found["object"] = {**_PARTIAL, "metadata": obj.get("metadata") or {}}
    return found
