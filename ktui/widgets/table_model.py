"""What a virtual table shows, without a terminal: rows by UID, filtered and kept in sorted order.

In: columns, rows, batches of changed and removed rows, a predicate, a sort column, marks. Out: the row at an
index, the index of a UID, and for each batch which visible cells changed and whether rows moved. A changed row
costs two bisections, so 10,000 rows that change 1,000 times a second stay cheap.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rich.cells import cell_len

from ktui.widgets.natural import SortKey, natural_key

OrderKey: TypeAlias = tuple[SortKey, SortKey, str]
Tone: TypeAlias = Literal["", "good", "warn", "bad", "dim", "accent"]


@dataclass(slots=True, eq=False)
class Row:
    """One line: the texts of its cells in column order; `data` is whatever the owner attached."""

    uid: str
    cells: tuple[str, ...]
    data: Any = None
    trouble: bool = False
    """Marked in the gutter, and what "only rows in trouble" shows."""
    tie: SortKey = (0, 0.0, ())
    """Orders rows whose sort cells are equal."""


def _by_cell(row: Row, text: str) -> SortKey:
    return natural_key(text)


def _plain(row: Row, text: str) -> Tone:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `live` computes a text that changes with time alone (ages) from the row and the time now."""

    name: str
    right: bool = False
    priority: int = 0
    """Above 0: shown only when the table is wide."""
    min_width: int = 0
    key: Callable[[Row, str], SortKey] = _by_cell
    tone: Callable[[Row, str], Tone] = _plain
    live: Callable[[Row, float], str] | None = None
    room: Callable[[Row], int] | None = None
    """How wide a row's live text may get."""
    brief: Callable[[str, int], str] | None = None
    """The text in so many cells, for where there is no room for it all; the column may shrink to `min_width`."""
    spare: bool = False
    """Shown only where all columns have room, or when the table is wide."""
    flashes: bool = True
    """Whether a change of the cell flashes."""


@dataclass(frozen=True, slots=True)
class TableDelta:
    """What a batch did to the visible rows: changed cells by UID, and whether rows came, went or moved."""

    changed: Mapping[str, tuple[int, ...]]
    moved: bool

    def __bool__(self) -> bool:
        return self.moved or bool(self.changed)


def _everything(row: Row) -> bool:
    return True


@dataclass(slots=True)
class TableModel:
    """Rows by UID in sorted, filtered order, and the marks on them."""

    columns: Sequence[Column] = ()
    sort_column: int = 0
    descending: bool = False
    marks: set[str] = field(default_factory=set)
    widths: list[int] = field(default_factory=list)
    """The widest cell seen in each column."""
    _rows: dict[str, Row] = field(default_factory=dict, repr=False)
    _keys: dict[str, OrderKey] = field(default_factory=dict, repr=False)
    """The sort key of each visible row; its absence means the row is filtered out."""
    _order: list[OrderKey] = field(default_factory=list, repr=False)
    _predicate: Callable[[Row], bool] = _everything
    _rooms: Sequence[tuple[int, Callable[[Row], int]]] = ()

    def __len__(self) -> int:
        return len(self._order)

    @property
    def total(self) -> int:
        """How many rows there are, shown or filtered out."""
        return len(self._rows)

    def row_at(self, index: int) -> Row:
        """The visible row at `index` from the top."""
        if self.descending:
            index = len(self._order) - 1 - index
        return self._rows[self._order[index][2]]

    def index_of(self, uid: str) -> int | None:
        """Where a row is shown, or None when it is gone or filtered out."""
        key = self._keys.get(uid)
        if key is None:
            return None
        index = bisect_left(self._order, key)
        return len(self._order) - 1 - index if self.descending else index

    def get(self, uid: str) -> Row | None:
        return self._rows.get(uid)

    def rows(self) -> list[Row]:
        """The visible rows from top to bottom."""
        ordered = [self._rows[uid] for _, _, uid in self._order]
        return ordered[::-1] if self.descending else ordered

    def all_rows(self) -> Iterable[Row]:
        return self._rows.values()

    def marked(self) -> list[Row]:
        """The marked rows that are still there, in the order shown (hidden ones last)."""
        shown = [row for row in self.rows() if row.uid in self.marks] if self.marks else []
        hidden = [
            self._rows[uid] for uid in sorted(self.marks) if uid in self._rows and uid not in self._keys
        ]
        return shown + hidden

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Start anew with other columns and no rows."""
        self.columns = columns
        self._rooms = [(i, column.room) for i, column in enumerate(columns) if column.room is not None]
        self.sort_column = min(self.sort_column, max(0, len(columns) - 1))
        self.replace(())

    def replace(self, rows: Iterable[Row]) -> None:
        """Show exactly these rows."""
        self._rows = {row.uid: row for row in rows}
        self.marks &= self._rows.keys()
        self.widths = [0] * len(self.columns)
        for row in self._rows.values():
            self._widen(row)
        self._rebuild()

    def filter(self, predicate: Callable[[Row], bool] | None) -> None:
        """Show only rows for which `predicate` holds; None shows all."""
        self._predicate = predicate or _everything
        self._rebuild()

    def sort(self, column: int, descending: bool = False) -> None:
        self.sort_column = column
        self.descending = descending
        self._rebuild()

    def apply(self, upserts: Iterable[Row], deletes: Iterable[str] = ()) -> TableDelta:
        """Add, change and remove rows; the last of several changes to one row must win before."""
        changed: dict[str, tuple[int, ...]] = {}
        moved = False
        for uid in deletes:
            if self._rows.pop(uid, None) is not None:
                self.marks.discard(uid)
                moved |= self._hide(uid)
        for row in upserts:
            old = self._rows.get(row.uid)
            self._rows[row.uid] = row
            self._widen(row)
            if not self._predicate(row):
                moved |= self._hide(row.uid)
                continue
            key = self._key(row)
            before = self._keys.get(row.uid)
            if before != key:
                self._hide(row.uid)
                self._keys[row.uid] = key
                insort(self._order, key)
                moved = True
            if old is not None and before is not None:
                cells = tuple(i for i, (a, b) in enumerate(zip(old.cells, row.cells, strict=False)) if a != b)
                if cells or old.trouble != row.trouble:
                    changed[row.uid] = cells
        return TableDelta(changed, moved)

    def _key(self, row: Row) -> OrderKey:
        if not self.columns:
            return (row.tie, row.tie, row.uid)
        column = self.columns[self.sort_column]
        return (column.key(row, row.cells[self.sort_column]), row.tie, row.uid)

    def _hide(self, uid: str) -> bool:
        key = self._keys.pop(uid, None)
        if key is None:
            return False
        del self._order[bisect_left(self._order, key)]
        return True

    def _widen(self, row: Row) -> None:
        widths = self.widths
        for index, text in enumerate(row.cells):
            size = len(text) if text.isascii() else cell_len(text)
            if size > widths[index]:
                widths[index] = size
        for index, room in self._rooms:
            widths[index] = max(widths[index], room(row))

    def _rebuild(self) -> None:
        keep = self._predicate
        self._keys = {uid: self._key(row) for uid, row in self._rows.items() if keep(row)}
        self._order = sorted(self._keys.values())
