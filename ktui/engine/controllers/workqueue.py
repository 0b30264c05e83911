"""The queue between informers and a controller's workers (client-go's rate limiting workqueue).

In go keys, as often as anyone likes; out comes each key once, never to two workers at a time: a key added
while a worker holds it waits in `dirty` and comes out again after `done`. Failures come back later with a
back-off of their own key, 5 ms doubling to 1000 s. Delays follow the injected clock, with one timer a queue.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from ktui.kube.clock import Clock
from ktui.kube.prometheus import Distribution

K = TypeVar("K", bound=Hashable)

BASE_DELAY = 0.005
MAX_DELAY = 1000.0
_BUCKETS = tuple(10.0**power for power in range(-8, 2))


class QueueShutDown(Exception):  # noqa: N818 - a signal to stop, not an error
    """The queue is shut down and empty-handed: the worker ends."""


class WorkQueue(Generic[K]):
    """A deduplicating queue of keys with delays and per-key back-off."""

    def __init__(self, clock: Clock) -> None:
        self.adds = self.retries = 0
        """How often keys came in, and how often after a failure."""
        self.waited, self.worked = Distribution(_BUCKETS), Distribution(_BUCKETS)
        """Seconds that keys waited for a worker, and that workers had them."""
        self._clock = clock
        self._queue: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._since: dict[K, float] = {}
        self._begun: dict[K, float] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._failures: dict[K, int] = {}
        self._delayed: dict[K, float] = {}
        self._due: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._timer: asyncio.Task[None] | None = None
        self._timer_due = 0.0
        self._shut_down = False

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Nothing waits and nobody works (delayed keys aside)."""
        return not self._dirty and not self._processing

    def add(self, key: K) -> None:
        """Let a worker look at `key`, soon, once."""
        if self._shut_down or key in self._dirty:
            return
        self._dirty.add(key)
        self.adds += 1
        self._since[key] = self._clock.monotonic()
        if key not in self._processing:
            self._push(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Add `key` when `seconds` have passed; an earlier delay of the same key wins."""
        if self._shut_down:
            return
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        if due < self._delayed.get(key, due + 1):
            self._delayed[key] = due
            heapq.heappush(self._due, (due, next(self._order), key))
            self._arm()

    def add_rate_limited(self, key: K) -> None:
        """Add `key` after its own back-off, which doubles each time until `forget`."""
        self.retries += 1
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(BASE_DELAY * 2 ** min(failures, 30), MAX_DELAY))

    def forget(self, key: K) -> None:
        """The key went well: its next failure starts the back-off anew."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often in a row the key was added rate limited."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; the caller owns it until `done`. Raises QueueShutDown at the end."""
        while not self._queue:
            if self._shut_down:
                raise QueueShutDown
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                self._pass_on(waiter)
                raise
        key = self._queue.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        now = self._begun[key] = self._clock.monotonic()
        self.waited.add(now - self._since.pop(key, now))
        return key

    def done(self, key: K) -> None:
        """Hand the key back; it comes out again if it was added meanwhile."""
        self._processing.discard(key)
        now = self._clock.monotonic()
        self.worked.add(now - self._begun.pop(key, now))
        if key in self._dirty:
            self._push(key)

    def unfinished(self) -> list[float]:
        """Seconds since each of the keys that are being worked on was taken."""
        now = self._clock.monotonic()
        return [now - begun for begun in self._begun.values()]

    def shut_down(self) -> None:
        """Take no more keys, drop what waits, and send the workers home."""
        self._shut_down = True
        self._queue.clear()
        self._dirty.clear()
        self._since.clear()
        self._delayed.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiters:
            self._wake_one()

    def _push(self, key: K) -> None:
        self._queue.append(key)
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _pass_on(self, waiter: asyncio.Future[None]) -> None:
        """A cancelled worker that had already been woken leaves its turn to another."""
        if waiter.done() and not waiter.cancelled() and self._queue:
            self._wake_one()

    def _arm(self) -> None:
        if not self._due:
            return
        due = self._due[0][0]
        if self._timer is not None and not self._timer.done():
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = asyncio.get_running_loop().create_task(self._fire(due), name="workqueue timer")

    async def _fire(self, due: float) -> None:
        await self._clock.sleep(due - self._clock.monotonic())
        now = self._clock.monotonic()
        while self._due and self._due[0][0] <= now:
            moment, _, key = heapq.heappop(self._due)
            if self._delayed.get(key) == moment:
                del self._delayed[key]
                self.add(key)
        self._timer = None
        self._arm()
