"""An API server over a store in memory, with the small kinds of `api_objects`, a fake clock and a client."""

from __future__ import annotations

import pytest
from api_objects import declarations

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import Registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import Store, open_store
from ktui.kube.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(clock: FakeClock):
    opened = open_store(None, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def server(store: Store, clock: FakeClock) -> ApiServer:
    server = ApiServer(store, Registry(declarations()), clock)
    await server.start()
    return server


@pytest.fixture
def client(server: ApiServer) -> LocalClient:
    return LocalClient(server, "alice", manager="kubectl")
