"""The file that makes writes durable: appended in batches, one synchronous write a batch, into preallocated room.

Runs in the committer's thread. A batch that fails leaves no trace: the file is cut back to its last durable
byte, at once or, when the disk refuses that too, before the next batch is let in.
"""

from __future__ import annotations

import errno
import logging
from pathlib import Path

from ktui.engine.store import records
from ktui.engine.store.files import Files
from ktui.engine.store.records import Record

log = logging.getLogger(__name__)

FORMAT = b'{"format":1}'
PREALLOCATE = 8 << 20
ZEROED = 256 << 10
"""How far ahead a small batch writes zeros: a sync into blocks that were written before costs a quarter less."""


def journal_path(folder: Path, first: int) -> Path:
    """The journal that starts with revision `first`."""
    return folder / f"journal-{first:020d}.log"


class Journal:
    """The open journal: `first` is the revision it starts with, `size` its durable length."""

    def __init__(self, files: Files, path: Path, descriptor: int, first: int, size: int) -> None:
        self.path = path
        self.first = first
        self.size = size
        self._files = files
        self._descriptor = descriptor
        self._allocated = self._zeroed = size
        self._clean = True

    @classmethod
    def create(cls, files: Files, folder: Path, first: int, time: int) -> Journal:
        """Start a new file; it appears under its name only when its header is durable."""
        path = journal_path(folder, first)
        draft = path.with_suffix(".tmp")
        header = records.encode(Record(first, first, time, records.HEADER, "journal", "", "", FORMAT))
        descriptor = files.open(draft, create=True)
        try:
            files.write_durably(descriptor, header, 0)
            files.rename(draft, path)
        except BaseException:
            files.close(descriptor)
            raise
        return cls(files, path, descriptor, first, len(header))

    @classmethod
    def resume(cls, files: Files, path: Path, first: int, size: int) -> Journal:
        """Go on behind the last good record, cutting off whatever follows it."""
        journal = cls(files, path, files.open(path), first, size)
        journal._cut()
        return journal

    def has_room(self, length: int) -> bool:
        """Whether an append of so many bytes is one write and nothing else."""
        return self._clean and self.size + length <= self._allocated

    def append(self, data: bytes) -> None:
        """Make `data` durable, or raise OSError with the file as it was."""
        self.mend()
        self._clean = False
        try:
            self._reserve(len(data))
            self._files.write_durably(self._descriptor, self._padded(data), self.size)
        except OSError:
            try:
                self._cut()
            except OSError as error:
                log.warning("%s: the failed batch can't be cut off yet: %s", self.path, error)
            raise
        self._clean = True
        self.size += len(data)

    def mend(self) -> None:
        """Cut off what a failed batch left, if that is still to be done; OSError when it can't be."""
        if not self._clean:
            self._cut()

    def close(self, last_revision: int, time: int) -> None:
        """Mark a clean end, give back the unused room and close the file."""
        mark = Record(last_revision, last_revision + 1, time, records.END, "journal", "", "", b"")
        try:
            self.append(records.encode(mark))
            self._files.truncate(self._descriptor, self.size)
        except OSError as error:
            log.warning("%s: closed without an end mark: %s", self.path, error)
        finally:
            self._files.close(self._descriptor)

    def _cut(self) -> None:
        self._clean = False
        self._files.truncate(self._descriptor, self.size)
        self._allocated = self._zeroed = self.size
        self._files.sync(self._descriptor)
        self._clean = True

    def _reserve(self, length: int) -> None:
        if self.size + length <= self._allocated:
            return
        room = max(PREALLOCATE, length)
        try:
            self._files.preallocate(self._descriptor, self.size, room)
        except OSError as error:
            # A disk with less than that left, or a file system without: the write itself decides.
            if error.errno not in (errno.ENOSPC, errno.EOPNOTSUPP, errno.EINVAL, errno.EFBIG, errno.EDQUOT):
                raise
        else:
            self._allocated = self.size + room

    def _padded(self, data: bytes) -> bytes:
        end = self.size + len(data)
        if end <= self._zeroed or len(data) > ZEROED // 16 or end + ZEROED > self._allocated:
            return data
        self._zeroed = end + ZEROED
        return data + bytes(ZEROED)
