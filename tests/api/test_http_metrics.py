"""`/metrics`: requests by what they were, watches, objects, the process; for those who may read it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from http_wire import Wire, served_over_tls

from ktui.kube.prometheus import Distribution, Family, Histogram, exposed

_LINE = re.compile(r'[a-z_]+(\{[a-z_]+="([^"\\\n]|\\.)*"(,[a-z_]+="([^"\\\n]|\\.)*")*\})? [0-9.e+-]+( \d+)?')


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        yield wire


async def metrics(wire: Wire) -> dict[str, float]:
    code, text = await wire.call("GET", "/metrics")
    assert code == 200
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(_LINE.fullmatch(line) for line in lines), [line for line in lines if not _LINE.fullmatch(line)]
    return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines)}


def found(values: dict[str, float], name: str, **labels: str) -> float:
    """The sum of the samples with these labels."""
    return sum(
        value
        for key, value in values.items()
        if key.partition("{")[0] == name and all(f'{label}="{text}"' in key for label, text in labels.items())
    )


async def test_requests_are_counted_by_what_they_were_and_how_they_ended(wire: Wire):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    path = "/api/v1/namespaces/default/configmaps"
    await wire.call("POST", path, json=config)
    await wire.call("GET", f"{path}/c")
    await wire.call("GET", f"{path}/none")
    await wire.call("GET", path)
    await wire.call("GET", "/api/v1/configmaps")
    await wire.call("DELETE", path)
    values = await metrics(wire)
    total = "apiserver_request_total"
    assert found(values, total, verb="POST", resource="configmaps", scope="namespace", code="201") == 1
    assert found(values, total, verb="GET", resource="configmaps", scope="resource", code="200") == 1
    assert found(values, total, verb="GET", resource="configmaps", code="404") == 1
    assert found(values, total, verb="LIST", resource="configmaps", scope="namespace", code="200") == 1
    assert found(values, total, verb="LIST", resource="configmaps", scope="cluster", version="v1") == 1
    assert found(values, total, verb="DELETECOLLECTION", resource="configmaps") == 1
    duration = "apiserver_request_duration_seconds"
    assert found(values, f"{duration}_count", verb="GET", resource="configmaps") == 2
    assert found(values, f"{duration}_bucket", verb="GET", resource="configmaps", le="+Inf") == 2
    assert found(values, f"{duration}_sum", verb="GET", resource="configmaps") > 0


async def test_the_names_of_unknown_things_do_not_fill_the_memory(wire: Wire):
    for number in range(5):
        await wire.call("GET", f"/apis/g{number}.example.com/v1/things")
        await wire.call("GET", f"/nowhere/{number}")
    values = await metrics(wire)
    assert not [key for key in values if "example.com" in key or "nowhere" in key]
    assert found(values, "apiserver_request_total", resource="", code="404") == 10


async def test_watches_are_counted_while_they_last(wire: Wire):
    async with asyncio.timeout(20):
        url = f"{wire.secure.url}/api/v1/pods?watch=1"
        async with wire.session.get(url, ssl=wire.admin) as response:
            assert response.status == 200
            values = await metrics(wire)
            assert found(values, "apiserver_longrunning_requests", verb="WATCH", resource="pods") == 1
            assert found(values, "apiserver_registered_watchers", kind="pods", version="v1") == 1
            response.close()
        while found(await metrics(wire), "apiserver_longrunning_requests", verb="WATCH"):
            await asyncio.sleep(0.01)


async def test_objects_the_build_and_the_process_are_told(wire: Wire):
    values = await metrics(wire)
    assert found(values, "apiserver_storage_objects", resource="namespaces") == 4
    assert found(values, "apiserver_storage_objects", resource="pods") == 0
    assert found(values, "kubernetes_build_info") == 1
    assert found(values, "process_resident_memory_bytes") > 1 << 20
    assert found(values, "process_open_fds") > 3
    assert found(values, "process_cpu_seconds_total") > 0
    assert found(values, "apiserver_current_inflight_requests", request_kind="readOnly") == 1


async def test_it_takes_the_right_to_read_it(wire: Wire):
    code, answer = await wire.call("GET", "/metrics", tls=wire.context("alice"))
    assert (code, answer["message"]) == (403, 'forbidden: User "alice" cannot get path "/metrics"')
    code, _ = await wire.call("GET", "/metrics", tls=wire.context())
    assert code == 403


def test_the_text_is_what_prometheus_reads():
    spread = Distribution((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 5):
        spread.add(value)
    families = [
        Family("a_total", "counter", "About a.", [({"name": 'q"\\\n'}, 3, None), ({}, 1.5, 7)]),
        Family("b", "gauge", "Nothing of it."),
        Histogram("c", "About c.", [({"verb": "GET"}, spread)]),
    ]
    assert exposed(families).decode() == (
        "# HELP a_total About a.\n"
        "# TYPE a_total counter\n"
        'a_total{name="q\\"\\\\\\n"} 3\n'
        "a_total 1.5 7\n"
        "# HELP c About c.\n"
        "# TYPE c histogram\n"
        'c_bucket{verb="GET",le="0.1"} 2\n'
        'c_bucket{verb="GET",le="1"} 3\n'
        'c_bucket{verb="GET",le="+Inf"} 4\n'
        'c_sum{verb="GET"} 5.65\n'
        'c_count{verb="GET"} 4\n'
    )
