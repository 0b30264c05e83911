from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pod_network import PodNetwork


@pytest.fixture
async def network() -> AsyncIterator[PodNetwork]:
    made = PodNetwork()
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
