"""Which lines of a buffer a log view shows and finds: filter, search, marks; without a terminal.

What is shown is a sequence of positions from 0, each a line's number: all kept lines, or those the filter found.
`scan` looks for matches within a time budget, so that whoever draws calls it between keys.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ktui.widgets.log_buffer import LogBuffer
from ktui.widgets.log_paint import LineLook
from ktui.widgets.log_search import LogMatches, Query, compile_query


@dataclass(frozen=True, slots=True)
class LogCounts:
    """What a status line tells of a log."""

    lines: int = 0
    dropped: int = 0
    shown: int = 0
    matches: int | None = None
    """Lines the search found, None without a search."""
    match_position: int = 0
    """The cursor is on this match, counted from 1; 0 when it is on none."""
    scanning: int = 0
    """Lines a filter or search has still to look at."""


class LogModel:
    """A buffer as it is looked at."""

    def __init__(self, buffer: LogBuffer) -> None:
        self.buffer = buffer
        self.look = LineLook()
        self.sources: list[str] = []
        """Short names of the sources, by number."""
        self.marks: set[int] = set()
        self.context = 0
        """How many lines around each match of the filter are shown with it."""
        self.filter: LogMatches | None = None
        self.search: LogMatches | None = None

    def reset(self) -> None:
        """The buffer was emptied; filter and search stay."""
        self.marks.clear()
        if self.filter is not None:
            self.filter = self._matches(self.filter.query)
        if self.search is not None:
            self.search = LogMatches(self.buffer, self.search.query)

    def set_filter(self, text: str) -> None:
        """Show only lines that match ("" shows all)."""
        self.filter = self._matches(compile_query(text)) if text else None
        self._highlight()

    def _matches(self, query: Query) -> LogMatches:
        return LogMatches(self.buffer, query, notes=True, context=self.context)

    def set_search(self, text: str) -> None:
        """Look for what matches ("" ends the search)."""
        self.search = LogMatches(self.buffer, compile_query(text)) if text else None
        self._highlight()

    def _highlight(self) -> None:
        wanted = [m.query for m in (self.search, self.filter) if m is not None]
        self.look = replace(
            self.look, highlights=tuple(query.highlight for query in wanted if not query.inverse)
        )

    def scan(self, seconds: float) -> bool:
        """Look for matches for so long; True while lines are left."""
        until = time.perf_counter() + seconds
        for matches in (self.filter, self.search):
            while matches is not None and matches.pending:
                if time.perf_counter() >= until:
                    return True
                matches.scan()
        return False

    # -- positions -------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.buffer) if self.filter is None else len(self.filter.numbers)

    def line_at(self, position: int) -> int | None:
        """The line at a position."""
        if not 0 <= position < len(self):
            return None
        return self.buffer.first + position if self.filter is None else self.filter.numbers[position]

    def position(self, line: int) -> int:
        """Where a line is, or would be."""
        return line - self.buffer.first if self.filter is None else self.filter.position(line)

    def is_shown(self, line: int) -> bool:
        if self.filter is not None:
            return line in self.filter
        return self.buffer.first <= line < self.buffer.end

    def shown_numbers(self) -> Sequence[int]:
        """The numbers of all lines that are shown, as they are now."""
        if self.filter is None:
            return range(self.buffer.first, self.buffer.end)
        return array("Q", self.filter.numbers)

    def source_name(self, source: int) -> str:
        return self.sources[source] if source < len(self.sources) else ""

    # -- finding ---------------------------------------------------------------------------------------------

    def next_match(self, direction: int, start: int) -> int | None:
        """The next shown match in a direction, around the end; None when there is none, or not yet.

        `search_is_settled` tells whether that is for good.
        """
        search = self.search
        if search is None or not search.numbers:
            return None
        found: int | None = start
        while (found := search.after(found) if direction > 0 else search.before(found)) is not None:
            if self.is_shown(found):
                return found
        if search.pending:
            return None
        numbers = search.numbers if direction > 0 else search.numbers[::-1]
        return next((number for number in numbers if self.is_shown(number)), None)

    @property
    def search_is_settled(self) -> bool:
        """Every line was looked at."""
        return self.search is None or not self.search.pending

    def next_mark(self, direction: int, start: int) -> int | None:
        """The next shown mark in a direction, around the end."""
        marks = sorted((mark for mark in self.marks if self.is_shown(mark)), reverse=direction < 0)
        beyond = (mark for mark in marks if (mark - start) * direction > 0)
        return next(beyond, marks[0] if marks else None)

    def counts(self, cursor: int) -> LogCounts:
        search = self.search
        return LogCounts(
            len(self.buffer),
            self.buffer.first,
            len(self),
            None if search is None else len(search.numbers),
            0 if search is None or cursor not in search else search.position(cursor) + 1,
            max((m.pending for m in (search, self.filter) if m is not None), default=0),
        )
