"""A text whose columns line up: what kubectl does with Go's `text/tabwriter`.

Cells end with a tab; a column is as wide as the widest cell of the consecutive lines that have it, plus two
spaces. What follows the last tab of a line is free. Control characters of terminals are made visible, so that
no object can play tricks on the reader's screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    column = 0
    having = [i for i, cells in enumerate(lines) if len(cells) > 1]
    while having:
        for run in _runs(having):
            width = max(len(lines[i][column]) for i in run) + _PADDING
            for i in run:
                lines[i][column] = lines[i][column].ljust(width)
        column += 1
        having = [i for i in having if len(lines[i]) > column + 1]
    return "\n".join("".join(cells) for cells in lines)


def _runs(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    """The stretches of numbers that follow each other without a gap."""
    start = 0
    for end in range(1, len(numbers) + 1):
        if end == len(numbers) or numbers[end] != numbers[end - 1] + 1:
            yield numbers[start:end]
            start = end
