"""Lines of a log, as many as come, in memory that stays flat: the text is on disk, offsets are in arrays.

In: batches of lines as bytes, each from a source (a container). Out: any range of lines by number. Lines are
numbered from 0 for ever; under a cap of bytes or lines the oldest segment goes, and `first` says how many went.
The spool files have no name and vanish with the process.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

_SEGMENT_BYTES = 32 * 1024 * 1024
_SEGMENT_LINES = 500_000

NOTE = b"\x00"
"""A line that starts so is ktui's own remark (a restart, a lost connection), not a line of the log."""


def split_line(raw: bytes) -> tuple[bytes, bytes]:
    """A line's timestamp ("" if it has none) and its text."""
    if raw[4:5] == b"-" and raw[10:11] == b"T":
        stamp, _, text = raw.partition(b" ")
        return stamp, text
    return b"", raw.removeprefix(NOTE)


def text_start(raw: bytes) -> int:
    """Where the text of a line begins, behind its timestamp."""
    return raw.find(b" ") + 1 if raw[4:5] == b"-" and raw[10:11] == b"T" and b" " in raw[:40] else 0


class _Segment:
    """A spool file and where its lines end."""

    __slots__ = ("ends", "file", "first", "size", "sources")

    def __init__(self, first: int, directory: str | None) -> None:
        self.first = first
        self.file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 - closed by `close`
        self.ends = array("Q", (0,))
        self.sources = array("H")
        self.size = 0

    def __len__(self) -> int:
        return len(self.sources)

    def append(self, lines: Sequence[bytes], source: int) -> None:
        block = memoryview(b"\n".join(lines) + b"\n")
        descriptor, at = self.file.fileno(), self.size
        while block:
            written = os.pwrite(descriptor, block, at)
            block, at = block[written:], at + written
        ends = accumulate((len(line) + 1 for line in lines), initial=self.size)
        next(ends)
        self.ends.extend(ends)
        self.sources.extend(array("H", (source,)) * len(lines))
        self.size = at

    def block(self, start: int, stop: int) -> bytes:
        low, high = self.ends[start], self.ends[stop]
        return os.pread(self.file.fileno(), high - low, low)

    def read(self, start: int, stop: int) -> list[bytes]:
        return self.block(start, stop)[:-1].split(b"\n") if stop > start else []

    def close(self) -> None:
        self.file.close()


class LogBuffer:
    """An append-only store of lines with a cap; the oldest lines go first, and are counted."""

    def __init__(
        self,
        *,
        max_bytes: int = 2 * 1024 * 1024 * 1024,
        max_lines: int = 10_000_000,
        segment_bytes: int = _SEGMENT_BYTES,
        segment_lines: int = _SEGMENT_LINES,
        directory: str | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_lines = max_lines
        self._segment_bytes = segment_bytes
        self._segment_lines = segment_lines
        self._directory = directory
        self._segments: list[_Segment] = []
        self._firsts: list[int] = []
        self.end = 0
        """One past the newest line's number."""
        self.bytes = 0

    @property
    def first(self) -> int:
        """The oldest kept line's number: as many were dropped."""
        return self._firsts[0] if self._firsts else self.end

    def __len__(self) -> int:
        return self.end - self.first

    def append(self, lines: Sequence[bytes], source: int = 0) -> None:
        """Add lines (without their newlines). Raises OSError when the spool can't be written; nothing is kept then."""
        if not lines:
            return
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.size >= self._segment_bytes or len(segment) >= self._segment_lines:
            segment = _Segment(self.end, self._directory)
            self._segments.append(segment)
            self._firsts.append(self.end)
        before = segment.size
        segment.append(lines, source)
        self.end += len(lines)
        self.bytes += segment.size - before
        while len(self._segments) > 1 and (self.bytes > self._max_bytes or len(self) > self._max_lines):
            oldest = self._segments.pop(0)
            del self._firsts[0]
            self.bytes -= oldest.size
            oldest.close()

    def read(self, start: int, stop: int) -> list[bytes]:
        """The lines `start` to before `stop`, as many of them as are kept."""
        lines: list[bytes] = []
        for segment, low, high in self._ranges(start, stop):
            lines += segment.read(low, high)
        return lines

    def blocks(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """The same lines as whole blocks of bytes, each with its first line's number."""
        for segment, low, high in self._ranges(start, stop):
            yield segment.first + low, segment.block(low, high)

    def sources(self, start: int, stop: int) -> array[int]:
        """The sources of the same lines."""
        found = array("H")
        for segment, low, high in self._ranges(start, stop):
            found += segment.sources[low:high]
        return found

    def line(self, number: int) -> tuple[int, bytes]:
        """One line's source and bytes. Raises IndexError when it is not kept."""
        for segment, low, high in self._ranges(number, number + 1):
            return segment.sources[low], segment.read(low, high)[0]
        raise IndexError(number)

    def clear(self) -> None:
        """Start anew from line 0."""
        self.close()
        self.end = 0

    def close(self) -> None:
        for segment in self._segments:
            segment.close()
        self._segments.clear()
        self._firsts.clear()
        self.bytes = 0

    def _ranges(self, start: int, stop: int) -> Iterator[tuple[_Segment, int, int]]:
        start, stop = max(start, self.first), min(stop, self.end)
        while start < stop:
            segment = self._segments[bisect_right(self._firsts, start) - 1]
            high = min(stop, segment.first + len(segment))
            yield segment, start - segment.first, high - segment.first
            start = high
