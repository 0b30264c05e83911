"""The store's protocol: what the API server needs of storage, and nothing of how it is kept.

Revisions are Kubernetes' resourceVersion: one `uint64` for the whole store that only grows. The store stamps
`metadata.resourceVersion` into each object, encodes it once, and hands those bytes to everyone. Reads are in
memory and see durable state only; a write returns when it is durable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import msgspec

from ktui.kube.resource import Object


class Key(NamedTuple):
    """Where an object lives: `Resource.key` ("pods", "deployments.apps"), namespace ("" if none), name."""

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An object at a revision: its JSON with `metadata.resourceVersion` == `revision`."""

    key: Key
    revision: int
    data: bytes


class Change(msgspec.Struct, frozen=True, gc=False):
    """One write as watchers see it. A DELETED change carries the last state, stamped with its own revision."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    revision: int
    data: bytes
    previous: bytes | None
    """The state before; None for ADDED. Selectors need it to see an object leave their set."""


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a listing in key order at `revision`; `remaining` counts what follows it."""

    entries: Sequence[Entry]
    revision: int
    remaining: int = 0


class StoreError(Exception):
    """The store could not do it; the write was not applied and reads go on."""


class RevisionConflictError(StoreError):
    """The object is not at the revision the writer expected; `current` is what there is (None: nothing)."""

    def __init__(self, key: Key, expected: int | None, current: Entry | None) -> None:
        self.key = key
        self.expected = expected
        self.current = current
        super().__init__(
            f"{key}: expected revision {expected}, found {current.revision if current else 'none'}"
        )


class CompactedError(StoreError):
    """The revision asked for is older than history reaches (`oldest` is the first still there)."""

    def __init__(self, revision: int, oldest: int) -> None:
        self.revision = revision
        self.oldest = oldest
        super().__init__(f"revision {revision} is compacted, history starts at {oldest}")


class FutureRevisionError(StoreError):
    """The revision asked for has not been written yet."""

    def __init__(self, revision: int, current: int) -> None:
        self.revision = revision
        self.current = current
        super().__init__(f"revision {revision} is in the future, the store is at {current}")


class Watcher(Protocol):
    """Changes after a revision, in order, in batches; ends when the store closes or drops a slow reader."""

    def __aiter__(self) -> AsyncIterator[Sequence[Change]]: ...

    def nudge(self) -> None:
        """Give the reader its turn once all changes are read, with a batch of none: timers need not race."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """All of it runs on one event loop; only the journal's own thread is elsewhere."""

    @property
    def revision(self) -> int:
        """The newest durable revision."""
        ...

    @property
    def oldest_revision(self) -> int:
        """The oldest revision a watch or a historical read can start from."""
        ...

    def changed(self, resource: str) -> int:
        """The revision of the newest change of a resource since the store was opened; 0 for none. What is
        computed from all of a resource's objects is good as long as this stays."""
        ...

    def get(self, key: Key, *, revision: int | None = None) -> Entry | None:
        """The object now, or as it was at a past revision (CompactedError, FutureRevisionError)."""
        ...

    def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        limit: int | None = None,
        after: Key | None = None,
        revision: int | None = None,
    ) -> Page:
        """Objects of a resource in (namespace, name) order, from after `after`, at most `limit`."""
        ...

    async def write(self, key: Key, obj: Object, *, expected: int | None = None) -> Entry:
        """Create (`expected` 0) or replace (`expected` the revision read); None writes whatever is there.

        Stamps the new revision into a copy of `obj`. Raises RevisionConflictError, or StoreError when the
        journal can't take it (disk full).
        """
        ...

    async def delete(self, key: Key, *, expected: int | None = None, obj: Object | None = None) -> Entry:
        """Remove an object; the entry returned is its last state (`obj` if given), at the delete's revision.
        Raises RevisionConflictError, also when there is nothing to delete."""
        ...

    def watch(self, resource: str, namespace: str = "", *, after: int) -> Watcher:
        """Changes with a revision greater than `after` (CompactedError, FutureRevisionError)."""
        ...

    def history(self, key: Key) -> Sequence[Change]:
        """What is still known of an object's past, oldest first."""
        ...

    async def close(self) -> None:
        """Flush, stop the journal's thread, end every watcher, release the lock."""
        ...
