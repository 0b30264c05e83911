"""An informer whose API is away: it goes on, and says so once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ktui.client.base import ObjectList, WatchEvent
from ktui.client.informer import Informer
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import PODS


class Away:
    """A client whose lists or watches fail."""

    def __init__(self, *, lists: bool) -> None:
        self.lists = lists
        self.asked = 0

    async def list(self, *_: object, **__: object) -> ObjectList:
        self.asked += 1
        if not self.lists:
            raise ConnectionRefusedError("the API is away")
        return ObjectList([], "1")

    @asynccontextmanager
    async def watch(self, *_: object, **__: object) -> AsyncGenerator[Sequence[WatchEvent]]:
        raise ConnectionResetError("the API went away")
        yield []


@pytest.mark.parametrize("lists", [False, True])
async def test_a_streak_of_failures_is_one_line_and_comes_slower(
    lists: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client, clock = Away(lists=lists), FakeClock()
    informer: Informer[dict[str, Any]] = Informer(client, PODS, dict[str, Any], clock=clock)  # type: ignore[arg-type] - a stand-in with what is asked of it
    with caplog.at_level(logging.INFO):
        running = asyncio.create_task(informer.run())
        for _ in range(60):
            async with asyncio.timeout(5):
                while not clock.sleepers:
                    await asyncio.sleep(0)
            await clock.advance(0.5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert 5 < client.asked < 15
    assert len(caplog.records) == 1
