"""Watching: order, batches, where a watch may start, and what becomes of a slow reader."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ktui.engine.store import (
    Change,
    CompactedError,
    FutureRevisionError,
    HistoryLimits,
    JournaledStore,
    Key,
    Watcher,
    open_store,
)


def obj(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


async def take(watcher: Watcher, count: int) -> list[Change]:
    """The next `count` changes."""
    taken: list[Change] = []
    async with asyncio.timeout(5):
        async for batch in watcher:
            taken += batch
            if len(taken) >= count:
                break
    return taken


async def test_a_watch_gives_past_changes_then_new_ones_in_order(store: JournaledStore):
    key = Key("pods", "a", "p")
    await store.write(key, obj("p", n=1))
    watcher = store.watch("pods", after=1)
    first = await take(watcher, 1)
    waiting = asyncio.ensure_future(take(watcher, 2))
    await asyncio.sleep(0)
    await store.write(Key("leases", "a", "l"), obj("l"))
    second = await store.write(key, obj("p", n=2))
    gone = await store.delete(key)
    changes = first + await waiting
    assert [(c.type, c.revision) for c in changes] == [
        ("ADDED", 2),
        ("MODIFIED", second.revision),
        ("DELETED", gone.revision),
    ]
    assert changes[1].previous == changes[0].data and changes[2].data == gone.data


async def test_a_watch_of_a_namespace_sees_only_that(store: JournaledStore):
    watcher = store.watch("pods", "b", after=1)
    for namespace in "abab":
        await store.write(Key("pods", namespace, "p"), obj("p"))
    assert [c.key.namespace for c in await take(watcher, 2)] == ["b", "b"]


async def test_many_watchers_share_a_batch(store: JournaledStore):
    watchers = [store.watch("pods", after=1) for _ in range(20)]
    tasks = [asyncio.ensure_future(take(watcher, 500)) for watcher in watchers]
    await asyncio.sleep(0)
    await asyncio.gather(*(store.write(Key("pods", "a", f"p{n}"), obj("p")) for n in range(500)))
    results = await asyncio.gather(*tasks)
    assert all([c.revision for c in result] == list(range(2, 502)) for result in results)


async def test_a_watch_starts_only_within_history():
    store = open_store(None, limits=HistoryLimits(changes=5))
    for _ in range(10):
        await store.write(Key("pods", "a", "p"), obj("p"))
    with pytest.raises(CompactedError):
        store.watch("pods", after=store.oldest_revision - 1)
    with pytest.raises(FutureRevisionError):
        store.watch("pods", after=store.revision + 1)
    assert len(await take(store.watch("pods", after=store.oldest_revision), 5)) == 5


async def test_a_slow_watcher_is_dropped_and_a_quiet_one_is_not():
    store = open_store(None, limits=HistoryLimits(changes=5))
    slow, quiet = store.watch("pods", after=1), store.watch("secrets", after=1)
    for _ in range(10):
        await store.write(Key("pods", "a", "p"), obj("p"))
    assert [batch async for batch in slow] == []
    await store.write(Key("secrets", "a", "s"), obj("s"))
    assert [c.key.name for c in await take(quiet, 1)] == ["s"]


async def test_a_watcher_that_waits_ends_when_closed_and_when_the_store_closes(store: JournaledStore):
    async def drain(watcher: Watcher) -> int:
        return sum([len(batch) async for batch in watcher])

    watchers = [store.watch("pods", after=1), store.watch("pods", after=1)]
    tasks = [asyncio.ensure_future(drain(watcher)) for watcher in watchers]
    await asyncio.sleep(0)
    watchers[0].close()
    assert await asyncio.wait_for(tasks[0], 5) == 0
    assert not tasks[1].done()
    await store.write(Key("pods", "a", "p"), obj("p"))
    await store.close()
    assert await asyncio.wait_for(tasks[1], 5) == 1


async def test_a_watcher_knows_up_to_where_it_has_told_everything(store: JournaledStore):
    watcher = store.watch("pods", after=1)
    await store.write(Key("pods", "a", "p"), obj("p"))
    await store.write(Key("leases", "a", "l"), obj("l"))
    assert watcher.revision == 1
    await take(watcher, 1)
    assert watcher.revision == store.revision == 3


async def test_a_watch_goes_on_where_it_was_across_a_restart(folder: Path):
    store = open_store(folder)
    for n in range(6):
        await store.write(Key("pods", "a", "p"), obj("p", n=n))
    await store.close()
    store = open_store(folder)
    changes = await take(store.watch("pods", after=4), 3)
    assert [c.revision for c in changes] == [5, 6, 7] and changes[0].previous is not None
    await store.close()


async def test_after_a_restart_history_reaches_no_further_than_its_limits(folder: Path):
    store = open_store(folder)
    for n in range(6):
        await store.write(Key("pods", "a", "p"), obj("p", n=n))
    await store.close()
    store = open_store(folder, limits=HistoryLimits(changes=2))
    assert store.oldest_revision == 5
    with pytest.raises(CompactedError):
        store.watch("pods", after=4)
    await store.close()
