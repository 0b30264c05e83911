"""The folder's files as documents: what is there now, what it said when it was last readable, and since when.

Adding is quick and removing is slow: a file's new text counts at once, but a broken text only after it has
stood for a moment (it may be half written), and what is missing only after longer (an editor may be about to
rename its new version into place).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ktui.engine.manifests.folder import Folder, Signature
from ktui.engine.manifests.record import Problem
from ktui.kube.manifest import START, Document, ManifestError, parse

BROKEN_AFTER_SECONDS = 0.3
GONE_AFTER_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its last readable documents, and what is wrong with its present text if anything."""

    signature: Signature
    since: float
    """When this text was first seen (monotonic seconds)."""
    documents: tuple[Document, ...] = ()
    problem: Problem | None = None

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
        """Paths that were there, and when they were first missed."""

    def refresh(self, now: float) -> bool:
        """Scan and read what changed (blocking: call it in a thread). False if the folder is not there."""
        found = self._folder.scan()
        if found is None:
            return False
        for path in self.files.keys() - found.keys():
            del self.files[path]
            self.gone[path] = now
        for path, signature in found.items():
            self.gone.pop(path, None)
            known = self.files.get(path)
            if known is None or known.signature != signature:
                self.files[path] = self._load(path, signature, known, now)
        return True

    def _load(self, path: str, signature: Signature, known: Source | None, now: float) -> Source:
        before = known.documents if known else ()
        try:
            documents: Sequence[Document] = parse(self._folder.read(path), is_json=path.endswith(".json"))
        except ManifestError as error:
            return Source(signature, now, before, Problem(error.message, error.position, error.path))
        except OSError as error:
            return Source(signature, now, before, Problem(f"can't be read: {error.strerror}", START))
        return Source(signature, now, tuple(documents))

    def next_deadline(self, now: float) -> float | None:
        """When something becomes true only because time has passed."""
        waits = [
            (BROKEN_AFTER_SECONDS if source.problem else GONE_AFTER_SECONDS) + source.since
            for source in self.files.values()
        ]
        waits += [since + GONE_AFTER_SECONDS for since in self.gone.values()]
        return min((due for due in waits if due > now), default=None)
