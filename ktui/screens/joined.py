"""More cells beside the rows of a source, from something that changes by itself: usage, endpoints.

In: what a source tells its sink, and a function that gives a row's further cells. Out: the same to another sink,
the cells put in before the age; a row whose cells became others comes again, like any change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ktui.kube.resource import Object, ObjectKey
from ktui.screens.live_table import Link, Sink

Cells: TypeAlias = tuple[str, ...]


class JoinedCells:
    """A `Sink` in front of another."""

    def __init__(self, sink: Sink, columns: Sequence[Object], cells: Callable[[Object], Cells]) -> None:
        self._sink = sink
        self._columns = columns
        self._cells = cells
        self._rows: dict[str, tuple[Object, Cells]] = {}
        self._at = 0

    def again(self) -> None:
        """What the cells are made from has changed."""
        changed: dict[str, Object | None] = {}
        for uid, (row, before) in self._rows.items():
            if self._cells(row) != before:
                changed[uid] = row
        for uid, row in changed.items():
            changed[uid] = row and self._with(uid, row)
        if changed:
            self._sink.on_changes(changed)

    def on_columns(self, definitions: Sequence[Object]) -> None:
        names = [definition.get("name") for definition in definitions]
        self._at = names.index("Age") if "Age" in names else len(names)
        self._sink.on_columns([*definitions[: self._at], *self._columns, *definitions[self._at :]])

    def on_rows(self, rows: Sequence[Object], *, append: bool, more: bool) -> None:
        if not append:
            self._rows.clear()
        self._sink.on_rows([self._with(_uid(row), row) for row in rows], append=append, more=more)

    def on_changes(self, changes: Mapping[str, Object | None]) -> None:
        for uid, row in changes.items():
            if row is None:
                self._rows.pop(uid, None)
        self._sink.on_changes({uid: row and self._with(uid, row) for uid, row in changes.items()})

    def on_link(self, link: Link, message: str) -> None:
        self._sink.on_link(link, message)

    def _with(self, uid: str, row: Object) -> Object:
        found = self._cells(row)
        self._rows[uid] = row, found
        cells: Sequence[object] = row.get("cells") or ()
        return {**row, "cells": [*cells[: self._at], *found, *cells[self._at :]]}


def key_of(row: Object) -> ObjectKey:
    """Namespace and name of a row's object."""
    metadata = _metadata(row)
    return ObjectKey(metadata.get("namespace") or "", metadata.get("name") or "")


def _metadata(row: Object) -> Object:
    return (row.get("object") or {}).get("metadata") or {}


def _uid(row: Object) -> str:
    metadata = _metadata(row)
    return metadata.get("uid") or f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
