"""A disk that is full or fails: the writer is told, nothing is half-applied, reads go on, later writes work."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest
from broken_disk import FaultyDisk, crash

from ktui.engine.store import Key, RevisionConflictError, StoreError, open_store


def obj(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


def key(name: str) -> Key:
    return Key("pods", "default", name)


@pytest.mark.parametrize(
    "broken",
    [
        {"write": errno.ENOSPC},
        {"sync": errno.EIO},
        {"write": errno.ENOSPC, "truncate": errno.EIO},
        {"sync": errno.EIO, "truncate": errno.EIO},
        {"write": errno.ENOSPC, "preallocate": errno.ENOSPC},
    ],
    ids=lambda broken: "+".join(broken),
)
async def test_a_failing_disk_fails_the_writers_and_nothing_else(
    folder: Path, disk: FaultyDisk, tmp_path: Path, broken: dict[str, int]
):
    store = open_store(folder, files=disk)
    before = await store.write(key("kept"), obj("kept"))
    watcher = store.watch("pods", after=before.revision)
    disk.broken = broken
    results = await asyncio.gather(
        *(store.write(key(f"lost{n}"), obj("lost")) for n in range(5)),
        store.write(key("kept"), obj("kept", lost=True), expected=before.revision),
        store.delete(key("kept")),
        return_exceptions=True,
    )
    assert all(isinstance(result, StoreError) for result in results), results
    assert isinstance(results[0], StoreError) and "not applied" in str(results[0])
    assert store.revision == before.revision
    assert [entry.key.name for entry in store.list("pods").entries] == ["kept"]
    assert store.get(key("kept")) == before

    disk.broken = {}
    after = await store.write(key("kept"), obj("kept", n=2), expected=before.revision)
    batch = await anext(aiter(watcher))
    assert [change.revision for change in batch] == [after.revision]
    survivor = open_store(crash(folder, tmp_path / "crashed"))
    assert list(survivor.list("pods").entries) == [after] and survivor.revision == after.revision
    await survivor.close()
    await store.close()


async def test_writers_that_wait_behind_a_failed_batch_fail_with_it(folder: Path, disk: FaultyDisk):
    store = open_store(folder, files=disk)
    disk.broken = {"sync": errno.EIO}
    first = asyncio.ensure_future(store.write(key("a"), obj("a")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    behind = asyncio.ensure_future(store.write(key("b"), obj("b")))
    for result in await asyncio.gather(first, behind, return_exceptions=True):
        assert isinstance(result, StoreError)
    disk.broken = {}
    assert (await store.write(key("a"), obj("a"), expected=0)).revision == 2
    await store.close()


async def test_a_writer_in_conflict_with_a_failed_write_gets_its_turn(folder: Path, disk: FaultyDisk):
    store = open_store(folder, files=disk)
    disk.broken = {"sync": errno.EIO}
    doomed = asyncio.ensure_future(store.write(key("a"), obj("a"), expected=0))
    await asyncio.sleep(0)
    rival = asyncio.ensure_future(store.write(key("a"), obj("a", rival=True), expected=0))
    with pytest.raises(StoreError):
        await doomed
    result = (await asyncio.gather(rival, return_exceptions=True))[0]
    assert not isinstance(result, RevisionConflictError)
    await store.close()


async def test_a_disk_without_preallocation_will_do(folder: Path, disk: FaultyDisk):
    disk.broken = {"preallocate": errno.EOPNOTSUPP}
    store = open_store(folder, files=disk)
    entry = await store.write(key("a"), obj("a"))
    await store.close()
    store = open_store(folder, files=disk)
    assert store.get(key("a")) == entry
    await store.close()


@pytest.mark.parametrize("operation", ["create", "write", "sync", "rename", "sync after rename"])
async def test_a_compaction_that_fails_costs_nothing(
    folder: Path, disk: FaultyDisk, tmp_path: Path, operation: str
):
    store = open_store(folder, files=disk)
    for n in range(20):
        await store.write(key(f"p{n}"), obj(f"p{n}"))
    disk.broken = {operation: errno.ENOSPC}
    with pytest.raises(StoreError):
        await store.compact()
    disk.broken = {}
    await store.write(key("later"), obj("later"))
    expected = list(store.list("pods").entries)
    survivor = open_store(crash(folder, tmp_path / "crashed"))
    assert list(survivor.list("pods").entries) == expected and survivor.oldest_revision == 1
    await survivor.close()
    await store.compact()
    await store.close()
    store = open_store(folder)
    assert list(store.list("pods").entries) == expected
    await store.close()


async def test_a_failed_batch_that_cannot_be_cut_off_keeps_compaction_out(
    folder: Path, disk: FaultyDisk, tmp_path: Path
):
    store = open_store(folder, files=disk)
    kept = await store.write(key("kept"), obj("kept"))
    disk.broken = {"sync": errno.EIO, "truncate": errno.EIO}
    with pytest.raises(StoreError):
        await store.write(key("lost"), obj("lost"))
    disk.broken = {"truncate": errno.EIO}
    with pytest.raises(StoreError):
        await store.compact()
    disk.broken = {}
    await store.compact()
    survivor = open_store(crash(folder, tmp_path / "crashed"))
    assert list(survivor.list("pods").entries) == [kept]
    await survivor.close()
    await store.close()


async def test_a_disk_that_refuses_at_the_start_is_named(folder: Path, disk: FaultyDisk):
    disk.broken = {"create": errno.EACCES}
    with pytest.raises(StoreError, match=str(folder)):
        open_store(folder, files=disk)
    await open_store(folder).close()
    (folder.parent / "file").touch()
    with pytest.raises(StoreError, match="can't be opened"):
        open_store(folder.parent / "file" / "store")


async def test_a_tinydb_write_on_a_failing_disk_raises_and_changes_nothing(folder: Path, disk: FaultyDisk):
    store = open_store(folder, files=disk)
    disk.broken = {"sync": errno.EIO}
    table = store.database.table("pods")
    with pytest.raises(StoreError):
        table.insert({"metadata": {"name": "a", "namespace": "default"}})
    assert len(table) == 0
    disk.broken = {}
    table.insert({"metadata": {"name": "a", "namespace": "default"}})
    assert store.get(key("a"))
    await store.close()
