"""The folder's files as documents: what is there now, what it said when it was last readable, and since when.

Adding is quick and removing is slow. A file's new text counts as soon as its writer has closed it. A broken text
is told of only after it has stood for a moment, and a missing file counts as deleted only after one (an editor may
be about to rename its new version into place). A text with fewer objects than before, or with none, may be the
first half of the next one: what it lost is removed only after it has stood for seconds.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, replace

from ktui.engine.manifests.folder import Folder, Signature, Tree
from ktui.kube.manifest import START, Document, ManifestError, parse
from ktui.kube.manifest_problem import Problem

log = logging.getLogger(__name__)

BROKEN_AFTER_SECONDS = 0.3
GONE_AFTER_SECONDS = 0.3
SHRUNK_AFTER_SECONDS = 3.0
"""An emptied file, or one with fewer objects, then means what it says: its writer may have been slow till then."""
WRITER_SECONDS = 5.0
"""A text that has stood for so long counts even if a process still has the file open for writing."""
_WRITER_POLL_SECONDS = 0.1
"""Nobody tells when a writer closes a file."""
RETURN_SECONDS = 3.0
"""What is missing from a folder that was put in the place of another may still be on its way."""
_RACY_NS = 50_000_000
"""A file read so soon after it was written may be written again without its signature telling."""


_NONE = Signature(0, 0, 0, 0)
_NO_FOLDER = Tree({}).root


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its last readable documents, and what is wrong with its present text if anything."""

    signature: Signature
    since: float
    """When this text was first seen (monotonic seconds)."""
    documents: tuple[Document, ...] = ()
    problem: Problem | None = None
    text: bytes = b""
    """The digest of the present text."""
    is_racy: bool = False
    is_being_written: bool = False
    """Whether a writer has the file open: its documents are those from before."""
    lost_after: float = GONE_AFTER_SECONDS
    """How long this text must stand before what it lacks counts as removed."""
    most: int = 0
    """How many documents it had when nothing was pending."""

    def shown_problem(self, now: float) -> Problem | None:
        """The problem, once it is old enough not to be a half-written file."""
        return self.problem if self.problem and now - self.since >= BROKEN_AFTER_SECONDS else None

    def is_settled(self, now: float) -> bool:
        """Whether what is missing from it may be taken as removed."""
        is_whole = self.problem is None and not self.is_being_written
        return is_whole and now - self.since >= self.lost_after

    def pending(self, missing: int, now: float) -> str:
        """Why the file is not done with yet, `missing` objects that it brought being no longer in it."""
        if self.is_being_written:
            return "the file is being written"
        if missing and self.lost_after > GONE_AFTER_SECONDS and not self.is_settled(now):
            return f"{missing} of its objects are not in the file; they are removed if it stays so"
        return ""

    def is_abandoned(self, now: float) -> bool:
        """Whether its writer has had it open, and unchanged, for so long that it is not waited for."""
        return now - self.since >= WRITER_SECONDS

    def deadline(self, now: float) -> float:
        """When to look again though nothing may have been told of."""
        if self.is_being_written:
            return now + _WRITER_POLL_SECONDS
        return self.since + (BROKEN_AFTER_SECONDS if self.problem else self.lost_after)


class Sources:
    """All files of a folder, kept up to date by `refresh`."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.files: dict[str, Source] = {}
        self.gone: dict[str, float] = {}
        """Paths that were there, and since when they count as missed."""
        self._tree = Tree({})

    def hides(self, path: str) -> bool:
        """Whether a file that is missing may be in a directory that can't be looked into."""
        return self._tree.hides(path)

    def refresh(self, now: float) -> bool:
        """Scan and read what changed (blocking: call it in a thread). False if the folder is not there."""
        tree = self._folder.scan()
        if tree is None:
            return False
        missed = now
        if self._tree.root not in (tree.root, _NO_FOLDER):
            missed += RETURN_SECONDS
            self.gone = dict.fromkeys(self.gone, missed)
        self._tree = tree
        for path in self.files.keys() - tree.files.keys():
            if tree.hides(path):
                known = self.files[path]
                self.files[path] = replace(
                    known, signature=_NONE, text=b"", problem=Problem("can't be read", START)
                )
            else:
                del self.files[path]
                self.gone[path] = missed
        for path, signature in tree.files.items():
            self.gone.pop(path, None)
            known = self.files.get(path)
            if known is None or known.signature != signature or known.is_racy or known.is_being_written:
                self.files[path] = self._load(path, signature, known, now)
        return True

    def _load(self, path: str, signature: Signature, known: Source | None, now: float) -> Source:
        before = known.documents if known else ()
        most = known.most if known and not known.is_settled(now) else len(before)
        is_racy = time.time_ns() - signature.modified_ns < _RACY_NS
        try:
            data, is_being_written = self._folder.read(path)
        except OSError as error:
            problem = Problem(f"can't be read: {error.strerror}", START)
            return Source(signature, now, before, problem, most=most)
        text = hashlib.blake2b(data, digest_size=16).digest()
        source = Source(signature, now, before, text=text, is_racy=is_racy, most=most)
        if known is None or known.text != text:
            if is_being_written:
                return replace(source, is_being_written=True)
        elif not known.is_being_written or (is_being_written and not known.is_abandoned(now)):
            return replace(known, signature=signature, is_racy=is_racy)
        try:
            documents = tuple(parse(data, is_json=path.endswith(".json")))
        except ManifestError as error:
            return replace(source, problem=Problem.of(error))
        except Exception as error:
            log.exception("manifests: %s could not be read", path)
            return replace(source, problem=Problem(f"can't be read: {type(error).__name__}", START))
        lost_after = _lost_after(signature, known, len(documents), most)
        return replace(source, documents=documents, lost_after=lost_after, most=max(most, len(documents)))

    def next_deadline(self, now: float) -> float | None:
        """When something becomes true only because time has passed."""
        waits = [source.deadline(now) for source in self.files.values()]
        waits += [since + GONE_AFTER_SECONDS for since in self.gone.values()]
        return min((due for due in waits if due > now), default=None)


def _lost_after(signature: Signature, known: Source | None, count: int, most: int) -> float:
    """How long a text of `count` documents may still be half of the next one."""
    if known is None:
        age = time.time() - signature.modified_ns / 1e9
        return max(GONE_AFTER_SECONDS, min(SHRUNK_AFTER_SECONDS, SHRUNK_AFTER_SECONDS - age))
    is_renamed_into_place = signature.inode != known.signature.inode
    if count >= most or (count and is_renamed_into_place):
        return GONE_AFTER_SECONDS
    return SHRUNK_AFTER_SECONDS
