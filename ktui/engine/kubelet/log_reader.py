"""Reading a container's log file: the CRI format to lines as `kubectl logs` prints them.

A `LogReader` is a cursor over one file that survives rotation; everything here blocks and is called in threads, a
bounded piece at a time. Partial lines (tag P) are joined to the full line (tag F) that ends them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

PIECE_BYTES = 128 * 1024
_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the file."""

    time: bytes
    stream: bytes
    full: bool
    text: bytes


def parse_line(line: bytes) -> LogEntry | None:
    """`<time> <stream> <P|F> <text>`; None for what is no such line."""
    parts = line.split(b" ", 3)
    if len(parts) < 3:
        return None
    time, stream, tag = parts[:3]
    text = parts[3] if len(parts) == 4 else b""
    return LogEntry(time.replace(b"+00:00", b"Z"), stream, not tag.startswith(b"P"), text)


class LogFormatter:
    """Turns raw lines into output, dropping what is older than `since` and all beyond `limit` bytes."""

    def __init__(
        self, *, timestamps: bool = False, since: datetime | None = None, limit: int | None = None
    ) -> None:
        self.exhausted = False
        """The limit is reached: nothing more will come."""
        self._timestamps = timestamps
        self._since = since
        self._left = limit
        self._inside = False

    def format(self, raw: bytes) -> bytes:
        """The output of whole raw lines."""
        out: list[bytes] = []
        for line in raw.split(b"\n"):
            entry = parse_line(line)
            if entry is None or self._too_old(entry):
                continue
            if self._timestamps and not self._inside:
                out.append(entry.time + b" ")
            out.append(entry.text)
            if entry.full:
                out.append(b"\n")
            self._inside = not entry.full
        return self._limited(b"".join(out))

    def _too_old(self, entry: LogEntry) -> bool:
        if self._since is None:
            return False
        try:
            old = _log_time(entry.time) < self._since
        except ValueError:
            return False
        if not old:
            # Lines are in order: once one is new enough, so is all that follows.
            self._since = None
        return old

    def _limited(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        self.exhausted = self._left <= 0
        return data


def _log_time(text: bytes) -> datetime:
    """Nanoseconds cut to the microseconds that Python knows."""
    head, dot, rest = text.decode("ascii", "replace").partition(".")
    digits = rest.rstrip("Z")
    zone = ""
    for sign in ("+", "-"):
        if sign in digits:
            digits, _, offset = digits.partition(sign)
            zone = sign + offset
    if not dot:
        return datetime.fromisoformat(head)
    return datetime.fromisoformat(f"{head}.{digits[:6].ljust(6, '0')}{zone or '+00:00'}")


class LogReader:
    """A cursor over a log file."""

    def __init__(self, path: Path, tail: int | None = None) -> None:
        self._path = path
        self._tail = tail
        self._file: BinaryIO | None = None
        self._rest: bytes = b""

    def pieces(self) -> Iterator[bytes]:
        """Whole raw lines, a piece at a time, up to the present end of the file."""
        while piece := self.read():
            yield piece

    def read(self) -> bytes:
        """The next whole raw lines, at most about `PIECE_BYTES`; empty at the present end."""
        while True:
            if self._file is None and not self._open():
                return b""
            assert self._file is not None
            data = self._file.read(PIECE_BYTES)
            if not data:
                if not self._rotated():
                    return b""
                self.close()
                self._tail = None
                continue
            data = self._rest + data
            end = data.rfind(b"\n") + 1
            self._rest = data[end:]
            if end:
                return data[:end]

    def rest(self) -> bytes:
        """What stands after the last newline of a file that will not grow any more."""
        rest, self._rest = self._rest, b""
        return rest

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return False
        if self._tail is not None:
            self._file.seek(tail_offset(self._file, self._tail))
        return True

    def _rotated(self) -> bool:
        """Another file stands under the name, or this one was cut."""
        assert self._file is not None
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        if now.st_ino != mine.st_ino or now.st_dev != mine.st_dev:
            return True
        return now.st_size < self._file.tell()


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    found = 0
    at = end
    while at > 0:
        start = max(0, at - _BLOCK)
        file.seek(start)
        block = file.read(at - start)
        position = len(block)
        while (position := block.rfind(b"\n", 0, position)) >= 0:
            # The newline that ends the file ends the last line; it begins none.
            if start + position + 1 < end:
                found += 1
                if found == lines:
                    return start + position + 1
        at = start
    return 0
