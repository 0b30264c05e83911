"""When snapshots come by themselves, and how little of the history they repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from broken_disk import crash

from ktui.engine.store import HistoryLimits, JournaledStore, Key, open_store
from ktui.kube.clock import FakeClock

LIMITS = HistoryLimits(changes=320, seconds=3600)


def key(n: int) -> Key:
    return Key("pods", "default", f"p{n % 5}")


async def write(store: JournaledStore, n: int) -> None:
    obj: dict[str, Any] = {"metadata": {"name": key(n).name}, "spec": {"n": n}}
    await store.write(key(n), obj)


async def write_until(store: JournaledStore, folder: Path, *, snapshots: int, journals: int) -> None:
    """One write a commit until there are so many files."""
    for n in range(20_000):
        names = [path.name.partition("-")[0] for path in folder.glob("*.log")]
        if (names.count("snapshot"), names.count("journal")) == (snapshots, journals):
            return
        await write(store, n)
    raise AssertionError(f"never came to that: {sorted(folder.iterdir())}")


def changes_in(snapshot: Path) -> int:
    return sum(line.split(b"\t")[4] in (b"A", b"M", b"D") for line in snapshot.read_bytes().splitlines())


async def assert_same_after_a_crash(
    store: JournaledStore, folder: Path, copy: Path, clock: FakeClock
) -> None:
    recovered = open_store(crash(folder, copy), limits=LIMITS, clock=clock)
    assert recovered.list("pods") == store.list("pods")
    assert recovered.oldest_revision <= store.oldest_revision
    for n in range(5):
        past = store.history(key(n))
        assert list(recovered.history(key(n)))[-len(past) :] == past
    await recovered.close()


async def test_a_snapshot_waits_until_history_forgot_what_it_would_repeat(folder: Path, tmp_path: Path):
    clock = FakeClock()
    store = open_store(folder, limits=LIMITS, compact_at=20_000, clock=clock)
    await write_until(store, folder, snapshots=0, journals=2)
    await assert_same_after_a_crash(store, folder, tmp_path / "before", clock)
    await write_until(store, folder, snapshots=1, journals=1)
    (snapshot,) = folder.glob("snapshot-*.log")
    assert 0 < changes_in(snapshot) <= LIMITS.changes // 16
    await assert_same_after_a_crash(store, folder, tmp_path / "after", clock)
    await store.close()
    store = open_store(folder, limits=LIMITS)
    assert len(store.list("pods").entries) == 5
    await store.close()


async def test_history_that_forgets_past_a_waiting_boundary_brings_a_new_one(folder: Path, tmp_path: Path):
    clock = FakeClock()
    store = open_store(folder, limits=LIMITS, compact_at=20_000, clock=clock)
    await write_until(store, folder, snapshots=0, journals=2)
    await clock.advance(7200)
    await write_until(store, folder, snapshots=1, journals=1)
    await assert_same_after_a_crash(store, folder, tmp_path / "after", clock)
    await store.close()


async def test_journals_too_long_at_the_start_are_replaced_without_waiting(folder: Path, tmp_path: Path):
    store = open_store(folder)
    for n in range(300):
        await write(store, n)
    await store.close()
    store = open_store(folder, compact_at=20_000)
    await write_until(store, folder, snapshots=1, journals=1)
    (snapshot,) = folder.glob("snapshot-*.log")
    assert changes_in(snapshot) >= 300
    await store.close()
    store = open_store(folder)
    assert store.oldest_revision == 1 and len(store.list("pods", revision=4).entries) == 3
    await store.close()
