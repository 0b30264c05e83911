"""Selecting text with the mouse in a widget drawn line by line, at no cost while it is only painted.

Textual finds what is under the mouse by an offset in each segment's style. Adding those while painting would double
a table's cost, so they are added only when a single line is asked for, which is what the mouse does.
"""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.selection import SELECT_ALL, Selection
from textual.strip import Strip


class SelectableLines(ScrollView):
    """A `ScrollView` whose subclasses draw whole lines in `whole_line` and crop them with `cropped`."""

    _painting = False

    def whole_line(self, line: int) -> Strip:
        """The uncropped strip of a line of the content."""
        raise NotImplementedError

    @property
    def line_count(self) -> int:
        """How many lines the content has."""
        raise NotImplementedError

    @property
    def ground(self) -> Style:
        """The widget's own style; subclasses that keep it spare its computation for each line."""
        return self.rich_style

    def cropped(self, strip: Strip, line: int) -> Strip:
        """The part of a line that is in sight, with what is selected of it."""
        left = round(self.scroll_x)
        right = left + self.scrollable_content_region.width
        selection = self.text_selection
        if selection is not None and selection != SELECT_ALL:
            strip = self._highlighted(strip, selection.get_span(line))
        if left or right != strip.cell_length:
            strip = strip.crop_extend(left, right, self.ground)
        return strip if self._painting else strip.apply_offsets(left, line)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._painting = True
        try:
            return super().render_lines(crop)
        finally:
            self._painting = False

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        if selection == SELECT_ALL:
            return None
        first = selection.start.y if selection.start is not None else 0
        last = selection.end.y if selection.end is not None else self.line_count - 1
        texts: list[str] = []
        for line in range(first, min(last, self.line_count - 1) + 1):
            text = self.whole_line(line).text
            start, end = selection.get_span(line) or (0, -1)
            texts.append(text[start : None if end == -1 else end].rstrip())
        return "\n".join(texts), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def _highlighted(self, strip: Strip, span: tuple[int, int] | None) -> Strip:
        if span is None:
            return strip
        start, end = span
        end = strip.cell_length if end == -1 else min(end, strip.cell_length)
        if start >= end:
            return strip
        style = self.screen.get_component_rich_style("screen--selection")
        before, selected, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
        # After, not before, the line's own style: the selection's colours win.
        selected = Strip([type(s)(s.text, (s.style + style) if s.style else style) for s in selected])
        return Strip.join([before, selected, after])
