"""Keeping the process responsive: garbage collection in small steps, and a watchdog for blocked loops.

CPython's automatic collector stops every thread for 160 to 400 ms on a heap of 10,000 pods. So what is
loaded at start is frozen, the youngest generation is collected on a timer, and the older ones when the loop
is idle (docs/decisions/003-one-process.md).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys

log = logging.getLogger(__name__)

SWITCH_INTERVAL_SECONDS = 0.0005
"""How soon a waiting thread gets the interpreter; with CPython's 5 ms a busy engine starves the UI."""
_YOUNG_SECONDS = 0.1
_MIDDLE_EVERY = 100
_OLD_EVERY = 3000
_LATE_SECONDS = 0.25
_IDLE_SECONDS = 0.005


async def pace() -> None:
    """Collect garbage in step with the loop and log when the loop was blocked, until cancelled."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.freeze()  # without a collection: loading leaves next to no garbage, and looking would take 50 ms
    gc.disable()
    loop = asyncio.get_running_loop()
    rounds, middle_due, old_due = 0, 0, 0
    try:
        while True:
            before = loop.time()
            await asyncio.sleep(_YOUNG_SECONDS)
            late = loop.time() - before - _YOUNG_SECONDS
            if late > _LATE_SECONDS:
                log.warning("the engine's loop was blocked for %.0f ms", late * 1000)
            rounds += 1
            is_idle = late < _IDLE_SECONDS
            if is_idle and rounds >= old_due + _OLD_EVERY:
                gc.collect()
                old_due = middle_due = rounds
            elif is_idle and rounds >= middle_due + _MIDDLE_EVERY:
                gc.collect(1)
                middle_due = rounds
            elif gc.get_count()[0] > 700:
                gc.collect(0)
    finally:
        gc.enable()
        gc.unfreeze()
