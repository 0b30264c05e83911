"""CPU and memory beside pods, as measurements come; gone where there is no room or nothing measures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ktui.client.base import ObjectList
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import CONFIG_MAPS, PODS
from ktui.kube.resource import Object, Resource
from ktui.screens.catalog import Catalog
from ktui.screens.items import columns_of
from ktui.screens.live_table import Link
from ktui.screens.usage import UsageSource, usages, with_usage
from ktui.widgets.table_model import Row, TableModel
from ktui.widgets.virtual_table import VirtualTable

METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True, verbs=("get", "list"))
DEFINITIONS = [{"name": "Name"}, {"name": "Restarts", "type": "integer"}, {"name": "Age"}]


def measured(name: str, *containers: tuple[str, str]) -> Object:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "containers": [{"usage": {"cpu": cpu, "memory": memory}} for cpu, memory in containers],
    }


def row(name: str) -> Object:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"cells": [name, 0, "5m"], "object": {"metadata": metadata}}


class Pods:
    """A source with two pods that stays open."""

    def __init__(self) -> None:
        self.more: asyncio.Queue[Mapping[str, Object | None]] = asyncio.Queue()

    async def run(self, sink: Any) -> None:
        sink.on_columns(DEFINITIONS)
        sink.on_rows([row("a"), row("b")], append=False, more=False)
        sink.on_link(Link.LIVE, "")
        while True:
            sink.on_changes(await self.more.get())


class Shown:
    """A sink that keeps the cells of each row by name."""

    def __init__(self) -> None:
        self.columns: list[str] = []
        self.cells: dict[str, list[Any]] = {}
        self.changes = 0

    def on_columns(self, definitions: Sequence[Object]) -> None:
        self.columns = [definition["name"] for definition in definitions]

    def on_rows(self, rows: Sequence[Object], *, append: bool, more: bool) -> None:
        self.cells = {f"uid-{row['cells'][0]}": list(row["cells"]) for row in rows}

    def on_changes(self, changes: Mapping[str, Object | None]) -> None:
        self.changes += 1
        for uid, changed in changes.items():
            self.cells.pop(uid, None)
            if changed is not None:
                self.cells[uid] = list(changed["cells"])

    def on_link(self, link: Link, message: str) -> None: ...


class Measures:
    """A client that only knows metrics."""

    def __init__(self, *entries: Object) -> None:
        self.entries = entries

    async def list(self, resource: Resource, namespace: str = "", **options: Any) -> ObjectList:
        raw = [json.dumps(entry).encode() for entry in self.entries]
        return ObjectList(raw=raw, resource_version="1")


def test_a_pods_containers_are_summed_up() -> None:
    found = usages([measured("a", ("1500000n", "1Mi"), ("20m", "2560Ki")), measured("bad", ("x", "1Mi"))])
    assert list(found.values()) == [("22m", "3Mi")]


async def test_usage_joins_the_rows_and_follows_the_measurements() -> None:
    clock = FakeClock()
    client: Any = Measures(measured("a", ("10m", "5Mi")))
    pods, shown = Pods(), Shown()
    source = UsageSource(pods, client, METRICS, "default", clock)
    async with asyncio.timeout(10):
        task = asyncio.create_task(source.run(shown))
        while shown.cells.get("uid-a") != ["a", 0, "10m", "5Mi", "5m"]:
            await asyncio.sleep(0)
        assert shown.columns == ["Name", "Restarts", "CPU", "MEM", "Age"]
        assert shown.cells["uid-b"] == ["b", 0, "", "", "5m"]
        await pods.more.put({"uid-c": row("c"), "uid-b": None})
        client.entries = (measured("a", ("10m", "5Mi")), measured("c", ("1", "1Gi")))
        while shown.cells.get("uid-c") != ["c", 0, "1000m", "1024Mi", "5m"]:
            await clock.advance(5.0)
        assert "uid-b" not in shown.cells
        before = shown.changes
        await clock.advance(5.0)
        await clock.advance(5.0)
        assert shown.changes == before
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_only_pods_and_nodes_of_a_cluster_that_measures_have_usage() -> None:
    source: Any = Pods()
    client: Any = Measures()
    measures, silent = Catalog([PODS, METRICS, CONFIG_MAPS]), Catalog([PODS])
    assert isinstance(with_usage(source, client, measures, PODS, ""), UsageSource)
    assert with_usage(source, client, silent, PODS, "") is source
    assert with_usage(source, client, measures, CONFIG_MAPS, "") is source


def test_columns_of_usage_need_room_and_do_not_flash() -> None:
    definitions = [{"name": "Name"}, {"name": "CPU", "type": "number", "format": "usage"}, {"name": "Age"}]
    columns = columns_of(definitions, namespaced=False)
    assert (columns[1].spare, columns[1].flashes, columns[1].right) == (True, False, True)
    model = TableModel()
    model.set_columns(columns[:2])
    model.replace([Row("a", ("a" * 40, "10m"))])
    table = VirtualTable(model)
    assert list(table.shown_columns) == [0]
    table.wide = True
    assert list(table.shown_columns) == [0, 1]
