"""A lone write is made durable on the loop while the disk is quick, and in the journal's thread when it isn't."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from broken_disk import FaultyDisk

from ktui.engine.store import Key, StoreError, open_store
from ktui.engine.store.pace import QUICK_SECONDS, SLOW_SECONDS, DiskPace


class QuickDisk(FaultyDisk):
    """A disk that is done at once, and knows in which thread it last wrote."""

    writer = ""

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        self.writer = threading.current_thread().name
        super().write(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        self._maybe_fail("sync")


def test_a_disk_is_quick_when_it_has_been_for_a_while():
    pace = DiskPace()
    answers: list[bool] = []
    for _ in range(100):
        answers.append(pace.is_quick)
        pace.took(QUICK_SECONDS / 2)
    assert not answers[0] and not answers[30] and answers[-1]


def test_one_slow_sync_ends_it_and_quick_ones_bring_it_back():
    pace = DiskPace()
    for _ in range(100):
        pace.took(QUICK_SECONDS / 10)
    pace.took(SLOW_SECONDS)
    assert not pace.is_quick
    for _ in range(100):
        pace.took(QUICK_SECONDS / 10)
    assert pace.is_quick


def test_a_disk_that_is_never_slow_but_not_quick_either_stays_with_the_thread():
    pace = DiskPace()
    for _ in range(200):
        pace.took(QUICK_SECONDS * 1.5)
    assert not pace.is_quick


async def test_a_failing_disk_fails_a_lone_write_on_the_loop_and_nothing_else(folder: Path):
    disk = QuickDisk()
    store = open_store(folder, files=disk)
    key = Key("pods", "default", "a")
    entry = await store.write(key, {"metadata": {"name": "a"}})
    for _ in range(5000):
        if disk.writer == "MainThread":
            break
        entry = await store.write(key, {"metadata": {"name": "a"}}, expected=entry.revision)
    else:
        pytest.skip("this machine is too busy for a write to be quick")
    disk.broken = {"sync": errno.EIO}
    with pytest.raises(StoreError, match="not applied"):
        await store.write(key, {"metadata": {"name": "a"}}, expected=entry.revision)
    assert store.get(key) == entry
    disk.broken = {}
    after = await store.write(key, {"metadata": {"name": "a"}}, expected=entry.revision)
    assert after.revision == entry.revision + 1 and store.get(key) == after
    await store.close()
    survivor = open_store(folder)
    assert survivor.get(key) == after
    await survivor.close()
