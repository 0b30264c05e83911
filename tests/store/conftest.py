"""A store in a folder of its own, and objects to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from broken_disk import FaultyDisk

from ktui.engine.store import JournaledStore, open_store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(params=["memory", "journal"])
async def store(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[JournaledStore]:
    """Behaviour that holds with a journal and without."""
    opened = open_store(None if request.param == "memory" else folder)
    yield opened
    await opened.close()


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()
