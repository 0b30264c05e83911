"""Watch: where it starts, what a selector lets through, bookmarks, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from api_objects import config_map, declarations, pod

from ktui.client.base import WatchEvent, WatchOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import Registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import HistoryLimits, open_store
from ktui.kube.clock import FakeClock, settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, PODS
from ktui.kube.resource import ObjectKey, Resource


class Seen:
    """Collects a watch's events in the background."""

    def __init__(self, batches: AsyncIterator[Sequence[WatchEvent]]) -> None:
        self.events: list[WatchEvent] = []
        self._task = asyncio.create_task(self._collect(batches))

    async def _collect(self, batches: AsyncIterator[Sequence[WatchEvent]]) -> None:
        async for batch in batches:
            self.events += batch

    @property
    def short(self) -> list[tuple[str, str]]:
        return [(event.type, event.key.name) for event in self.events]

    async def new(self) -> list[tuple[str, str]]:
        """What came since the last time."""
        await settle()
        found, self.events = self.short, []
        return found

    async def ended(self) -> None:
        await asyncio.wait_for(self._task, 5)

    def stop(self) -> None:
        self._task.cancel()


@asynccontextmanager
async def watching(client: LocalClient, resource: Resource = CONFIG_MAPS, *, table: bool = False, **options):
    async with client.watch(resource, "", options=WatchOptions(**options), table=table) as batches:
        seen = Seen(batches)
        try:
            yield seen
        finally:
            seen.stop()
            await asyncio.gather(seen._task, return_exceptions=True)


@pytest.mark.parametrize("version", [None, "", "0"])
async def test_a_watch_without_version_begins_with_what_there_is(client: LocalClient, version: str | None):
    await client.create(CONFIG_MAPS, config_map("a"))
    async with watching(client, resource_version=version) as seen:
        assert await seen.new() == [("ADDED", "a")]
        await client.create(CONFIG_MAPS, config_map("b"))
        await client.patch(CONFIG_MAPS, "a", {"data": {"k": "v"}})
        await client.delete(CONFIG_MAPS, "b")
        assert await seen.new() == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


async def test_a_watch_goes_on_after_a_version(client: LocalClient):
    first = await client.create(CONFIG_MAPS, config_map("a"))
    await client.create(CONFIG_MAPS, config_map("b"))
    async with watching(client, resource_version=first["metadata"]["resourceVersion"]) as seen:
        await settle()
        assert seen.events[0].key == ObjectKey("default", "b")
        assert seen.events[0].object == await client.get(CONFIG_MAPS, "b")


async def test_leaving_a_selector_is_a_delete_and_entering_an_add(client: LocalClient):
    async with watching(client, label_selector="on=yes") as seen:
        await client.create(CONFIG_MAPS, config_map("a", labels={"on": "yes"}))
        await client.create(CONFIG_MAPS, config_map("b"))
        assert await seen.new() == [("ADDED", "a")]
        await client.patch(CONFIG_MAPS, "b", {"metadata": {"labels": {"on": "yes"}}})
        left = await client.patch(CONFIG_MAPS, "a", {"metadata": {"labels": {"on": "no"}}})
        await settle()
        last = seen.events[-1].object["metadata"]
        assert last["labels"] == {"on": "yes"}
        assert last["resourceVersion"] == left["metadata"]["resourceVersion"]
        assert await seen.new() == [("ADDED", "b"), ("DELETED", "a")]
        await client.delete(CONFIG_MAPS, "a")
        await client.patch(CONFIG_MAPS, "b", {"data": {"x": "y"}})
        await client.delete(CONFIG_MAPS, "b")
        assert await seen.new() == [("MODIFIED", "b"), ("DELETED", "b")]


async def test_a_kubelet_watches_the_pods_of_its_node(client: LocalClient):
    async with watching(client, PODS, field_selector="spec.nodeName=n1") as seen:
        await client.create(PODS, pod("p"))
        binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
        await client.create(PODS, binding, name="p", subresource="binding")
        assert await seen.new() == [("ADDED", "p")]


async def test_initial_events_end_with_a_bookmark(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a"))
    async with watching(client, send_initial_events=True) as seen:
        await settle()
        assert [event.type for event in seen.events] == ["ADDED", "BOOKMARK"]
        bookmark = seen.events[-1].object
        assert bookmark["kind"] == "ConfigMap"
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["metadata"]["resourceVersion"] == (await client.list(CONFIG_MAPS)).resource_version


async def test_a_quiet_watch_gets_bookmarks_that_move_on(client: LocalClient, clock: FakeClock):
    async with watching(client) as seen:
        await settle()
        other = await client.create(PODS, pod("p"))
        await clock.advance(61)
        await settle()
        assert [event.type for event in seen.events] == ["BOOKMARK"]
        assert seen.events[0].object["metadata"]["resourceVersion"] == other["metadata"]["resourceVersion"]


async def test_a_bookmark_never_runs_ahead_of_what_a_slow_reader_got(client: LocalClient, clock: FakeClock):
    async with client.watch(CONFIG_MAPS, options=WatchOptions()) as batches:
        reading = asyncio.ensure_future(anext(batches))
        await settle()
        await client.create(CONFIG_MAPS, config_map("a"))
        await reading
        await client.create(CONFIG_MAPS, config_map("b"))
        await clock.advance(61)
        versions: list[tuple[str, int]] = []
        while not any(kind == "ADDED" for kind, _ in versions):
            batch = await asyncio.wait_for(anext(batches), 5)
            versions += [(event.type, int(event.object["metadata"]["resourceVersion"])) for event in batch]
        revisions = [revision for _, revision in versions]
        assert revisions == sorted(set(revisions)), "a bookmark was ahead of an event that came after it"


async def test_no_bookmarks_for_those_who_do_not_want_them(client: LocalClient, clock: FakeClock):
    async with watching(client, allow_bookmarks=False) as seen:
        await settle()
        await clock.advance(600)
        assert await seen.new() == []


async def test_a_watch_ends_at_its_time_with_a_bookmark(client: LocalClient, clock: FakeClock):
    async with watching(client, timeout_seconds=10) as seen:
        await settle()
        await clock.advance(10)
        await seen.ended()
        assert [event.type for event in seen.events] == ["BOOKMARK"]


async def test_a_watch_ends_with_its_store(client: LocalClient, store):
    async with watching(client) as seen:
        await settle()
        await store.close()
        await seen.ended()


async def test_versions_that_are_gone_or_not_there_yet(clock: FakeClock):
    store = open_store(None, clock=clock, limits=HistoryLimits(changes=3))
    server = ApiServer(store, Registry(declarations()), clock)
    await server.start()
    client = LocalClient(server)
    for n in range(10):
        await client.create(CONFIG_MAPS, config_map(f"c{n}"))
    with pytest.raises(StatusError) as refused:
        async with client.watch(CONFIG_MAPS, options=WatchOptions(resource_version="1")) as batches:
            await anext(batches)
    assert refused.value.is_expired and refused.value.code == 410
    assert refused.value.message == f"too old resource version: 1 ({store.oldest_revision})"
    with pytest.raises(StatusError) as refused:
        async with client.watch(CONFIG_MAPS, options=WatchOptions(resource_version="99999")) as batches:
            await anext(batches)
    assert refused.value.reason == "Timeout"
    with pytest.raises(StatusError) as refused:
        async with client.watch(CONFIG_MAPS, options=WatchOptions(resource_version="x")):
            pass
    assert refused.value.code == 400
    await store.close()


async def test_a_table_watch_carries_rows(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a"))
    async with watching(client, table=True) as seen:
        await settle()
        table = msgspec.json.decode(seen.events[0].raw)
        assert table["kind"] == "Table"
        assert table["rows"][0]["object"]["metadata"]["name"] == "a"


async def test_leaving_a_watch_leaves_no_task_behind(client: LocalClient):
    before = asyncio.all_tasks()
    async with watching(client):
        await settle()
    await settle()
    assert asyncio.all_tasks() == before
