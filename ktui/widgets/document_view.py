"""A text to read, on Textual's line API: a cursor, search with matches to go along, folding, and live replacement.

In: lines, and a function that styles one. Out: messages when the cursor or the search moved. Replacing the text
keeps the place, so that a view may follow an object that changes. Which lines are hidden is a set of fold heads.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ktui.widgets.component_styles import ComponentStyles
from ktui.widgets.log_search import Query, compile_query

StyleOf = Callable[[str], Style]
Paint = Callable[[int, str, StyleOf], Text]
"""Styles a line, given its number and text."""

_MOVE = Binding.Group("Move")
_COMPARED = 6000
"""Lines of two texts beyond which they aren't compared to keep the place."""


def plain(number: int, line: str, style: StyleOf) -> Text:
    """No colours."""
    return Text(line, end="")


def moved_lines(old: Sequence[str], new: Sequence[str]) -> Callable[[int], int]:
    """Where each line of a text is in its next version; a line that went maps to where it was."""
    if len(old) + len(new) > _COMPARED:
        return lambda number: number
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()

    def moved(number: int) -> int:
        block = max((b for b in blocks if b.size and b.a <= number), key=lambda b: b.a, default=None)
        return number if block is None else block.b + min(number - block.a, block.size)

    return moved


class DocumentView(ScrollView, can_focus=True):
    """Shows a text."""

    DEFAULT_CSS = """
    DocumentView {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .doc--cursor { background: $primary 35%; }
        & > .doc--match { background: $warning 70%; color: auto; text-style: bold; }
        & > .doc--fold { color: $text-warning; }
        & > .doc--key { color: $text-accent; }
        & > .doc--string { color: $text-success; }
        & > .doc--number { color: $text-secondary; }
        & > .doc--word { color: $text-warning; }
        & > .doc--dim { color: $text-disabled; }
        & > .doc--title { color: $text-accent; text-style: bold; }
        & > .doc--warn { color: $text-warning; }
        & > .doc--bad { color: $text-error; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "doc--cursor", "doc--match", "doc--fold", "doc--key", "doc--string", "doc--number", "doc--word", "doc--dim",
        "doc--title", "doc--warn", "doc--bad",
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
    ]

    class Moved(Message):
        """Cursor, folds or search changed."""

    def __init__(self, paint: Paint = plain, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self.lines: Sequence[str] = ()
        self.query_text: Query | None = None
        self.matches: list[int] = []
        self.folds: Mapping[int, int] = {}
        """The line that heads a fold, and the last line in it."""
        self.folded: set[int] = set()
        self._paint_line = paint
        self._shown: list[int] = []
        self._cursor = 0
        """An index into the shown lines."""
        self._left = 0
        self._painted: dict[int, Strip] = {}
        self._style_of = ComponentStyles(self, "doc")

    # -- content ---------------------------------------------------------------------------------------------

    def set_text(self, text: str, folds: Mapping[int, int] | None = None) -> None:
        """Show a text; the cursor stays on its line, as far as there is one."""
        lines = text.splitlines()
        if lines == self.lines and (folds or {}) == self.folds:
            return
        moved = moved_lines(self.lines, lines)
        at = moved(self.cursor_number)
        folded = {moved(head) for head in self.folded}
        self.lines, self.folds = lines, folds or {}
        self.folded = folded & set(self.folds)
        self._search_again()
        self._lay_out(at)

    def set_search(self, text: str) -> None:
        """Highlight what matches; `find` moves along."""
        self.query_text = compile_query(text) if text else None
        self._search_again()
        self._painted.clear()
        self.refresh()
        self.post_message(self.Moved())

    def find(self, direction: int, *, here: bool = False) -> bool:
        """Go to the next or previous match, around the end; False when there is none."""
        if not self.matches:
            return False
        at = self.cursor_number - (direction if here else 0)
        ordered = self.matches[::direction]
        found = next((n for n in ordered if (n - at) * direction > 0), ordered[0])
        self._unfold_to(found)
        self._set_cursor(self._shown.index(found), centre=True)
        return True

    @property
    def cursor_number(self) -> int:
        """The number of the line under the cursor, from 0."""
        return self._shown[self._cursor] if self._cursor < len(self._shown) else 0

    @property
    def match_position(self) -> int:
        """The cursor is on this match, counted from 1; 0 when on none."""
        number = self.cursor_number
        return self.matches.index(number) + 1 if number in self.matches else 0

    def move_to(self, number: int) -> None:
        """Put the cursor on a line."""
        self._unfold_to(number)
        if number in self._shown:
            self._set_cursor(self._shown.index(number), centre=True)

    def toggle_fold(self) -> bool:
        """Fold or unfold the block under the cursor (the innermost one around it); False when there is none."""
        number = self.cursor_number
        heads = [head for head, last in self.folds.items() if head <= number <= last]
        if not heads:
            return False
        head = max(heads)
        self.folded ^= {head}
        self._lay_out(head)
        return True

    def fold_all(self, fold: bool) -> None:
        """Fold every block of the second level, or unfold all."""
        depth = {head: len(self.lines[head]) - len(self.lines[head].lstrip()) for head in self.folds}
        self.folded = {head for head in self.folds if depth[head] <= 2} if fold else set()
        self._lay_out(self.cursor_number)

    def _unfold_to(self, number: int) -> None:
        around = {head for head in self.folded if head < number <= self.folds[head]}
        if around:
            self.folded -= around
            self._lay_out(number)

    def _search_again(self) -> None:
        query = self.query_text
        self.matches = (
            []
            if query is None
            else [
                n
                for n, line in enumerate(self.lines)
                if (query.highlight.search(line) is None) is query.inverse
            ]
        )

    def _lay_out(self, number: int) -> None:
        """Find the shown lines anew; the cursor goes to `number`, or to the fold that hides it."""
        shown: list[int] = []
        at = 0
        while at < len(self.lines):
            shown.append(at)
            at = self.folds[at] + 1 if at in self.folded else at + 1
        on_screen = self._cursor - round(self.scroll_y)
        self._shown = shown
        self._painted.clear()
        self.virtual_size = Size(1, len(shown))
        index = max((i for i, n in enumerate(shown) if n <= number), default=0)
        self._cursor = index
        if 0 <= on_screen < self._page:
            self.scroll_to(y=max(0, index - on_screen), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())

    # -- moving ----------------------------------------------------------------------------------------------

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height)

    def action_move(self, step: int) -> None:
        self._set_cursor(self._cursor + step)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * self._page)

    def action_jump(self, index: int) -> None:
        self._set_cursor(index if index >= 0 else len(self._shown) - 1)

    def action_pan(self, direction: int) -> None:
        self._left = max(0, self._left + 16 * direction)
        self.refresh()

    def _set_cursor(self, index: int, *, centre: bool = False) -> None:
        self._cursor = max(0, min(index, len(self._shown) - 1))
        top = round(self.scroll_y)
        if not top <= self._cursor < top + self._page:
            if centre:
                top = self._cursor - self._page // 2
            else:
                top = self._cursor if self._cursor < top else self._cursor - self._page + 1
            self.scroll_to(y=max(0, top), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        top = round(new_value)
        self._cursor = max(top, min(self._cursor, top + self._page - 1, max(0, len(self._shown) - 1)))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        self._set_cursor(offset.y + round(self.scroll_y))
        if event.chain == 2:
            self.toggle_fold()

    # -- painting --------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._lay_out(self.cursor_number)

    def on_focus(self) -> None:
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._style_of.forget()
        self._painted.clear()

    def render_line(self, y: int) -> Strip:
        width, base = max(1, self.scrollable_content_region.width), self._style_of("")
        index = y + round(self.scroll_y)
        if index >= len(self._shown):
            return Strip.blank(width, base)
        number = self._shown[index]
        strip = self._painted.get(number)
        if strip is None:
            strip = self._painted[number] = self._draw(number)
        strip = strip.crop_extend(self._left, self._left + width, base)
        if index == self._cursor and self.has_focus:
            strip = strip.apply_style(self._style_of("cursor"))
        return strip.apply_style(base)

    def _draw(self, number: int) -> Strip:
        mark = "▸ " if number in self.folded else "▾ " if number in self.folds else "  "
        body = self._paint_line(number, self.lines[number], self._style_of)
        query = self.query_text
        if query is not None and not query.inverse:
            for match in query.highlight.finditer(body.plain):
                if match.end() > match.start():
                    body.stylize(self._style_of("match"), match.start(), match.end())
        line = Text.assemble((mark if self.folds else " ", self._style_of("fold")), body, end="")
        if number in self.folded:
            line.append(f" … {self.folds[number] - number} lines", self._style_of("fold"))
        return Strip(line.render(self.app.console))
