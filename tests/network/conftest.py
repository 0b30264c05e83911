from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from ingress_site import SECONDS, Site
from pod_network import PodNetwork


@pytest.fixture
async def network() -> AsyncIterator[PodNetwork]:
    made = PodNetwork()
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=SECONDS), auto_decompress=False
    ) as session:
        yield session
