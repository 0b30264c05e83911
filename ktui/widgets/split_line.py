"""One line of text with a left and a right part; the left gives way when there is no room for both."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

Part = str | tuple[str, str]
"""Text, or text with a style (`$text-accent bold`)."""


class SplitLine(Widget):
    """A status line. Setting the same parts again paints nothing."""

    DEFAULT_CSS = """
    SplitLine { height: 1; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, classes=classes)
        self._left: tuple[Part, ...] = ()
        self._right: tuple[Part, ...] = ()

    def show(self, left: Sequence[Part], right: Sequence[Part] = ()) -> None:
        """Replace both parts. Right parts are dropped from the left on when the line is too short."""
        parts = (tuple(left), tuple(right))
        if parts != (self._left, self._right):
            self._left, self._right = parts
            self.refresh()

    def render(self) -> Content:
        width = self.content_size.width
        left = Content.assemble(*self._left)
        rest = list(self._right)
        while rest and left.cell_length + 2 + _length(rest) > width:
            del rest[0]
        right = Content.assemble(*rest)
        room = max(0, width - right.cell_length - (1 if rest else 0))
        if left.cell_length > room:
            left = left.truncate(room, ellipsis=True)
        return Content.assemble(left, " " * max(0, width - left.cell_length - right.cell_length), right)


def _length(parts: Sequence[Part]) -> int:
    return sum(len(part if isinstance(part, str) else part[0]) for part in parts)
