"""A table that costs what is on the screen, not what is in it: Textual's line API over a `TableModel`.

In: batches of row changes (`apply`) and the user's keys and mouse. Out: messages (a row chosen, the cursor moved,
marks or the order changed). Only visible lines are rendered, rendered lines are cached, a batch repaints the
lines it touched, and nothing is painted when nothing changed. The cursor belongs to a UID, not to a line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from ktui.widgets.component_styles import ComponentStyles
from ktui.widgets.flashes import Flashes
from ktui.widgets.line_selection import SelectableLines
from ktui.widgets.table_layout import TableLayout, Wanted, fits, lay_out
from ktui.widgets.table_model import Row, TableDelta, TableModel
from ktui.widgets.table_paint import RowLook, TablePainter

_MOVE, _MARK, _SORT = Binding.Group("Move"), Binding.Group("Mark"), Binding.Group("Sort")


class VirtualTable(SelectableLines, can_focus=True):
    """Rows of text with a cursor, marks and sorting."""

    DEFAULT_CSS = """
    VirtualTable {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        & > .table--header { color: $text-muted; text-style: bold; }
        & > .table--header-sorted { color: $text-accent; text-style: bold; }
        & > .table--cursor { background: $primary 45%; }
        &:focus > .table--cursor { background: $primary; color: $foreground; text-style: bold; }
        & > .table--mark { background: $secondary 30%; }
        & > .table--good { color: $text-success; }
        & > .table--warn { color: $text-warning; }
        & > .table--bad { color: $text-error; text-style: bold; }
        & > .table--dim { color: $text-disabled; }
        & > .table--accent { color: $text-accent; }
        & > .table--flash { background: $warning 60%; }
        & > .table--fade { background: $warning 25%; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header", "table--header-sorted", "table--cursor", "table--mark", "table--good", "table--warn",
        "table--bad", "table--dim", "table--accent", "table--flash", "table--fade",
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, group=_MOVE),
        Binding("up,k", "move(-1)", "Up", show=False, group=_MOVE),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, group=_MOVE),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, group=_MOVE),
        Binding("home,g", "jump(0)", "Top", show=False, group=_MOVE),
        Binding("end,G", "jump(-1)", "Bottom", show=False, group=_MOVE),
        Binding("right", "pan(1)", "Scroll right", show=False, group=_MOVE),
        Binding("left", "pan(-1)", "Scroll left", show=False, group=_MOVE),
        Binding("enter", "choose", "Open the row", show=False, group=_MOVE),
        Binding("space", "mark", "Mark", show=False, group=_MARK),
        Binding("ctrl+@,ctrl+space", "mark_range", "Mark range", show=False, group=_MARK),
        Binding("shift+right", "sort_next(1)", "Sort next column", show=False, group=_SORT),
        Binding("shift+left", "sort_next(-1)", "Sort previous column", show=False, group=_SORT),
    ]

    class RowChosen(Message):
        """Enter or a double click on a row."""

        def __init__(self, table: VirtualTable, row: Row) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> VirtualTable:
            return self.table

    class CursorMoved(Message):
        """The cursor is on another row (None: there are no rows)."""

        def __init__(self, table: VirtualTable, uid: str | None) -> None:
            super().__init__()
            self.table = table
            self.uid = uid

    class Changed(Message):
        """Marks, order or width changed by the user."""

    def __init__(
        self,
        model: TableModel | None = None,
        *,
        now: Callable[[], float] = time.time,
        id: str | None = None,  # noqa: A002 - Textual's own parameter name
    ) -> None:
        super().__init__(id=id)
        self.model = TableModel() if model is None else model
        self.wide = False
        self._placeholder: tuple[str, ...] = ()
        self._now = now
        self._cursor_uid: str | None = None
        self._cursor_index = 0
        self._range_anchor: str | None = None
        self._follows_top = True
        self._layout = TableLayout((), 0)
        self._style = ComponentStyles(self, "table")
        self._painter = TablePainter(self._style)
        self._flashes = Flashes()
        self._flash_timer: Timer | None = None
        self._tick_timer: Timer | None = None
        self._painted: dict[int, tuple[str, ...]] = {}

    # -- content ---------------------------------------------------------------------------------------------

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        return self.model.row_at(self._cursor_index) if len(self.model) else None

    @property
    def shown_columns(self) -> Sequence[int]:
        """The indexes of the columns on the screen."""
        columns = self.model.columns
        shown = [i for i, column in enumerate(columns) if self.wide or column.priority == 0]
        if self.wide or not any(columns[i].spare for i in shown):
            return shown
        has_room = fits([self._wanted(i) for i in shown], self.scrollable_content_region.width)
        return [i for i in shown if has_room or not columns[i].spare]

    @property
    def columns_layout(self) -> TableLayout:
        """Where the shown columns are."""
        return self._layout

    def apply(self, upserts: Iterable[Row], deletes: Iterable[str] = ()) -> TableDelta:
        """Take a batch of changes and repaint the lines they touch."""
        before = list(self.model.widths)
        delta = self.model.apply(upserts, deletes)
        if not delta:
            return delta
        seen = self._uids_on_screen()
        self._flash({uid: cells for uid, cells in delta.changed.items() if uid in seen})
        if delta.moved or self.model.widths != before:
            self.refresh_rows()
        else:
            for uid in delta.changed.keys() & seen.keys():
                self.refresh_lines(seen[uid] + 1)
        return delta

    def refresh_rows(self) -> None:
        """Lay out and repaint after the model changed as a whole; the cursor stays with its row."""
        if not self.is_mounted:
            return
        self._relayout()
        on_screen = self._cursor_index - round(self.scroll_y)
        index = None if self._cursor_uid is None else self.model.index_of(self._cursor_uid)
        if index is None:
            index = min(self._cursor_index, max(0, len(self.model) - 1))
        if self._follows_top:
            index = 0
        self.virtual_size = Size(self._layout.width, len(self.model) + 1)
        if 0 <= on_screen < self.page and not self._follows_top:
            self.scroll_to(y=max(0, index - on_screen), animate=False, force=True)
        self._set_cursor(index, reveal=False)
        self.refresh()

    def shortened(self, row: Row | None) -> list[tuple[str, str]]:
        """Names and full texts of a row's cells that the layout cut, or the terminal's edge."""
        if row is None:
            return []
        columns = self.model.columns
        edge = round(self.scroll_x) + self.scrollable_content_region.width
        return [
            (columns[slot.column].name, text)
            for slot in self._layout.slots
            if columns[slot.column].live is None
            and (cell_len(text := row.cells[slot.column]) > slot.width or slot.start + cell_len(text) > edge)
        ]

    @property
    def shortens(self) -> bool:
        """Whether any cell is cut at all."""
        if self._layout.width > self.scrollable_content_region.width:
            return True
        columns, widths = self.model.columns, self.model.widths
        return any(
            slot.width < widths[slot.column]
            for slot in self._layout.slots
            if columns[slot.column].live is None
        )

    def set_placeholder(self, text: str) -> None:
        """What stands in the table's place while it has no rows."""
        lines = tuple(text.splitlines())
        if lines != self._placeholder:
            self._placeholder = lines
            if not len(self.model):
                self.refresh()

    def set_wide(self, wide: bool) -> None:
        """Show or hide the columns with a priority."""
        self.wide = wide
        self.scroll_to(x=0, animate=False, force=True)
        self.refresh_rows()
        self.post_message(self.Changed())

    def sort_by(self, column: int, descending: bool | None = None) -> None:
        """Sort by a column; None flips the direction when it is the sort column already."""
        if descending is None:
            descending = not self.model.descending if column == self.model.sort_column else False
        self.model.sort(column, descending)
        self._painter.forget()
        self.refresh_rows()
        self._reveal()
        self.post_message(self.Changed())

    def move_to(self, uid: str) -> bool:
        """Put the cursor on a row; False when it is not shown."""
        index = self.model.index_of(uid)
        if index is None:
            return False
        self._follows_top = False
        self._set_cursor(index)
        return True

    def reset_cursor(self) -> None:
        """Back to the top, where the cursor stays until the user moves it."""
        self._cursor_uid = None
        self._cursor_index = 0
        self._range_anchor = None
        self._follows_top = True
        self._flashes.clear()
        self.scroll_to(0, 0, animate=False, force=True)

    def clear_marks(self) -> None:
        self.model.marks.clear()
        self.refresh()
        self.post_message(self.Changed())

    # -- keys and mouse --------------------------------------------------------------------------------------

    @property
    def page(self) -> int:
        """How many rows fit under the header."""
        return max(1, self.scrollable_content_region.height - 1)

    def action_move(self, step: int) -> None:
        self._follows_top = False
        self._set_cursor(self._cursor_index + step)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * self.page)

    def action_jump(self, index: int) -> None:
        self._follows_top = index == 0
        self._set_cursor(index if index >= 0 else len(self.model) - 1)

    def action_pan(self, direction: int) -> None:
        self.scroll_to(x=self.scroll_x + direction * 12, animate=False)

    def action_choose(self) -> None:
        row = self.cursor_row
        if row is not None:
            self.post_message(self.RowChosen(self, row))

    def action_mark(self) -> None:
        row = self.cursor_row
        if row is None:
            return
        self.model.marks ^= {row.uid}
        self._range_anchor = row.uid
        self._refresh_index(self._cursor_index)
        self.action_move(1)
        self.post_message(self.Changed())

    def action_mark_range(self) -> None:
        """Mark from the last mark to the cursor."""
        anchor = self.model.index_of(self._range_anchor) if self._range_anchor else None
        if anchor is None:
            self.action_mark()
            return
        low, high = sorted((anchor, self._cursor_index))
        self.model.marks |= {self.model.row_at(index).uid for index in range(low, high + 1)}
        self.refresh()
        self.post_message(self.Changed())

    def action_sort_next(self, step: int) -> None:
        shown = list(self.shown_columns)
        if shown:
            at = shown.index(self.model.sort_column) if self.model.sort_column in shown else 0
            self.sort_by(shown[(at + step) % len(shown)], False)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            column = self._layout.column_at(offset.x + round(self.scroll_x))
            if column is not None:
                self.sort_by(column)
            return
        index = offset.y - 1 + round(self.scroll_y)
        if index >= len(self.model):
            return
        self._follows_top = False
        self._set_cursor(index)
        if event.ctrl or event.meta:
            self.action_mark()
        elif event.chain == 2:
            self.screen.clear_selection()
            self.action_choose()

    # -- painting --------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self._tick_timer = self.set_interval(1.0, self._tick, pause=True)
        self._flash_timer = self.set_interval(0.25, self._fade, pause=True)
        self.refresh_rows()

    def on_focus(self) -> None:
        self._style.forget()
        self._painter.forget()

    def on_blur(self) -> None:
        self._style.forget()
        self._painter.forget()

    def on_resize(self) -> None:
        self.refresh_rows()
        self._reveal()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._painter.forget()
        self._style.forget()

    def render_line(self, y: int) -> Strip:
        line = y + round(self.scroll_y) if y else 0
        if line > len(self.model):
            self._painted.pop(y, None)
            return self._note(y, self.scrollable_content_region.width)
        if line:
            self._painted[y] = self._live_texts(self.model.row_at(line - 1))
        return self.cropped(self.whole_line(line), line)

    @property
    def ground(self) -> Style:
        return self._style("")

    @property
    def line_count(self) -> int:
        return len(self.model) + 1

    def whole_line(self, line: int) -> Strip:
        model = self.model
        if line == 0:
            return self._painter.header(model.columns, self._layout, model.sort_column, model.descending)
        row = model.row_at(line - 1)
        look = RowLook(
            self._live_texts(row),
            line - 1 == self._cursor_index,
            self.has_focus,
            row.uid in model.marks,
            self._flashes.levels(row.uid),
            max(self.scrollable_content_region.width, self._layout.width),
        )
        return self._painter.row(row, look, model.columns, self._layout)

    def _note(self, y: int, width: int) -> Strip:
        first = max(2, (self.page - len(self._placeholder)) // 3)
        if len(self.model) or not 0 <= y - first < len(self._placeholder):
            return Strip.blank(width, self._style(""))
        return self._painter.note(self._placeholder[y - first], width, title=y == first)

    def _live_texts(self, row: Row) -> tuple[str, ...]:
        now = self._now()
        columns = self.model.columns
        return tuple(
            live(row, now) for slot in self._layout.slots if (live := columns[slot.column].live) is not None
        )

    def _relayout(self) -> None:
        columns = self.model.columns
        natural = [self._wanted(i) for i in self.shown_columns]
        layout = lay_out(natural, self.scrollable_content_region.width, fit=not self.wide)
        if layout != self._layout:
            self._layout = layout
            self._painter.forget()
        if self._tick_timer is not None:
            if len(self.model) and any(column.live is not None for column in columns):
                self._tick_timer.resume()
            else:
                self._tick_timer.pause()

    def _wanted(self, index: int) -> Wanted:
        column = self.model.columns[index]
        least = max(len(column.name) + 1, column.min_width)
        return Wanted(index, max(least, self.model.widths[index]), least if column.brief is not None else 0)

    # -- cursor ----------------------------------------------------------------------------------------------

    def _set_cursor(self, index: int, *, reveal: bool = True) -> None:
        index = max(0, min(index, len(self.model) - 1))
        uid = self.model.row_at(index).uid if len(self.model) else None
        if index != self._cursor_index:
            self._refresh_index(self._cursor_index)
            self._refresh_index(index)
        self._cursor_index = index
        if uid != self._cursor_uid:
            self._cursor_uid = uid
            self.post_message(self.CursorMoved(self, uid))
        if reveal:
            self._reveal()

    def _reveal(self) -> None:
        top = round(self.scroll_y)
        if self._cursor_index < top:
            self.scroll_to(y=self._cursor_index, animate=False, force=True)
        elif self._cursor_index >= top + self.page:
            self.scroll_to(y=self._cursor_index - self.page + 1, animate=False, force=True)

    def _refresh_index(self, index: int) -> None:
        y = index - round(self.scroll_y)
        if 0 <= y <= self.page:
            self.refresh_lines(index + 1)

    def _uids_on_screen(self) -> dict[str, int]:
        top = round(self.scroll_y)
        last = min(len(self.model), top + self.page + 1)
        return {self.model.row_at(index).uid: index for index in range(top, last)}

    # -- time ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        top = round(self.scroll_y)
        for y, texts in list(self._painted.items()):
            index = y - 1 + top
            if index < len(self.model) and self._live_texts(self.model.row_at(index)) != texts:
                self._refresh_index(index)

    def _flash(self, changed: Mapping[str, Sequence[int]]) -> None:
        columns = self.model.columns
        for uid, cells in changed.items():
            self._flashes.record(
                uid, (cell for cell in cells if columns[cell].flashes and columns[cell].live is None)
            )
        if self._flashes and self._flash_timer is not None:
            self._flash_timer.resume()

    def _fade(self) -> None:
        touched = self._flashes.step()
        seen = self._uids_on_screen()
        for uid in touched:
            if uid in seen:
                self.refresh_lines(seen[uid] + 1)
        if not self._flashes and self._flash_timer is not None:
            self._flash_timer.pause()
