"""A quiet cluster for screens: the real API server over a store in memory, no controllers, a fixed time.

Pilot waits for the process to be idle, so nothing here runs by itself; a test plays the controllers' part with
`cluster.pods(...)` and the like.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from tui_cluster import TuiCluster

from ktui.kube.clock import FakeClock

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
async def cluster() -> AsyncIterator[TuiCluster]:
    opened = await TuiCluster.open(FakeClock(START))
    yield opened
    await opened.close()
