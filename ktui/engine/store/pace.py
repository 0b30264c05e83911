"""How quick the disk has been lately, which decides where a lone write is made durable.

Handing a write to the journal's thread and back takes two wake-ups, about as long as a quick disk takes to
write it. So while every sync is quick a lone write is made on the loop itself; a single slow one sends the
next ones to the thread, where they are measured too.
"""

from __future__ import annotations

from typing import Final

QUICK_SECONDS: Final = 0.0005
"""A disk whose syncs take less than this on average is quick."""
SLOW_SECONDS: Final = 0.002
"""A sync that took this long would have been felt by others on the loop."""
_PROBATION: Final = 64
"""How many syncs in a row must not be slow before one is made on the loop."""
_WEIGHT: Final = 1 / 16


class DiskPace:
    """Takes the duration of each sync; a new one knows nothing and so says no."""

    def __init__(self) -> None:
        self._average = 0.0
        self._probation = _PROBATION

    @property
    def is_quick(self) -> bool:
        """Whether a sync may be expected not to hold up the loop."""
        return self._probation == 0 and self._average < QUICK_SECONDS

    def took(self, seconds: float) -> None:
        """Take note of a sync."""
        self._average += (seconds - self._average) * _WEIGHT
        if seconds >= SLOW_SECONDS:
            self._probation = _PROBATION
        elif self._probation:
            self._probation -= 1
