"""What readers and writers see of a store, in memory and on disk alike."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tinydb import where

from ktui.engine.store import (
    CompactedError,
    FutureRevisionError,
    HistoryLimits,
    JournaledStore,
    Key,
    RevisionConflictError,
    StoreError,
    open_store,
)
from ktui.kube.clock import FakeClock

WEB = Key("pods", "default", "web")


def pod(name: str = "web", namespace: str = "default", **spec: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def names(page: Any) -> list[str]:
    return [entry.key.name for entry in page.entries]


async def test_a_write_is_stamped_with_its_revision_and_leaves_the_callers_object_alone(
    store: JournaledStore,
):
    mine = pod(image="a")
    entry = await store.write(WEB, mine, expected=0)
    assert json.loads(entry.data)["metadata"]["resourceVersion"] == str(entry.revision) == str(store.revision)
    assert mine == pod(image="a")
    assert store.get(WEB) == entry


async def test_an_empty_store_is_at_a_revision_that_is_not_zero(store: JournaledStore):
    assert store.revision == store.oldest_revision == 1
    assert store.list("pods").revision == 1


async def test_replacing_needs_the_revision_that_is_there(store: JournaledStore):
    first = await store.write(WEB, pod(image="a"), expected=0)
    second = await store.write(WEB, pod(image="b"), expected=first.revision)
    for stale in (0, first.revision):
        with pytest.raises(RevisionConflictError) as conflict:
            await store.write(WEB, pod(image="c"), expected=stale)
        assert conflict.value.current == second
    with pytest.raises(RevisionConflictError) as missing:
        await store.write(Key("pods", "default", "other"), pod(), expected=7)
    assert missing.value.current is None
    assert (await store.write(WEB, pod(image="d"))).revision == second.revision + 1


async def test_of_racing_writers_with_the_same_expectation_exactly_one_wins(store: JournaledStore):
    base = await store.write(WEB, pod(), expected=0)
    results = await asyncio.gather(
        *(store.write(WEB, pod(n=n), expected=base.revision) for n in range(20)), return_exceptions=True
    )
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert store.get(WEB) == won[0]
    losers = [result for result in results if isinstance(result, RevisionConflictError)]
    assert len(losers) == 19 and all(loser.current == won[0] for loser in losers)


async def test_a_cancelled_writer_does_not_disturb_the_others(store: JournaledStore):
    tasks = [asyncio.ensure_future(store.write(Key("pods", "default", f"p{n}"), pod())) for n in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await store.write(WEB, pod())
    assert {"p0", "p2", "p3", "web"} <= set(names(store.list("pods")))


async def test_deleting_returns_the_last_state_at_the_deletes_revision(store: JournaledStore):
    first = await store.write(WEB, pod(image="a"))
    with pytest.raises(RevisionConflictError):
        await store.delete(WEB, expected=first.revision + 5)
    gone = await store.delete(WEB, expected=first.revision)
    last = json.loads(gone.data)
    assert last["spec"] == {"image": "a"} and last["metadata"]["resourceVersion"] == str(gone.revision)
    assert gone.revision == first.revision + 1 and store.get(WEB) is None
    with pytest.raises(RevisionConflictError):
        await store.delete(WEB)
    again = await store.write(WEB, pod(), expected=0)
    final = await store.delete(WEB, obj=pod(image="final"))
    assert json.loads(final.data)["spec"] == {"image": "final"} and final.revision == again.revision + 1


async def test_an_object_that_is_not_json_is_refused_and_takes_no_revision(store: JournaledStore):
    with pytest.raises(TypeError):
        await store.write(WEB, pod(image=object()))
    assert (await store.write(WEB, pod())).revision == 2


async def test_listing_goes_by_namespace_then_name_in_pages(store: JournaledStore):
    for namespace, name in [("b", "1"), ("a-b", "2"), ("a", "2"), ("a", "1"), ("b", "0")]:
        await store.write(Key("pods", namespace, name), pod(name, namespace))
    await store.write(Key("nodes", "", "n"), pod("n", ""))
    everything = store.list("pods")
    order = [("a", "1"), ("a", "2"), ("a-b", "2"), ("b", "0"), ("b", "1")]
    assert [(e.key.namespace, e.key.name) for e in everything.entries] == order
    assert names(store.list("pods", "a")) == ["1", "2"]
    assert names(store.list("nodes")) == ["n"] and names(store.list("secrets")) == []
    paged, after = [], None
    while True:
        page = store.list("pods", limit=2, after=after)
        paged += page.entries
        assert page.remaining == 5 - len(paged)
        if not page.remaining:
            break
        after = page.entries[-1].key
    assert paged == list(everything.entries)
    await store.delete(Key("pods", "a", "2"))
    assert names(store.list("pods", "a", after=Key("pods", "a", "1"))) == []


async def test_the_past_can_be_read_and_listed(store: JournaledStore):
    snapshots: dict[int, list[Any]] = {}
    for step in range(30):
        name = f"p{step * 7 % 10}"
        key = Key("pods", "ab"[step % 2], name)
        if step % 3 == 2 and store.get(key):
            await store.delete(key)
        else:
            await store.write(key, pod(name, step=step))
        await store.write(Key("leases", "", "l"), pod("l", "", step=step))
        snapshots[store.revision] = list(store.list("pods").entries)
    for revision, entries in snapshots.items():
        assert list(store.list("pods", revision=revision).entries) == entries
        in_a = [entry for entry in entries if entry.key.namespace == "a"]
        page = store.list("pods", "a", revision=revision, limit=2)
        assert list(page.entries) == in_a[:2] and page.remaining == max(0, len(in_a) - 2)
        if page.remaining:
            rest = store.list("pods", "a", revision=revision, after=page.entries[-1].key)
            assert list(rest.entries) == in_a[2:] and rest.remaining == 0
        for entry in entries:
            assert store.get(entry.key, revision=revision) == entry
    assert store.get(Key("pods", "a", "p0"), revision=1) is None
    with pytest.raises(FutureRevisionError):
        store.list("pods", revision=store.revision + 1)


async def test_history_tells_an_objects_past(store: JournaledStore):
    await store.write(WEB, pod(image="a"))
    await store.write(Key("pods", "default", "other"), pod())
    await store.write(WEB, pod(image="b"))
    await store.delete(WEB)
    changes = store.history(WEB)
    assert [change.type for change in changes] == ["ADDED", "MODIFIED", "DELETED"]
    assert [change.previous for change in changes] == [None, changes[0].data, changes[1].data]


async def test_history_is_bounded_by_count_size_and_age():
    clock = FakeClock()
    limits = HistoryLimits(changes=10, size=2000, seconds=60)
    store = open_store(None, limits=limits, clock=clock)
    for n in range(25):
        await store.write(WEB, pod(n=n))
    assert store.oldest_revision == store.revision - 10
    with pytest.raises(CompactedError) as compacted:
        store.get(WEB, revision=3)
    assert compacted.value.oldest == store.oldest_revision
    await store.write(WEB, pod(n="x" * 1500))
    assert store.revision - store.oldest_revision < 10
    await clock.advance(61)
    await store.write(WEB, pod())
    assert store.oldest_revision == store.revision - 1


async def test_a_closed_store_refuses_writes_and_can_be_closed_again(store: JournaledStore):
    await store.write(WEB, pod())
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.write(WEB, pod())
    await store.close()


async def test_tinydb_reads_and_writes_the_same_documents(store: JournaledStore):
    await store.write(WEB, pod(image="a"))
    table = store.database.table("pods")
    assert table.get(where("spec").image == "a")["metadata"]["name"] == "web"
    table.insert(pod("db", image="b"))
    table.update({"status": {"phase": "Running"}}, where("spec").image == "b")
    entry = store.get(Key("pods", "default", "db"))
    assert entry and json.loads(entry.data)["status"] == {"phase": "Running"}
    assert [change.type for change in store.history(entry.key)] == ["ADDED", "MODIFIED"]
    assert len(table) == 2 and store.database.tables() == {"pods"}
    assert table.remove(where("spec").image == "a") == ["default/web"]
    assert store.get(WEB) is None
    with pytest.raises(ValueError):
        table.insert(pod("db"))
    store.database.drop_tables()
    assert names(store.list("pods")) == []
