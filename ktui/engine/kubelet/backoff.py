"""Exponential back-off by key: 10 s doubling to 5 min, forgotten after twice the longest wait in peace.

Used for container restarts (keyed by pod and container) and for image pulls (keyed by pod and image). It
holds no timers: it answers how long to wait, given when the last failure happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

INITIAL_SECONDS = 10.0
MAX_SECONDS = 300.0


@dataclass(slots=True)
class _Entry:
    seconds: float
    updated: datetime


class Backoff:
    """The back-off of many keys. `now` gives the wall time."""

    def __init__(
        self, now: Callable[[], datetime], initial: float = INITIAL_SECONDS, longest: float = MAX_SECONDS
    ) -> None:
        self._now = now
        self._initial = initial
        self._longest = longest
        self._entries: dict[tuple[str, str], _Entry] = {}

    def seconds(self, key: tuple[str, str]) -> float:
        """The current wait of `key`, 0 when it has none."""
        entry = self._entries.get(key)
        return entry.seconds if entry else 0.0

    def remaining(self, key: tuple[str, str], since: datetime) -> float:
        """Seconds until `key` may try again after failing at `since`; 0 when it may now."""
        entry = self._entries.get(key)
        if entry is None or self._expired(since, entry):
            return 0.0
        left = since + timedelta(seconds=entry.seconds) - self._now()
        return max(0.0, left.total_seconds())

    def next(self, key: tuple[str, str], since: datetime) -> None:
        """A try is being made (or failed): lengthen the wait before the one after it."""
        entry = self._entries.get(key)
        if entry is None or self._expired(since, entry):
            self._entries[key] = _Entry(self._initial, self._now())
        else:
            entry.seconds = min(entry.seconds * 2, self._longest)
            entry.updated = self._now()

    def reset(self, key: tuple[str, str]) -> None:
        self._entries.pop(key, None)

    def forget(self, pod_uid: str) -> None:
        """Drop every key of a pod that is gone."""
        for key in [key for key in self._entries if key[0] == pod_uid]:
            del self._entries[key]

    def _expired(self, since: datetime, entry: _Entry) -> bool:
        return (since - entry.updated).total_seconds() > 2 * self._longest


def go_duration(seconds: float) -> str:
    """Seconds as Go prints a duration: `10s`, `1m20s`, `5m0s`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"
