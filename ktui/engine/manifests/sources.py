"""The folder's files as documents: what is there now, what it said when it was last readable, and since when.

Adding is quick and removing is slow: a file's new text counts at once, but a broken text only after it has
stood for a moment (it may be half written), and what is missing only after longer (an editor may be about to
rename its new version into place).
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, replace

from ktui.engine.manifests.folder import Folder, Signature, Tree
from ktui.engine.manifests.record import Problem
from ktui.kube.manifest import START, Document, ManifestError, parse

log = logging.getLogger(__name__)

BROKEN_AFTER_SECONDS = 0.3
GONE_AFTER_SECONDS = 0.3
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

    def shown_problem(self, now: float) -> Problem | None:
        """The problem, once it is old enough not to be a half-written file."""
        return self.problem if self.problem and now - self.since >= BROKEN_AFTER_SECONDS else None

    def is_settled(self, now: float) -> bool:
        """Whether what is missing from it may be taken as removed."""
        return self.problem is None and now - self.since >= GONE_AFTER_SECONDS


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
            if known is None or known.signature != signature or known.is_racy:
                self.files[path] = self._load(path, signature, known, now)
        return True

    def _load(self, path: str, signature: Signature, known: Source | None, now: float) -> Source:
        before = known.documents if known else ()
        is_racy = time.time_ns() - signature.modified_ns < _RACY_NS
        try:
            data = self._folder.read(path)
        except OSError as error:
            return Source(signature, now, before, Problem(f"can't be read: {error.strerror}", START))
        text = hashlib.blake2b(data, digest_size=16).digest()
        if known is not None and known.text == text:
            return replace(known, signature=signature, is_racy=is_racy)
        source = Source(signature, now, before, text=text, is_racy=is_racy)
        try:
            return replace(source, documents=tuple(parse(data, is_json=path.endswith(".json"))))
        except ManifestError as error:
            return replace(source, problem=Problem(error.message, error.position, error.path))
        except Exception as error:
            log.exception("manifests: %s could not be read", path)
            return replace(source, problem=Problem(f"can't be read: {type(error).__name__}", START))

    def next_deadline(self, now: float) -> float | None:
        """When something becomes true only because time has passed."""
        waits = [
            (BROKEN_AFTER_SECONDS if source.problem else GONE_AFTER_SECONDS) + source.since
            for source in self.files.values()
        ]
        waits += [since + GONE_AFTER_SECONDS for since in self.gone.values()]
        return min((due for due in waits if due > now), default=None)
