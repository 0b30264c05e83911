"""The recent past: every change within the limits, one log a resource, and the wake-up watchers wait on.

Changes come in revision order once they are durable. What falls off the far end is remembered only as "this
resource lost something at that revision", so a watcher of a quiet resource never falls behind a busy one.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from ktui.engine.store.base import Change, Key

_revision = attrgetter("revision")


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """What is kept at most: so many changes, so many bytes of objects, for so many seconds."""

    changes: int = 20_000
    size: int = 64 << 20
    seconds: float = 24 * 3600.0


class ResourceLog:
    """One resource's changes in order: `newest` is the last one's revision, `lost` the last forgotten one's."""

    def __init__(self) -> None:
        self.newest = 0
        self.lost = 0
        self.waiting: set[asyncio.Future[None]] = set()
        """Of watchers that have read everything."""
        self._changes: list[Change] = []
        self._start = 0

    def append(self, change: Change) -> None:
        self._changes.append(change)
        self.newest = change.revision

    def forget_first(self, revision: int) -> None:
        self.lost = revision
        self._start += 1
        if self._start > 64 and self._start * 2 > len(self._changes):
            del self._changes[: self._start]
            self._start = 0

    def after(self, revision: int, limit: int | None = None) -> Sequence[Change]:
        """Changes newer than `revision`, the oldest `limit` of them."""
        changes = self._changes
        if self._start == len(changes) or changes[-1].revision <= revision:
            return ()
        start = bisect_right(changes, revision, self._start, key=_revision)
        return changes[start : None if limit is None else start + limit]

    def of(self, key: Key) -> Sequence[Change]:
        return [change for change in islice(self._changes, self._start, None) if change.key == key]

    def wake(self) -> None:
        """Let everyone who waits look again."""
        for waiting in self.waiting:
            if not waiting.done():
                waiting.set_result(None)


class History:
    """All resources' logs under one set of limits; `oldest` is the first revision one can start from."""

    def __init__(self, limits: HistoryLimits, oldest: int) -> None:
        self.oldest = oldest
        self._limits = limits
        self._logs: dict[str, ResourceLog] = {}
        self._order: deque[tuple[float, Change]] = deque()
        self._size = 0

    def log(self, resource: str) -> ResourceLog:
        """The resource's log, begun when first asked for."""
        found = self._logs.get(resource)
        if found is None:
            found = self._logs[resource] = ResourceLog()
        return found

    def extend(self, changes: Sequence[Change], time: float) -> None:
        """Remember changes made at `time` (seconds since the epoch)."""
        for change in changes:
            resource = change.key.resource
            log = self._logs.get(resource) or self.log(resource)
            log.append(change)
            self._size += len(change.data)
        self._order.extend([(time, change) for change in changes])
        while self._size > self._limits.size or len(self._order) > self._limits.changes:
            self._forget()

    def expire(self, now: float) -> None:
        """Forget what is older than the limit allows at `now`."""
        horizon = now - self._limits.seconds
        while self._order and self._order[0][0] < horizon:
            self._forget()

    def wake(self, resources: Iterable[str]) -> None:
        """Tell the watchers of these resources that a batch arrived."""
        for resource in resources:
            self.log(resource).wake()

    def wake_all(self) -> None:
        self.wake(list(self._logs))

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[tuple[float, Change]]:
        """Every change with its time, oldest first."""
        return iter(self._order)

    def _forget(self) -> None:
        _, change = self._order.popleft()
        self._size -= len(change.data)
        self._logs[change.key.resource].forget_first(change.revision)
        self.oldest = change.revision
