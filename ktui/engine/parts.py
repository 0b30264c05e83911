"""The engine's parts as supervised tasks: a part that crashes is logged, shown and started again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ktui.kube.clock import Clock

log = logging.getLogger(__name__)

_BACKOFF_SECONDS = (0.5, 2.0, 10.0, 60.0)
_HEALTHY_SECONDS = 120.0


@dataclass(slots=True)
class Part:
    """One running part and how it has fared."""

    name: str
    restarts: int = 0
    last_error: str = ""
    is_up: bool = False
    is_stopping: bool = False
    """Asked to end: when it does, that is no failure."""


async def supervise(
    part: Part, run: Callable[[], Awaitable[None]], clock: Clock, tell: Callable[[Part], None]
) -> None:
    """Run a part for ever: a crash or an unexpected end is told and followed by a fresh start, later each time."""
    failures = 0
    while True:
        started = clock.monotonic()
        part.is_up = True
        try:
            await run()
            if part.is_stopping:
                return
            part.last_error = "it ended by itself"
            log.error("part %s ended by itself", part.name)
        except Exception as error:
            part.last_error = f"{type(error).__name__}: {error}"
            log.exception("part %s crashed", part.name)
        part.is_up = False
        if clock.monotonic() - started > _HEALTHY_SECONDS:
            failures = 0
        part.restarts += 1
        tell(part)
        await clock.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
        failures += 1


def failure_of(part: Part) -> str:
    """What is wrong with a part now, or nothing."""
    return "" if part.is_up else part.last_error or "it is not started yet"


async def stop_within(task: asyncio.Task[None], seconds: float) -> None:
    """Cancel a task and wait for it, but no longer than that."""
    task.cancel()
    _, pending = await asyncio.wait({task}, timeout=seconds)
    if pending:
        log.error("%s did not stop within %.0f s", task.get_name(), seconds)
