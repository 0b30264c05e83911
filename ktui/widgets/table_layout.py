"""Where a table's columns go: pure arithmetic from the widest cells and the room there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

GUTTER = 2
"""Cells left of the first column: mark and trouble."""
GAP = 2
_MAX_GAP = 6
_TIGHTER = ((GAP, 22), (1, 22), (1, 16), (1, 10))
"""Gap and least width of a shortened column, from comfortable to just readable."""
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Slot:
    """A column on the line: which one, where it starts, how wide it is."""

    column: int
    start: int
    width: int


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The shown columns from left to right."""

    slots: Sequence[Slot]
    width: int

    def column_at(self, x: int) -> int | None:
        """The column under a cell of the line (its gap counts as its own)."""
        hit = None
        for slot in self.slots:
            if x >= slot.start:
                hit = slot.column
        return hit


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column to place: its natural width, and (above 0) the width at which it still tells all that matters."""

    column: int
    width: int
    brief: int = 0


def lay_out(shown: Sequence[Wanted], room: int, *, fit: bool) -> TableLayout:
    """Place columns in `room` cells.

    With `fit`, columns that don't fit are shortened: first those that have a brief form, then from the widest down,
    with narrower gaps and to a readable minimum; what still does not fit is scrolled to. Spare room goes into gaps.
    """
    widths = [wanted.width for wanted in shown]
    gap = GAP
    if fit and _spare(widths, gap, room) < 0:
        widths = [min(wanted.width, wanted.brief or wanted.width) for wanted in shown]
        for gap, least in _TIGHTER:
            widths = _shrink(widths, max(0, -_spare(widths, gap, room)), least)
            if _spare(widths, gap, room) >= 0:
                break
    gap += min(_MAX_GAP - GAP, max(0, _spare(widths, gap, room)) // max(1, len(widths)))
    slots: list[Slot] = []
    x = GUTTER
    for wanted, width in zip(shown, widths, strict=True):
        slots.append(Slot(wanted.column, x, width))
        x += width + gap
    return TableLayout(slots, max(0, x - gap))


def fits(shown: Sequence[Wanted], room: int) -> bool:
    """Whether columns have room at their natural widths."""
    return _spare([wanted.width for wanted in shown], GAP, room) >= 0


def _spare(widths: Sequence[int], gap: int, room: int) -> int:
    return room - GUTTER - sum(widths) - gap * max(0, len(widths) - 1)


def _shrink(widths: list[int], excess: int, least: int) -> list[int]:
    widths = list(widths)
    while excess > 0:
        widest = max(range(len(widths)), key=widths.__getitem__)
        others = sorted((w for i, w in enumerate(widths) if i != widest), reverse=True)
        floor = max(least, others[0] if others and others[0] < widths[widest] else widths[widest] - 1)
        cut = min(excess, widths[widest] - floor)
        if cut <= 0:
            break
        widths[widest] -= cut
        excess -= cut
    return widths


def fit_cell(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells; a name too long loses its middle (both ends tell
    names apart), prose its end."""
    if text.isascii():
        size = len(text)
        if size <= width:
            return text.rjust(width) if right else text.ljust(width)
        if width < 5:
            return text[:width]
        if " " in text:
            return text[: width - 1] + _ELLIPSIS
        tail = (width - 1) // 2
        return text[: width - 1 - tail] + _ELLIPSIS + text[-tail:]
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + _ELLIPSIS if width > 1 else set_cell_size(text, width)
    padding = " " * (width - size)
    return padding + text if right else text + padding
