"""A text whose columns line up: what kubectl does with Go's `text/tabwriter`.

Cells end with a tab; a column is as wide as the widest cell of the consecutive lines that have it, plus two
spaces. What follows the last tab of a line is free. Control characters of terminals are made visible, so that
no object can play tricks on the reader's screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from ktui.kube.clock import parse_time

NONE: Final = "<none>"
UNSET: Final = "<unset>"
_PADDING: Final = 2
_ESCAPES: Final = str.maketrans({"\x1b": "^[", "\r": "\\r"})


class Text:
    """Collects lines; `str()` gives them aligned. `now` is the moment ages count to, and its zone for times."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._done: list[str] = []
        self._open = ""

    def write(self, text: str, level: int = 0) -> None:
        """Append as it is, indented by two spaces a level."""
        self._open += "  " * level + text.translate(_ESCAPES)

    def line(self, text: str = "", level: int = 0) -> None:
        self.write(f"{text}\n", level)

    def field(self, label: str, value: object, level: int = 0) -> None:
        """`Label:  value`, the values of neighbouring fields lined up."""
        self.line(f"{label}:\t{value}", level)

    def row(self, *cells: object, level: int = 0) -> None:
        self.line("\t".join(str(cell) for cell in cells), level)

    def flush(self) -> None:
        """Lines before this no longer line up with those after."""
        self._done.append(aligned(self._open))
        self._open = ""

    def time(self, stamp: str | None) -> str:
        """`Mon, 02 Jan 2006 15:04:05 -0700`."""
        if not stamp:
            return "Mon, 01 Jan 0001 00:00:00 +0000"
        return f"{parse_time(stamp).astimezone(self.now.tzinfo):%a, %d %b %Y %H:%M:%S %z}"

    def __str__(self) -> str:
        return "".join(self._done) + aligned(self._open)


def aligned(text: str) -> str:
    """Replace the tabs of a text by what makes its columns line up."""
    lines = [line.split("\t") for line in text.split("\n")]
    return "\n".join(_lines(lines, ()))


def _lines(lines: list[list[str]], widths: tuple[int, ...]) -> Iterable[str]:
    """Lines that all have the columns of `widths`; runs with one more column are laid out together."""
    column = len(widths)
    start = 0
    while start < len(lines):
        if column >= len(lines[start]) - 1:
            yield _padded(lines[start], widths)
            start += 1
            continue
        end = start
        while end < len(lines) and column < len(lines[end]) - 1:
            end += 1
        width = max(len(line[column]) for line in lines[start:end]) + _PADDING
        yield from _lines(lines[start:end], (*widths, width))
        start = end


def _padded(cells: list[str], widths: tuple[int, ...]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "".join((*padded, *cells[len(widths) :]))
