"""A log of any length on Textual's line API: only the lines on the screen are read, decoded and drawn.

In: lines appended to its `LogBuffer` (call `changed()` after), keys, a filter and a search. Out: a `Status` message
whenever what its owner may want to tell has changed. The view follows the end until the user moves up; searches
and filters scan in slices between keys. What it shows is a list of line numbers: all kept ones, or the matching.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from ktui.widgets.component_styles import ComponentStyles
from ktui.widgets.log_buffer import LogBuffer
from ktui.widgets.log_model import LogCounts, LogModel
from ktui.widgets.log_paint import cut_line, paint_line, wrap_line

_FRAME_SECONDS = 1 / 30
_SCAN_SECONDS = 0.006
"""How long a slice of scanning may hold the loop."""
_CACHED = 600
_COLOURS = ("source-0", "source-1", "source-2", "source-3", "source-4", "source-5")
_MOVE = Binding.Group("Move")


class LogView(ScrollView, can_focus=True):
    """Scrolls, follows, filters, searches and marks the lines of a buffer."""

    DEFAULT_CSS = """
    LogView {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .log--cursor { background: $primary 35%; }
        & > .log--mark { color: $text-accent; text-style: bold; }
        & > .log--note { color: $text-accent; text-style: italic; }
        & > .log--dim { color: $text-disabled; }
        & > .log--field { color: $text-accent; }
        & > .log--match { background: $warning 70%; color: auto; text-style: bold; }
        & > .log--debug { color: $text-muted; }
        & > .log--warn { color: $text-warning; }
        & > .log--error { color: $text-error; }
        & > .log--source-0 { color: $text-primary; }
        & > .log--source-1 { color: $text-success; }
        & > .log--source-2 { color: $text-secondary; }
        & > .log--source-3 { color: $text-warning; }
        & > .log--source-4 { color: $text-accent; }
        & > .log--source-5 { color: $text-error; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--cursor", "log--mark", "log--note", "log--dim", "log--field", "log--match", "log--debug", "log--info",
        "log--warn", "log--error", *(f"log--{name}" for name in _COLOURS),
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, group=_MOVE),
        Binding("up,k", "move(-1)", "Up", show=False, group=_MOVE),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, group=_MOVE),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, group=_MOVE),
        Binding("home,g", "top", "Top", show=False, group=_MOVE),
        Binding("end,G", "bottom", "Bottom, and follow", show=False, group=_MOVE),
        Binding("right", "pan(1)", "Scroll right", show=False, group=_MOVE),
        Binding("left", "pan(-1)", "Scroll left", show=False, group=_MOVE),
    ]

    class Changed(Message):
        """Counts, follow or a switch changed."""

    class LineChosen(Message):
        """A double click on a line."""

    def __init__(self, buffer: LogBuffer, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self.buffer = buffer
        self.model = LogModel(buffer)
        self.follow = True
        self.wrap = False
        self._cursor = 0
        """A line's number."""
        self._left = 0
        self._first = 0
        self._want_match: tuple[int, int] | None = None
        """A search that waits for the scan: direction, and from which line."""
        self._waits = False
        self._frame: Timer | None = None
        self._moving = False
        self._rows: tuple[object, list[tuple[int, int]]] | None = None
        self._painted: OrderedDict[int, list[Strip]] = OrderedDict()
        self._style_of = ComponentStyles(self, "log")
        self._said: tuple[object, ...] = ()

    # -- content ---------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """The buffer has grown; drawn with the next frame."""
        self._waits = True
        if self._frame is None and self.is_mounted:
            self._frame = self.set_timer(_FRAME_SECONDS, self._next_frame)

    def reset(self) -> None:
        """The buffer was emptied."""
        self.model.reset()
        self._cursor = self._left = self._first = 0
        self.follow = True
        self._forget()
        self.changed()

    def set_filter(self, text: str) -> None:
        """Show only lines that match ("" shows all, around the line the cursor is on)."""
        self.model.set_filter(text)
        self._forget()
        if not text:
            self._take_size()
            if not self.follow:
                self._go_to(self._cursor, centre=True)
        self.changed()

    def set_context(self, lines: int) -> None:
        """Show so many lines around each match of the filter."""
        self.model.context = lines
        if self.model.filter is not None:
            self.set_filter(self.model.filter.query.text)
        self._tell()

    def set_search(self, text: str) -> None:
        """Highlight what matches ("" ends the search); `find` moves along the matches."""
        self.model.set_search(text)
        self._want_match = None
        self._forget()
        self.refresh()
        self.changed()

    def find(self, direction: int) -> bool:
        """Go to the next (1) or previous (-1) match, as soon as the scan gets there. False without a search."""
        if self.model.search is None:
            return False
        self._want_match = (direction, self._cursor)
        self.follow = False
        self.changed()
        return True

    def set_look(self, **switches: bool) -> None:
        """Change how lines look (fields of `LineLook`)."""
        self.model.look = replace(self.model.look, **switches)
        self._forget()
        self._take_size()
        self._tell()

    def set_wrap(self, wrap: bool) -> None:
        self.wrap, self._left = wrap, 0
        self._forget()
        self._take_size()
        if not self.follow:
            self._go_to(self._cursor)
        self._tell()

    def set_follow(self, follow: bool) -> None:
        """Stay at the end as lines come, or stay where the view is."""
        self.follow = follow
        if follow:
            self._to_end()
        self._tell()

    def toggle_mark(self) -> None:
        """Mark the line under the cursor, or unmark it."""
        if len(self.buffer):
            self.model.marks ^= {self._cursor}
            self._painted.pop(self._cursor, None)
            self.refresh()
            self._tell()

    def go_to_mark(self, direction: int) -> bool:
        """Go to the next or previous marked line; False when none is marked."""
        mark = self.model.next_mark(direction, self._cursor)
        if mark is not None:
            self.go_to(mark)
        return mark is not None

    @property
    def cursor_line(self) -> tuple[int, str, bytes] | None:
        """The number, source and bytes of the line under the cursor."""
        try:
            source, raw = self.buffer.line(self._cursor)
        except IndexError:
            return None
        return self._cursor, self.model.source_name(source), raw

    @property
    def counts(self) -> LogCounts:
        return self.model.counts(self._cursor)

    # -- frames ----------------------------------------------------------------------------------------------

    def _next_frame(self) -> None:
        self._frame = None
        if not self.is_attached:
            return
        self._waits = False
        more = self.model.scan(_SCAN_SECONDS)
        self._take_size()
        self._jump_to_match()
        self._tell()
        if more or self._waits:
            self._frame = self.set_timer(0.004 if more else _FRAME_SECONDS, self._next_frame)

    def _take_size(self) -> None:
        """Take the present number of lines into the scroll bar; keep the same lines on the screen."""
        if not self.is_mounted:
            return
        dropped, self._first = self.buffer.first - self._first, self.buffer.first
        self._rows = None
        count = len(self.model)
        height = self._last_top(count) + self._page if self.wrap and count else count
        self.virtual_size = Size(self._columns, height)
        if self.follow:
            self._to_end()
        elif dropped > 0 and self.model.filter is None:
            self._scroll_top(self._top - dropped)
        self._cursor = max(self._cursor, self.buffer.first)
        self.refresh()

    def _jump_to_match(self) -> None:
        if self._want_match is None:
            return
        found = self.model.next_match(*self._want_match)
        if found is None and not self.model.search_is_settled:
            return
        self._want_match = None
        if found is not None:
            self._go_to(found, centre=True)

    def _tell(self) -> None:
        model = self.model
        said = (self.counts, self.follow, self.wrap, model.look, len(model.marks), model.context)
        if said != self._said:
            self._said = said
            self.post_message(self.Changed())

    def _forget(self) -> None:
        self._painted.clear()
        self._rows = None

    # -- positions: 0 is the first shown line ----------------------------------------------------------------

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height)

    @property
    def _columns(self) -> int:
        return max(1, self.scrollable_content_region.width)

    @property
    def _top(self) -> int:
        return max(0, round(self.scroll_y))

    def _last_top(self, count: int) -> int:
        """The position from which the rest fills the page."""
        return self._top_to_show(count - 1)

    def _top_to_show(self, position: int) -> int:
        """The least top with which a position is wholly on the screen, lines being wrapped."""
        rows, top = 0, position + 1
        while top > 0:
            line = self.model.line_at(top - 1)
            rows += len(self._painted_line(line)) if line is not None else 1
            if rows > self._page:
                break
            top -= 1
        return max(0, min(top, position))

    # -- moving ----------------------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        count = len(self.model)
        if not count:
            return
        at = max(0, min(count - 1, self.model.position(self._cursor) + step))
        if step < 0:
            self.follow = False
        self._go_to(self.model.line_at(at) or 0)
        self._tell()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * self._page)

    def action_top(self) -> None:
        self.follow = False
        self._go_to(self.model.line_at(0) or 0)
        self._tell()

    def action_bottom(self) -> None:
        self.set_follow(True)

    def action_pan(self, direction: int) -> None:
        if self.wrap:
            return
        self._left = max(0, self._left + direction * 16)
        self._painted.clear()
        self.refresh()

    def go_to(self, line: int) -> None:
        """Put the cursor on a line and show it; ends following."""
        self.follow = False
        self._go_to(line, centre=True)
        self._tell()

    def _go_to(self, line: int, *, centre: bool = False) -> None:
        self._cursor = line
        position, top = self.model.position(line), self._top
        if position < top or (position >= top + self._page and not self.wrap):
            if centre:
                top = position - self._page // 2
            else:
                top = position if position < top else position - self._page + 1
        elif self.wrap:
            top = max(top, self._top_to_show(position))
        self._scroll_top(top)
        self.refresh()

    def _to_end(self) -> None:
        count = len(self.model)
        if count:
            self._cursor = self.model.line_at(count - 1) or 0
        self._scroll_top(self._last_top(count) if self.wrap and count else max(0, count - self._page))
        self.refresh()

    def _scroll_top(self, top: int) -> None:
        self._moving = True
        self.scroll_to(y=max(0, top), animate=False, force=True)
        self._moving = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) == round(new_value):
            return
        self._rows = None
        if self._moving:
            return
        # The mouse: the cursor comes along, upwards ends following, the end takes it up again.
        at_end = round(new_value) >= self.max_scroll_y
        self.follow = at_end if new_value < old_value or at_end else self.follow
        low, high = self._top, self._top + self._page - 1
        position = self.model.position(self._cursor)
        if len(self.model) and not low <= position <= high:
            self._cursor = self.model.line_at(max(low, min(position, high, len(self.model) - 1))) or 0
        self._tell()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        rows = self._screen_rows()
        if offset is None or offset.y >= len(rows):
            return
        self.follow = False
        self._cursor = rows[offset.y][0]
        self.refresh()
        self._tell()
        if event.chain == 2:
            self.post_message(self.LineChosen())

    # -- painting --------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self._take_size()
        self.changed()

    def on_resize(self) -> None:
        self._forget()
        self._take_size()
        if not self.follow:
            self._go_to(self._cursor)

    def on_focus(self) -> None:
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._style_of.forget()
        self._painted.clear()

    def render_line(self, y: int) -> Strip:
        width, base = self._columns, self._style_of("")
        rows = self._screen_rows()
        if y >= len(rows):
            return Strip.blank(width, base)
        line, row = rows[y]
        strips = self._painted_line(line)
        strip = strips[row] if row < len(strips) else Strip.blank(0)
        if line == self._cursor and self.has_focus:
            strip = strip.extend_cell_length(width, base).apply_style(self._style_of("cursor"))
        return strip.crop_extend(0, width, base).apply_style(base)

    def _screen_rows(self) -> list[tuple[int, int]]:
        """The line and its row for each row of the screen."""
        key = (self._top, self._page, len(self.model), self.buffer.first)
        if self._rows is not None and self._rows[0] == key:
            return self._rows[1]
        rows: list[tuple[int, int]] = []
        position = self._top
        while len(rows) < self._page and (line := self.model.line_at(position)) is not None:
            rows += [(line, row) for row in range(len(self._painted_line(line)) if self.wrap else 1)]
            position += 1
        self._rows = (key, rows)
        return rows

    def _painted_line(self, line: int) -> list[Strip]:
        strips = self._painted.get(line)
        if strips is None:
            strips = self._painted[line] = self._draw_line(line)
            if len(self._painted) > _CACHED:
                self._painted.popitem(last=False)
        return strips

    def _draw_line(self, line: int) -> list[Strip]:
        try:
            source, raw = self.buffer.line(line)
        except IndexError:
            return [Strip.blank(0)]
        name = self.model.source_name(source)
        colour = self._style_of(_COLOURS[source % len(_COLOURS)])
        head, text = paint_line(raw, (name,) if name else (), colour, self.model.look, self._style_of)
        mark = Text("▌" if line in self.model.marks else " ", self._style_of("mark"), end="")
        width, console = max(8, self._columns - 1), self.app.console
        if self.wrap:
            return wrap_line(mark, Text.assemble(head, text, end=""), width, console)
        return [cut_line(mark, Text.assemble(head, text, end=""), self._left, width, console)]
