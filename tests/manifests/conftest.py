"""A folder and a real API server in memory, with the syncer between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from synced_folder import SyncedFolder

from ktui.client.base import Client
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    store = open_store(None)
    server = ApiServer(store, default_registry())
    await server.start()
    yield LocalClient(server, "system:test")
    await store.close()


@pytest.fixture
async def synced(client: Client, tmp_path: Path) -> AsyncIterator[SyncedFolder]:
    root = tmp_path / "manifests"
    root.mkdir()
    folder = SyncedFolder(client, root)
    folder.start()
    yield folder
    await folder.stop()
