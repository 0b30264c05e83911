"""Cells that changed a moment ago: bright at first, then faded, then as any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

BRIGHT_SECONDS, FADED_SECONDS = 0.5, 1.0

Levels = tuple[tuple[int, str], ...]
"""(column, `flash` or `fade`) of a row's changed cells."""


class Flashes:
    """Remembers when which cells changed, and forgets them once they have faded."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._changed: dict[str, dict[int, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._changed)

    def record(self, uid: str, columns: Iterable[int]) -> None:
        now = self._now()
        for column in columns:
            self._changed.setdefault(uid, {})[column] = now

    def levels(self, uid: str) -> Levels:
        """How bright each changed cell of a row is now."""
        cells: Mapping[int, float] = self._changed.get(uid) or {}
        now = self._now()
        return tuple(
            (column, "flash" if now - since < BRIGHT_SECONDS else "fade")
            for column, since in cells.items()
            if now - since < FADED_SECONDS
        )

    def step(self) -> list[str]:
        """Let time pass; the UIDs of rows that may look different now."""
        now = self._now()
        touched = list(self._changed)
        for uid in touched:
            left = {c: since for c, since in self._changed[uid].items() if now - since < FADED_SECONDS}
            if left:
                self._changed[uid] = left
            else:
                del self._changed[uid]
        return touched

    def clear(self) -> None:
        self._changed.clear()
