"""A reader of the history's log: it follows at its own pace and costs writers nothing.

A watcher holds a revision, not a queue. When what it has not read yet is forgotten it ends, and its client
lists again, as Kubernetes does with a watch that got too old.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from ktui.engine.store.base import Change
from ktui.engine.store.history import ResourceLog

BATCH = 250
"""How many changes are handed out at once: work per change on the loop stays in small slices."""


class LogWatcher:
    """Changes of one resource after a revision, in one namespace or all."""

    def __init__(
        self, log: ResourceLog, namespace: str, after: int, store_revision: Callable[[], int | None]
    ) -> None:
        self._log = log
        self._namespace = namespace
        self._after = after
        self._store_revision = store_revision
        self._waiting: asyncio.Future[None] | None = None
        self._nudged = False
        self._closed = False

    @property
    def revision(self) -> int:
        """Everything up to here has been handed out: what a bookmark may say."""
        current = self._store_revision()
        if (
            current is not None
            and not self._closed
            and not self._fell_off
            and not self._log.after(self._after, 1)
        ):
            self._after = max(self._after, current)
        return self._after

    def __aiter__(self) -> AsyncIterator[Sequence[Change]]:
        return self

    async def __anext__(self) -> Sequence[Change]:
        while not self._closed and not self._fell_off:
            changes = self._log.after(self._after, BATCH)
            if changes:
                self._after = changes[-1].revision
                if self._namespace:
                    changes = [change for change in changes if change.key.namespace == self._namespace]
                if changes:
                    return changes
            elif self._store_revision() is None:
                break
            elif self._nudged:
                self._nudged = False
                return ()
            else:
                await self._arrival()
        raise StopAsyncIteration

    async def _arrival(self) -> None:
        """Until something comes, or the reader is wanted."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._log.waiting.add(self._waiting)
        try:
            await self._waiting
        finally:
            self._log.waiting.discard(self._waiting)

    def nudge(self) -> None:
        self._nudged = True
        self._wake()

    def close(self) -> None:
        """End the iteration, also for a reader that waits."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    @property
    def _fell_off(self) -> bool:
        return self._log.lost > self._after
