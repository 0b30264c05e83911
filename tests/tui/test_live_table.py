"""Lists kept live: pages, batches, relists, reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from ktui.client.base import ListOptions, WatchEvent, WatchOptions
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError, expired, forbidden, unavailable
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object, ObjectKey, Resource
from ktui.screens.live_table import Link, LiveTable


def row(name: str, version: int, status: str = "Running") -> Object:
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"cells": [name, status], "object": {"metadata": metadata}}


def event(kind: Any, name: str, version: int, status: str = "Running") -> WatchEvent:
    table = {"rows": [row(name, version, status)]}
    return WatchEvent(kind, msgspec.json.encode(table), ObjectKey("default", name))


class ScriptedClient:
    """Plays lists and watches from a script; a watch at its end stays open."""

    def __init__(self, tables: Sequence[Object | StatusError], watches: Sequence[Sequence[Any]] = ()) -> None:
        self.tables = list(tables)
        self.watches = list(watches)
        self.lists: list[ListOptions] = []
        self.starts: list[str | None] = []

    async def table(self, resource: Any, namespace: str = "", *, options: ListOptions, **_: Any) -> Object:
        self.lists.append(options)
        table = self.tables.pop(0)
        if isinstance(table, StatusError):
            raise table
        return table

    @asynccontextmanager
    async def watch(
        self, resource: Any, namespace: str = "", *, options: WatchOptions, table: bool
    ) -> AsyncIterator[AsyncIterator[Sequence[WatchEvent]]]:
        assert table
        self.starts.append(options.resource_version)
        steps = self.watches.pop(0) if self.watches else [None]

        async def batches() -> AsyncIterator[Sequence[WatchEvent]]:
            for step in steps:
                if step is None:
                    await asyncio.Event().wait()
                if isinstance(step, StatusError):
                    raise step
                yield step

        yield batches()


class RecordingSink:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.changed = asyncio.Event()

    def on_columns(self, definitions: Sequence[Object]) -> None:
        self.calls.append(("columns", len(definitions)))

    def on_rows(self, rows: Sequence[Object], *, append: bool, more: bool) -> None:
        self.calls.append(("rows", [r["cells"][0] for r in rows], append, more))
        self.changed.set()

    def on_changes(self, changes: Mapping[str, Object | None]) -> None:
        self.calls.append(("changes", {uid: r and r["cells"][1] for uid, r in changes.items()}))
        self.changed.set()

    def on_link(self, link: Link, message: str) -> None:
        self.calls.append(("link", link, message))
        self.changed.set()

    async def until(self, condition: Callable[[list[tuple[Any, ...]]], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition(self.calls):
                self.changed.clear()
                await self.changed.wait()


def table(*rows: Object, version: str = "10", token: str = "") -> Object:
    metadata = {"resourceVersion": version, **({"continue": token} if token else {})}
    return {
        "metadata": metadata,
        "columnDefinitions": [{"name": "Name"}, {"name": "Status"}],
        "rows": list(rows),
    }


@asynccontextmanager
async def running(
    client: ScriptedClient, clock: FakeClock | None = None, resource: Resource = PODS
) -> AsyncIterator[RecordingSink]:
    sink = RecordingSink()
    live = LiveTable(client, resource, "default", clock=clock)  # type: ignore[arg-type] - a stand-in with what is asked of it
    task = asyncio.create_task(live.run(sink))
    try:
        yield sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_cannot_be_watched_is_listed_again_and_again() -> None:
    usage = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True, verbs=("get", "list"))
    client = ScriptedClient([table(row("a", 1)), table(row("a", 1), row("b", 2)), table(row("b", 2))])
    clock = FakeClock()
    async with running(client, clock, usage) as sink:
        await sink.until(lambda calls: ("link", Link.LIVE, "") in calls)
        await clock.advance(5)
        await clock.advance(5)
        await sink.until(lambda calls: ("rows", ["b"], False, False) in calls)
    assert [c[1] for c in sink.calls if c[0] == "rows"] == [["a"], ["a", "b"], ["b"]]
    assert client.starts == []
    assert {c[1] for c in sink.calls if c[0] == "link"} == {Link.LIVE}


async def test_a_first_list_shows_page_by_page() -> None:
    client = ScriptedClient([table(row("a", 1), token="t"), table(row("b", 2))])
    async with running(client) as sink:
        await sink.until(lambda calls: ("link", Link.LIVE, "") in calls)
    assert [c for c in sink.calls if c[0] == "rows"] == [
        ("rows", ["a"], False, True),
        ("rows", ["b"], True, False),
    ]
    assert [o.continue_token for o in client.lists] == ["", "t"]


async def test_changes_come_in_batches_with_the_last_state_of_each_row() -> None:
    batch = [event("MODIFIED", "a", 11, "Pending"), event("MODIFIED", "a", 12), event("DELETED", "b", 13)]
    client = ScriptedClient([table(row("a", 1), row("b", 2))], [[batch, None]])
    async with running(client) as sink:
        await sink.until(lambda calls: any(c[0] == "changes" for c in calls))
    assert [c for c in sink.calls if c[0] == "changes"] == [("changes", {"uid-a": "Running", "uid-b": None})]
    assert client.starts == ["10"]


async def test_a_watch_that_ends_goes_on_from_the_last_version() -> None:
    client = ScriptedClient(
        [table(row("a", 1))], [[[event("MODIFIED", "a", 17)]], [[event("MODIFIED", "a", 18)], None]]
    )
    async with running(client) as sink:
        await sink.until(lambda calls: any(c[0] == "changes" for c in calls))
    assert client.starts == ["10", "17"]
    assert len(client.lists) == 1


async def test_an_expired_watch_lists_again_and_replaces_all_rows_at_once() -> None:
    second = [table(row("a", 20), token="t"), table(row("c", 21), version="30")]
    client = ScriptedClient([table(row("a", 1)), *second], [[expired("too old")], [None]])
    async with running(client) as sink:
        await sink.until(lambda calls: sum(c[0] == "link" for c in calls) == 2)
    assert [c for c in sink.calls if c[0] == "rows"] == [
        ("rows", ["a"], False, False),
        ("rows", ["a", "c"], False, False),
    ]
    assert client.starts[-1] == "30"


async def test_a_lost_cluster_is_told_and_tried_again() -> None:
    clock = FakeClock()
    client = ScriptedClient([unavailable("no route"), table(row("a", 1))])
    async with running(client, clock) as sink:
        await sink.until(lambda calls: ("link", Link.RECONNECTING, "no route") in calls)
        assert len(client.lists) == 1
        await clock.advance(0.6)
        await sink.until(lambda calls: ("link", Link.LIVE, "") in calls)


async def test_a_refusal_is_told_and_not_tried_again() -> None:
    client = ScriptedClient([forbidden(PODS, "", "not yours")])
    async with running(client) as sink:
        await sink.until(lambda calls: bool(calls) and calls[-1][:2] == ("link", Link.REFUSED))
    assert "not yours" in sink.calls[-1][2]


async def test_a_server_that_closes_every_watch_does_not_keep_us_busy() -> None:
    clock = FakeClock()
    client = ScriptedClient([table(row("a", 1))], [[] for _ in range(50)])
    async with running(client, clock) as sink:
        await sink.until(lambda calls: ("link", Link.LIVE, "") in calls)
        await clock.advance(0)
        assert len(client.starts) < 6
