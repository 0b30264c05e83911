"""From meta/v1 Tables to table rows: what a screen knows of an object it lists.

In: `columnDefinitions` and rows as `Client.table` and table watches give them. Out: columns for the virtual
table (sort keys, colours, ages that tick) and rows whose `data` is an `Item`. Pure, tested without a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ktui.kube.age import human_duration
from ktui.kube.clock import parse_time
from ktui.kube.resource import Object, Resource
from ktui.screens.tones import Tones, row_tones, troubled
from ktui.widgets.natural import SortKey, duration_seconds, natural_key
from ktui.widgets.table_model import Column, Row, Tone

USAGE = "usage"
"""The `format` of columns that are measured all the time: shown where there is room, and without flashing."""
_SINCE = {"Age", "Last Seen", "First Seen"}
"""Columns that tell how long ago something was; the text is computed here so that it ticks."""
_RESTARTS = "Restarts"
"""A count, and for pods how long ago the last one was: `3 (5m ago)`."""
_AGO = re.compile(r"(.*) \((.+) ago\)")
_MISSING: SortKey = (2, 0.0, ())


@dataclass(slots=True, eq=False)
class Item:
    """One listed object: its identity and metadata, enough to act on it."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    metadata: Object
    tones: Tones = ()
    since: tuple[float | None, ...] = ()
    """For each column of `_SINCE` kind, the moment it counts from."""
    pod: str = ""
    """The pod of a container; empty for API objects."""

    @property
    def path(self) -> str:
        """Kind and name as kubectl names an object: `pod/web-1`."""
        return f"{self.resource.singular or self.resource.kind.lower()}/{self.name}"

    @property
    def owner(self) -> Object | None:
        """The controlling owner reference, or the first one."""
        references: list[Object] = self.metadata.get("ownerReferences") or []
        controllers = [reference for reference in references if reference.get("controller")]
        return (controllers or references or [None])[0]


def columns_of(definitions: Sequence[Object], *, namespaced: bool) -> list[Column]:
    """The table's columns; `namespaced` puts a Namespace column first, as kubectl does for all namespaces."""
    columns: list[Column] = []
    if namespaced:
        columns.append(Column(name="Namespace", tone=_tone_of(0), flashes=False))
    since = 0
    for definition in definitions:
        index = len(columns)
        name = str(definition.get("name") or "")
        common = {"name": name, "priority": int(definition.get("priority") or 0), "tone": _tone_of(index)}
        if name in _SINCE:
            columns.append(
                Column(**common, min_width=6, key=_since_key(since), live=_since_text(since, index))
            )
            since += 1
        elif name == _RESTARTS:
            live, room = _restarts_text(since, index), _restarts_room(since, index)
            columns.append(Column(**common, min_width=10, live=live, room=room, brief=_brief_restarts))
            since += 1
        else:
            measured = definition.get("format") == USAGE
            right = definition.get("type") in ("integer", "number")
            columns.append(Column(**common, right=right, spare=measured, flashes=not measured))
    return columns


def row_of(
    resource: Resource, columns: Sequence[Column], row: Object, *, namespaced: bool, now: float
) -> Row:
    """A row of a Table as a row of the virtual table."""
    metadata: Object = (row.get("object") or {}).get("metadata") or {}
    namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
    texts = [_text(cell) for cell in row.get("cells") or ()]
    cells = tuple([namespace, *texts] if namespaced else texts)
    cells += ("",) * (len(columns) - len(cells))
    created = _moment(metadata.get("creationTimestamp"))
    since = tuple(
        created if column.name == "Age" else _before(now, _counted_from(column, cells[index]))
        for index, column in enumerate(columns)
        if column.live is not None
    )
    tones = row_tones(resource, columns, cells)
    item = Item(
        resource,
        namespace,
        name,
        metadata.get("uid") or f"{namespace}/{name}",
        metadata,
        tones,
        since,
        str(row.get("pod") or ""),
    )
    # The cell of a ticking column is drawn from the time; its text as sent would only look like a change.
    shown = tuple(_lasting(column, cell) for column, cell in zip(columns, cells, strict=False))
    return Row(item.uid, shown, item, troubled(columns, tones), natural_key(f"{namespace} {name}"))


def default_sort(resource: Resource, columns: Sequence[Column]) -> tuple[int, bool]:
    """The column and direction a view starts with: events newest first, all else by namespace and name."""
    names = [column.name for column in columns]
    if resource.plural == "events" and "Last Seen" in names:
        return names.index("Last Seen"), False
    return 0, False


def _text(cell: Any) -> str:
    if cell is None:
        return "<none>"
    if isinstance(cell, bool):
        return str(cell).lower()
    return str(cell).replace("\n", " ")


def _moment(timestamp: Any) -> float | None:
    if not timestamp:
        return None
    try:
        return parse_time(str(timestamp)).timestamp()
    except ValueError:
        return None


def _before(now: float, text: str) -> float | None:
    seconds = duration_seconds(text)
    return None if seconds is None else now - seconds


def _counted_from(column: Column, cell: str) -> str:
    """How long ago it was: the cell itself, or `5m` of `3 (5m ago)`."""
    if column.name != _RESTARTS:
        return cell
    match = _AGO.fullmatch(cell)
    return match[2] if match else ""


def _lasting(column: Column, cell: str) -> str:
    """What of a cell stays the same while time passes."""
    if column.live is None:
        return cell
    if column.name != _RESTARTS:
        return ""
    match = _AGO.fullmatch(cell)
    return match[1] if match else cell


def _restarts_text(position: int, index: int):
    def text(row: Row, now: float) -> str:
        since: float | None = row.data.since[position]
        count = row.cells[index]
        return count if since is None else f"{count} ({human_duration(now - since)} ago)"

    return text


def _restarts_room(position: int, index: int):
    def room(row: Row) -> int:
        return len(row.cells[index]) + (0 if row.data.since[position] is None else len(" (5m59s ago)"))

    return room


def _brief_restarts(text: str, width: int) -> str:
    """`3 (5m ago)` as `3 (5m)`, or just `3`."""
    brief = text.replace(" ago)", ")")
    return brief if len(brief) <= width else brief.partition(" ")[0]


def _tone_of(index: int):
    def tone(row: Row, text: str) -> Tone:
        tones = row.data.tones
        return tones[index] if index < len(tones) else ""

    return tone


def _since_text(position: int, index: int):
    def text(row: Row, now: float) -> str:
        since: float | None = row.data.since[position]
        return "<unknown>" if since is None else human_duration(now - since)

    return text


def _since_key(position: int):
    def key(row: Row, text: str) -> SortKey:
        since: float | None = row.data.since[position]
        if since is None:
            return _MISSING
        # Within the same second the newer write is the later one.
        version = str(row.data.metadata.get("resourceVersion") or "0")
        return (0, -since, ((0, -int(version) if version.isdigit() else 0, ""),))

    return key
