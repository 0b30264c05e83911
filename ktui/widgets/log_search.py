"""Which lines of a log match: found in slices, so that a search over millions of lines never holds up a key.

In: a `LogBuffer` and what was typed. Out: the numbers of the matching lines, growing as `scan` is called.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from ktui.widgets.log_buffer import NOTE, LogBuffer, text_start

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
_META = re.compile(r"[\\.^$*+?{}\[\]|()]")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, compiled for bytes (scanning) and for text (highlighting)."""

    text: str
    inverse: bool
    scan: re.Pattern[bytes]
    highlight: re.Pattern[str]
    literal: bytes = b""
    """What is looked for when it is plain ASCII text: a find is twenty times faster than a regex."""
    ignores_case: bool = True

    def matches(self, text: bytes) -> bool:
        """Whether a text holds it (inversion left aside)."""
        if self.literal:
            return self.literal in (text.lower() if self.ignores_case else text)
        return self.scan.search(text) is not None


def compile_query(text: str) -> Query:
    """A regex, or the text itself where it is none; `!` first inverts; capitals make it case-sensitive."""
    inverse = text.startswith("!") and len(text) > 1
    wanted = text[1:] if inverse else text
    flags = 0 if any(character.isupper() for character in wanted) else re.IGNORECASE
    pattern = wanted
    try:
        re.compile(wanted)
    except re.error:
        pattern = re.escape(wanted)
    is_plain = wanted.isascii() and not _META.search(wanted)
    return Query(
        text,
        inverse,
        re.compile(pattern.encode(), flags),
        re.compile(pattern, flags),
        wanted.encode() if is_plain else b"",
        bool(flags),
    )


class LogMatches:
    """The numbers of the lines that match a query, in order.

    `notes`: ktui's own remarks are among them. `context`: so are that many lines before and after each match.
    """

    def __init__(self, buffer: LogBuffer, query: Query, *, notes: bool = False, context: int = 0) -> None:
        self.query = query
        self.numbers = array("Q")
        self._buffer = buffer
        self._notes = notes
        self._context = context
        self._next = buffer.first
        self._reach = 0
        """Lines before this one are in the context of a match found already."""

    @property
    def pending(self) -> int:
        """How many lines are not looked at yet."""
        return self._buffer.end - max(self._next, self._buffer.first)

    def scan(self, lines: int = 500) -> bool:
        """Look at so many more lines; True while some are left."""
        start = max(self._next, self._buffer.first)
        stop = min(start + lines, self._buffer.end)
        found: list[int] = []
        for first, block in self._buffer.blocks(start, stop):
            if not self._is_hopeless(block):
                found += self._matching(first, block[:-1].split(b"\n"))
        self.numbers.extend(self._with_context(found, start, stop) if self._context else found)
        self._next = stop
        self._forget_dropped()
        return stop < self._buffer.end

    def _is_hopeless(self, block: bytes) -> bool:
        """Whether no line of a block can match: told by one look at it all."""
        query = self.query
        if not query.literal or query.inverse or b"\x1b" in block or (self._notes and NOTE in block):
            return False
        return query.literal not in (block.lower() if query.ignores_case else block)

    def _matching(self, first: int, lines: list[bytes]) -> list[int]:
        matches, inverse = self.query.matches, self.query.inverse
        found: list[int] = []
        for number, raw in enumerate(lines, first):
            if raw.startswith(NOTE):
                if self._notes:
                    found.append(number)
                continue
            text = raw[text_start(raw) :]
            if b"\x1b" in text:
                text = _ESCAPE.sub(b"", text)
            if matches(text) is not inverse:
                found.append(number)
        return found

    def _with_context(self, found: list[int], start: int, stop: int) -> list[int]:
        """The matches of a slice with the lines around them that are not shown yet."""
        last = self.numbers[-1] if self.numbers else -1
        lines = list(range(max(start, last + 1), min(self._reach, stop)))
        for number in found:
            around = 0 if self._buffer.line(number)[1].startswith(NOTE) else self._context
            last = lines[-1] if lines else last
            lines += range(max(last + 1, number - around, self._buffer.first), min(number + around + 1, stop))
            self._reach = max(self._reach, number + around + 1)
        return lines

    def after(self, number: int) -> int | None:
        """The first match behind a line."""
        at = bisect_right(self.numbers, number)
        return self.numbers[at] if at < len(self.numbers) else None

    def before(self, number: int) -> int | None:
        """The last match before a line."""
        at = bisect_left(self.numbers, number)
        return self.numbers[at - 1] if at else None

    def position(self, number: int) -> int:
        """How many matches there are before a line."""
        return bisect_left(self.numbers, number)

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self.numbers, number)
        return at < len(self.numbers) and self.numbers[at] == number

    def _forget_dropped(self) -> None:
        first = self._buffer.first
        if self.numbers and self.numbers[0] < first:
            del self.numbers[: bisect_left(self.numbers, first)]
