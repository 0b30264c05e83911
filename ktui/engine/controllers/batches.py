"""Doing much of the same thing: a few at a time, and, for creations, in growing batches.

A few at a time keeps the loop free for others while hundreds of pods are created. Growing batches (1, 2, 4, …)
are for what may fail for all alike (quota, admission): a batch that has a failure is the last one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable

AT_ONCE = 8


async def slow_start(count: int, work: Callable[[], Awaitable[None]]) -> tuple[int, BaseException | None]:
    """Call `work` up to `count` times; how often it went well, and the first error."""
    done: int = 0
    size: int = min(count, 1)
    while size:
        errors = await each_of(itertools.repeat(work, size))
        done += size - len(errors)
        if errors:
            return done, errors[0]
        count -= size
        size = min(2 * size, count)
    return done, None


async def each_of(works: Iterable[Callable[[], Awaitable[None]]]) -> list[BaseException]:
    """Do all of them, `AT_ONCE` at a time, whatever fails; the errors."""
    errors: list[BaseException] = []
    remaining = iter(works)
    while chunk := list(itertools.islice(remaining, AT_ONCE)):
        results = await asyncio.gather(*(work() for work in chunk), return_exceptions=True)
        errors += [result for result in results if result is not None]
        await asyncio.sleep(0)
    return errors
