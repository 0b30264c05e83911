"""What is known of each manifest file, kept as a `ManifestFile` object so that it outlives a restart.

A record's inventory says which objects the file brought (with their UIDs): the only ones that may be pruned
when the file, or a document in it, goes away.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ktui.kube.kinds import MANIFEST_FILES
from ktui.kube.manifest import Position
from ktui.kube.manifest_file import APPROVE_PRUNE_ANNOTATION as APPROVE_PRUNE_ANNOTATION
from ktui.kube.manifest_file import FOLDER_RECORD as FOLDER_RECORD
from ktui.kube.manifest_file import PAUSED_ANNOTATION as PAUSED_ANNOTATION
from ktui.kube.manifest_file import REAPPLY_ANNOTATION as REAPPLY_ANNOTATION
from ktui.kube.manifest_problem import Problem
from ktui.kube.resource import Object


class State(StrEnum):
    """A file's state, as the manifests screen shows it."""

    SYNCED = "Synced"
    PENDING = "Pending"
    INVALID = "Invalid"
    DRIFTED = "Drifted"
    PAUSED = "Paused"
    DELETED = "Deleted"
    ORPHANED = "Orphaned"
    """Its folder is not the one that is watched now; its objects are left alone."""


class FolderState(StrEnum):
    WATCHING = "Watching"
    MISSING = "Missing"
    PAUSED = "Paused"
    AWAITING_PRUNE = "AwaitingPrune"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """Which object a document is about; versions of a kind are the same object."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {where}"


@dataclass(frozen=True, slots=True)
class Brought:
    """One object a file brought: what the store made of it, and the digest of what was applied.

    The record is written before the object, so that a crash in between orphans nothing; until the object has
    been applied, its `uid` and `digest` are empty.
    """

    identity: Identity
    api_version: str
    uid: str = ""
    digest: str = ""

    def to_object(self) -> Object:
        return {
            "apiVersion": self.api_version,
            "kind": self.identity.kind,
            "namespace": self.identity.namespace,
            "name": self.identity.name,
            "uid": self.uid,
            "digest": self.digest,
        }

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Brought:
        group = str(obj["apiVersion"]).rpartition("/")[0]
        identity = Identity(group, obj["kind"], obj.get("namespace") or "", obj["name"])
        return cls(identity, obj["apiVersion"], obj.get("uid") or "", obj.get("digest") or "")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file's state as it is shown and stored."""

    folder: str
    path: str
    state: State = State.PENDING
    problems: tuple[Problem, ...] = ()
    inventory: tuple[Brought, ...] = ()
    message: str = ""
    applied_at: str = ""
    drift: tuple[str, ...] = ()
    """What was changed by hand and put back, newest last, a few."""
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def paused(self) -> bool:
        return self.annotations.get(PAUSED_ANNOTATION, "false") != "false"

    @property
    def summary(self) -> str:
        """The one line that explains the state."""
        for problem in self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            return problem.at(self.path) + more
        return self.message

    @property
    def name(self) -> str:
        return record_name(self.folder, self.path)

    def to_object(self) -> Object:
        return {
            "apiVersion": MANIFEST_FILES.api_version,
            "kind": MANIFEST_FILES.kind,
            "metadata": {"name": self.name},
            "spec": {"path": self.path, "folder": self.folder},
            "status": {
                "state": str(self.state),
                "message": self.summary,
                "problems": [problem.to_object() for problem in self.problems],
                "objects": [brought.to_object() for brought in self.inventory],
                "appliedAt": self.applied_at,
                "drift": list(self.drift),
            },
        }

    @classmethod
    def of(cls, obj: Object) -> FileRecord:
        status: Object = obj.get("status") or {}
        metadata: Object = obj["metadata"]
        return cls(
            folder=obj["spec"]["folder"],
            path=obj["spec"]["path"],
            state=State(status.get("state") or State.PENDING),
            problems=tuple(
                Problem(p["message"], Position(p["line"], p["column"]), p.get("field") or "")
                for p in status.get("problems") or ()
            ),
            inventory=tuple(Brought.of(item) for item in status.get("objects") or ()),
            message=status.get("message") or "",
            applied_at=status.get("appliedAt") or "",
            drift=tuple(status.get("drift") or ()),
            annotations=dict(metadata.get("annotations") or {}),
        )


@dataclass(frozen=True, slots=True)
class FolderRecord:
    """The folder's own record."""

    folder: str
    state: FolderState = FolderState.WATCHING
    message: str = ""
    prune: tuple[Brought, ...] = ()
    """What waits for a yes before it is deleted."""
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def paused(self) -> bool:
        return self.annotations.get(PAUSED_ANNOTATION, "false") != "false"

    @property
    def prune_token(self) -> str:
        """Names exactly this deletion, so that a yes can't approve another one, or this one a second time."""
        if not self.prune:
            return ""
        doomed = "\n".join(f"{brought.identity} {brought.uid}" for brought in self.prune)
        return hashlib.sha256(doomed.encode()).hexdigest()[:12]

    def to_object(self) -> Object:
        return {
            "apiVersion": MANIFEST_FILES.api_version,
            "kind": MANIFEST_FILES.kind,
            "metadata": {"name": FOLDER_RECORD},
            "spec": {"path": ".", "folder": self.folder},
            "status": {
                "state": str(self.state),
                "message": self.message,
                "prune": {
                    "token": self.prune_token,
                    "objects": [str(brought.identity) for brought in self.prune],
                },
            },
        }


def record_name(folder: str, path: str) -> str:
    """A DNS subdomain name for a file's record: readable, and unique for a path in a folder."""
    name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")[:200].rstrip("-")
    unique = hashlib.sha256(f"{folder}\n{path}".encode()).hexdigest()[:8]
    return f"{name or 'file'}-{unique}"
