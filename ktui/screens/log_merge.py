"""Several logs as one, in the order of their timestamps, while they stream.

In: batches of stamped lines a source. Out: runs of lines in time order. A line waits until no other source can
still have an earlier one: until each has a later line, has ended, or was silent for a moment. Lines that come later
than that are shown when they come. Pure: time is handed in.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence

from ktui.widgets.log_buffer import NOTE, split_line

Run = tuple[int, list[bytes]]
"""Consecutive lines of one source."""

QUIET_SECONDS = 0.3


class _Source:
    __slots__ = ("last_key", "lines", "open", "touched")

    def __init__(self, now: float) -> None:
        self.lines: deque[tuple[bytes, bytes]] = deque()
        self.open = True
        self.touched = now
        self.last_key = b""


class LogMerge:
    """The sources that stream, and their lines that wait."""

    def __init__(self) -> None:
        self._sources: dict[int, _Source] = {}
        self.waiting = 0
        """Lines handed in and not yet given out."""

    def open(self, source: int, now: float) -> None:
        """From now on the source may have lines: others wait for it a moment."""
        known = self._sources.get(source)
        if known is None:
            self._sources[source] = _Source(now)
        else:
            known.open, known.touched = True, now

    def close(self, source: int) -> None:
        """The source has no more lines (for now)."""
        if source in self._sources:
            self._sources[source].open = False

    def push(self, source: int, lines: Sequence[bytes], now: float) -> None:
        """Take lines, in the order they came."""
        self.open(source, now)
        into = self._sources[source]
        key = into.last_key
        for line in lines:
            # Lines without a timestamp (ktui's notes, a broken one) stay behind the line before them.
            stamp = b"" if line.startswith(NOTE) else split_line(line)[0]
            if stamp:
                key = max(key, stamp.rstrip(b"Z"))
            into.lines.append((key, line))
        into.last_key = key
        self.waiting += len(lines)

    def drain(self, now: float) -> list[Run]:
        """The lines whose turn it is."""
        full = [(number, source) for number, source in self._sources.items() if source.lines]
        if not full:
            return []
        limit = self._limit(now)
        runs: list[Run] = []
        if len(full) == 1 and limit is None:
            number, source = full[0]
            runs.append((number, [line for _, line in source.lines]))
            source.lines.clear()
        else:
            heap = [(source.lines[0][0], number) for number, source in full]
            heapq.heapify(heap)
            while heap and (limit is None or heap[0][0] <= limit):
                number = heap[0][1]
                lines = self._sources[number].lines
                line = lines.popleft()[1]
                if runs and runs[-1][0] == number:
                    runs[-1][1].append(line)
                else:
                    runs.append((number, [line]))
                if lines:
                    heapq.heapreplace(heap, (lines[0][0], number))
                else:
                    heapq.heappop(heap)
                    if self._sources[number].open and now - self._sources[number].touched < QUIET_SECONDS:
                        limit = (
                            min(limit, self._sources[number].last_key)
                            if limit is not None
                            else self._sources[number].last_key
                        )
        self.waiting -= sum(len(lines) for _, lines in runs)
        return runs

    def _limit(self, now: float) -> bytes | None:
        """The last time up to which nothing earlier can come; None: no source is waited for."""
        held = [
            source.last_key
            for source in self._sources.values()
            if source.open and not source.lines and now - source.touched < QUIET_SECONDS
        ]
        return min(held, default=None) if len(self._sources) > 1 else None
