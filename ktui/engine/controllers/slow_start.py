"""Doing the same thing many times in growing batches: 1, 2, 4, …

If the first creation fails (quota, admission), hundreds more would fail the same way: a batch that has a
failure is the last one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def slow_start(count: int, work: Callable[[], Awaitable[None]]) -> tuple[int, BaseException | None]:
    """Call `work` up to `count` times; how often it went well, and the first error."""
    done: int = 0
    size: int = min(count, 1)
    while size:
        results = await asyncio.gather(*(work() for _ in range(size)), return_exceptions=True)
        errors = [result for result in results if result is not None]
        done += size - len(errors)
        if errors:
            return done, errors[0]
        count -= size
        size = min(2 * size, count)
    return done, None
