"""Objects as kube-apiserver prints them: the `Table` of meta/v1, made from a kind's declared columns.

A row is made in two steps: what its cells are made from is read from the object and stays as long as the object
does; how that looks follows at each print, since ages change. The rest of a row is bytes the object has anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from ktui.engine.api.declaration import Column, Declaration
from ktui.engine.api.documents import decode, encode, encoded_metadata_of
from ktui.kube.resource import Object

IncludeObject = Literal["", "None", "Metadata", "Object"]

Facts: TypeAlias = tuple[Any, ...]
"""What the cells of a row are made from, one for each column."""


@dataclass(frozen=True, slots=True)
class Table:
    """A `Table`, its rows encoded."""

    columns: Sequence[Column]
    rows: Sequence[bytes]
    metadata: Object

    def head(self, version: str = "v1") -> bytes:
        """Its JSON up to the rows."""
        head = encode(
            {
                "kind": "Table",
                "apiVersion": f"meta.k8s.io/{version}",
                "metadata": self.metadata,
                "columnDefinitions": [column_definition(column) for column in self.columns],
            }
        )
        return head[:-1] + b',"rows":['

    def encoded(self, version: str = "v1") -> bytes:
        return self.head(version) + b",".join(self.rows) + b"]}"


def table(
    declaration: Declaration,
    objects: Iterable[bytes],
    now: datetime,
    *,
    include_object: IncludeObject = "Metadata",
    list_metadata: Object | None = None,
) -> Table:
    """Print encoded objects of one kind."""
    columns = declaration.columns
    rows = [row(columns, facts_of(columns, decode(data)), data, now, include_object) for data in objects]
    return Table(columns, rows, list_metadata or {})


def column_definition(column: Column) -> Object:
    """`TableColumnDefinition`."""
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def facts_of(columns: Iterable[Column], obj: Object) -> Facts:
    """What an object's cells are made from."""
    return tuple([column.read(obj) for column in columns])


def row(
    columns: Iterable[Column], facts: Facts, data: bytes, now: datetime, include_object: IncludeObject
) -> bytes:
    """`TableRow`: the cells and, unless told otherwise, the metadata of the object they tell about."""
    cells = encode(
        [
            fact if column.show is None else column.show(fact, now)
            for column, fact in zip(columns, facts, strict=True)
        ]
    )
    if include_object == "None":
        return b'{"cells":' + cells + b"}"
    if include_object == "Object":
        return b'{"cells":' + cells + b',"object":' + data + b"}"
    return (
        b'{"cells":'
        + cells
        + b',"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'
        + bytes(encoded_metadata_of(data))
        + b"}}"
    )
