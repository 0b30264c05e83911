"""Time as an injected thing: the real clock, and a fake one whose hands a test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time for timestamps, monotonic time for durations, and sleeping on the latter (seconds)."""

    def now(self) -> datetime:
        """The wall time, timezone-aware UTC."""
        ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    """The machine's clock and asyncio's sleep."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that stands still until `advance` moves it and wakes the sleepers that are due."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
        await woken

    @property
    def sleepers(self) -> int:
        """How many tasks wait for the clock; lets a test await that a timer was armed."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking sleepers in order and letting each run before the next is due."""
        target = self._elapsed + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, woken = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not woken.done():
                woken.set_result(None)
                await settle()
        self._elapsed = target
        await settle()


async def settle(turns: int = 50) -> None:
    """Let everything that is ready on the loop run."""
    for _ in range(turns):
        await asyncio.sleep(0)


def rfc3339(moment: datetime) -> str:
    """Kubernetes' `Time`: RFC 3339 in UTC with whole seconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat("T", "seconds") + "Z"


def rfc3339_micro(moment: datetime) -> str:
    """Kubernetes' `MicroTime`: RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat("T", "microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """Read `Time` or `MicroTime`; raises ValueError on anything else."""
    return datetime.fromisoformat(text)


def whole_second(moment: datetime) -> datetime:
    """Cut to whole seconds, as a typed object's `Time` field must be before it is encoded."""
    return moment.astimezone(UTC).replace(microsecond=0)
