"""How long a Job waits before it replaces failed pods: 10 seconds, twice that after each further failure, at most
ten minutes; a success begins anew."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

FIRST: Final = 10.0
LONGEST: Final = 600.0
_DOUBLINGS: Final = 16


class Backoff(NamedTuple):
    """Failures since the last success, and when the last one was."""

    failures: int = 0
    last: datetime | None = None

    def after(self, succeeded: Iterable[datetime], failed: Iterable[datetime]) -> Backoff:
        """With the pods that ended newly, at these times."""
        success = max(succeeded, default=None)
        later = [moment for moment in failed if success is None or moment > success]
        before = self if success is None else Backoff()
        if not later:
            return before
        last = max(later) if before.last is None else max(*later, before.last)
        return Backoff(before.failures + len(later), last)

    def left(self, now: datetime) -> float:
        """Seconds until the next pod may be made; 0 or less: at once."""
        if not self.failures or self.last is None:
            return 0.0
        pause = min(FIRST * 2 ** min(self.failures - 1, _DOUBLINGS), LONGEST)
        return pause - (now - self.last).total_seconds()
