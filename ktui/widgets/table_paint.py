"""Lines of a table as strips: pure drawing from a row, a layout and styles, with the lines drawn kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ktui.widgets.flashes import Levels
from ktui.widgets.table_layout import GUTTER, TableLayout, fit_cell
from ktui.widgets.table_model import Column, Row

_KEPT_LINES = 512


@dataclass(frozen=True, slots=True)
class RowLook:
    """All that decides how a row is drawn besides its own cells."""

    live: tuple[str, ...]
    """Texts of the columns that change with time."""
    cursor: bool
    focus: bool
    marked: bool
    flashes: Levels
    width: int


class TablePainter:
    """Draws header and rows; a row that looks as it did is not drawn again."""

    def __init__(self, style: Callable[[str], Style]) -> None:
        self._style = style
        """The style of a part: `header`, `cursor`, `bad` …; "" is the table's own."""
        self._lines: dict[tuple[Row, RowLook], Strip] = {}

    def forget(self) -> None:
        """Styles, columns or layout changed: draw everything anew."""
        self._lines.clear()

    def header(
        self, columns: Sequence[Column], layout: TableLayout, sorted_by: int, descending: bool
    ) -> Strip:
        plain = self._style("") + self._style("header")
        accented = self._style("") + self._style("header-sorted")
        segments = [Segment(" " * GUTTER, plain)]
        x = GUTTER
        for slot in layout.slots:
            column = columns[slot.column]
            is_sorted = slot.column == sorted_by
            name = column.name.upper() + (("↓" if descending else "↑") if is_sorted else "")
            if slot.start > x:
                segments.append(Segment(" " * (slot.start - x), plain))
            segments.append(
                Segment(fit_cell(name, slot.width, right=column.right), accented if is_sorted else plain)
            )
            x = slot.start + slot.width
        return Strip(segments)

    def row(self, row: Row, look: RowLook, columns: Sequence[Column], layout: TableLayout) -> Strip:
        key = (row, look)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= _KEPT_LINES:
                self._lines.clear()
            line = self._lines[key] = self._draw(row, look, columns, layout)
        return line

    def note(self, text: str, width: int, *, title: bool) -> Strip:
        """A centred line of text where rows would be."""
        base = self._style("")
        style = base + self._style("header-sorted" if title else "header")
        return Strip([Segment(text.center(width), style)]).crop_extend(0, width, base)

    def _draw(self, row: Row, look: RowLook, columns: Sequence[Column], layout: TableLayout) -> Strip:
        style = self._style
        base = style("")
        if look.marked:
            base += style("mark")
        if look.cursor:
            base += style("cursor")
        gutter = ("●" if look.marked else " ") + ("!" if row.trouble else " ")
        # Runs of one style become one segment: whatever Textual does to a line, it does to each segment.
        runs: list[tuple[list[str], Style]] = [
            ([gutter], base + self._tone("bad", look) if row.trouble else base)
        ]
        x = GUTTER
        live = iter(look.live)
        flashing = dict(look.flashes)
        for slot in layout.slots:
            column = columns[slot.column]
            text = next(live) if column.live is not None else row.cells[slot.column]
            if column.brief is not None and len(text) > slot.width:
                text = column.brief(text, slot.width)
            tone = column.tone(row, text)
            cell = base + self._tone(tone, look) if tone else base
            if slot.column in flashing:
                cell += style(flashing[slot.column])
            _add(runs, " " * (slot.start - x), base)
            _add(runs, fit_cell(text, slot.width, right=column.right), cell)
            x = slot.start + slot.width
        _add(runs, " " * (look.width - x), base)
        return Strip([Segment("".join(texts), run) for texts, run in runs], max(x, look.width))

    def _tone(self, tone: str, look: RowLook) -> Style:
        if look.cursor and look.focus:
            # On the cursor bar the bar's own text colour is the readable one; the shape still tells.
            return Style(bold=True, underline=tone == "bad")
        return self._style(tone)


def _add(runs: list[tuple[list[str], Style]], text: str, style: Style) -> None:
    if not text:
        return
    if runs[-1][1] is style:
        runs[-1][0].append(text)
    else:
        runs.append(([text], style))
