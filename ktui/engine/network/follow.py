"""The loop of a part that keeps the kernel's rules: a pass at each change, and again after a failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ktui.engine.network.nft import NetworkToolError
from ktui.engine.network.table import Table
from ktui.kube.clock import Clock

log = logging.getLogger(__name__)

_CHECK_SECONDS = 30.0
_RETRY_SECONDS = (0.5, 2.0, 10.0, 30.0)


async def follow(
    table: Table,
    wake: asyncio.Event,
    run_pass: Callable[[], Awaitable[None]],
    synced: asyncio.Event,
    clock: Clock,
    check: Callable[[], Awaitable[bool]] | None = None,
) -> None:
    """Run a pass now, whenever `wake` is set (the pass clears it), and when the table has been removed by somebody.

    `check` says whether all that the rules need is there; the table itself where none is given.

    `synced` is set after the first pass that succeeds; one that fails is logged and followed by another, later
    each time.
    """
    failures = 0
    while True:
        try:
            await run_pass()
            failures = 0
            synced.set()
            await _changed(table, wake, clock, check or table.check)
        except NetworkToolError as error:
            pause = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
            failures += 1
            log.error("table %s: %s; tried again in %g s", table.name, error, pause)
            await clock.sleep(pause)


async def _changed(
    table: Table, wake: asyncio.Event, clock: Clock, check: Callable[[], Awaitable[bool]]
) -> None:
    while not wake.is_set():
        waits = [
            asyncio.ensure_future(clock.sleep(_CHECK_SECONDS)),
            asyncio.ensure_future(wake.wait()),
            asyncio.ensure_future(table.suspect.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        if wake.is_set():
            return
        table.suspect.clear()
        if not await check():
            log.warning("table %s was removed or replaced by somebody: it is made anew", table.name)
            return
