"""Events in their two APIs: the same objects, each with its names, rules and selectors."""

from __future__ import annotations

import asyncio

import pytest
from kind_bodies import CLUSTER_BODIES
from kind_cases import REGISTRY

from ktui.client.base import ListOptions, PatchType
from ktui.engine.api.local import LocalClient
from ktui.engine.api.server import ApiServer
from ktui.kube.errors import StatusError
from ktui.kube.kinds import EVENTS, EVENTS_OF_GROUP


@pytest.fixture
async def client(store, clock) -> LocalClient:
    server = ApiServer(store, REGISTRY, clock)
    await server.start()
    return LocalClient(server, "test")


def event(name="e", **fields):
    return {"metadata": {"name": name}, **CLUSTER_BODIES["events.events.k8s.io"], **fields}


OLD = {
    "metadata": {"name": "old"},
    "involvedObject": {"kind": "Node", "name": "n"},
    "message": "m",
    "count": 3,
    "source": {"component": "kubelet"},
}


async def test_both_apis_show_the_same_events(client):
    made = await client.create(EVENTS_OF_GROUP, event(note="it started"), "default")
    assert made["apiVersion"] == "events.k8s.io/v1" and made["note"] == "it started"
    core = await client.get(EVENTS, "e", "default")
    assert core["apiVersion"] == "v1" and core["message"] == "it started"
    assert core["involvedObject"] == made["regarding"] and core["metadata"]["uid"] == made["metadata"]["uid"]
    await client.create(EVENTS, OLD, "default")
    old = await client.get(EVENTS_OF_GROUP, "old", "default")
    assert (old["note"], old["deprecatedCount"], old["deprecatedSource"]["component"]) == ("m", 3, "kubelet")
    for resource, field in ((EVENTS, "source"), (EVENTS_OF_GROUP, "reportingController")):
        selected = ListOptions(field_selector=f"{field}=example.com/c")
        found = await client.list(resource, "default", options=selected)
        assert [each["metadata"]["name"] for each in found.items] == ["e"]
    rows = (await client.table(EVENTS_OF_GROUP, "default"))["rows"]
    assert {row["cells"][3] for row in rows} == {"pod/p", "node/n"}
    await client.delete(EVENTS_OF_GROUP, "old", "default")
    with pytest.raises(StatusError):
        await client.get(EVENTS, "old", "default")


async def test_a_watch_of_one_sees_what_is_written_by_the_other(client):
    async with asyncio.timeout(5), client.watch(EVENTS_OF_GROUP, "default") as batches:
        await client.create(EVENTS, OLD, "default")
        async for batch in batches:
            if batch:
                assert batch[0].object["note"] == "m"
                break


async def test_the_newer_api_is_strict(client):
    for wrong, problem in (
        ({"eventTime": None}, "eventTime: Required value"),
        ({"deprecatedCount": 1}, 'count: Invalid value: "": needs to be unset'),
        ({"type": "Odd"}, 'type: Invalid value: "": has invalid value: Odd'),
        ({"action": "a" * 129}, 'action: Invalid value: "": can have at most 128 characters'),
        ({"reportingInstance": ""}, "reportingInstance: Required value"),
        ({"series": {"count": 1}}, 'series.count: Invalid value: "": should be at least 2'),
    ):
        with pytest.raises(StatusError) as error:
            await client.create(EVENTS_OF_GROUP, event(**wrong), "default")
        assert problem in error.value.message
    await client.create(EVENTS_OF_GROUP, event(), "default")
    with pytest.raises(StatusError) as error:
        await client.patch(EVENTS_OF_GROUP, "e", {"note": "else"}, "default")
    assert 'message: Invalid value: "else": field is immutable' in error.value.message
    series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}
    patched = await client.patch(EVENTS_OF_GROUP, "e", series, "default", patch_type=PatchType.STRATEGIC)
    assert patched["series"] == series["series"]
    await client.create(EVENTS, OLD, "default")
    assert await client.patch(EVENTS_OF_GROUP, "old", {"metadata": {"labels": {"a": "b"}}}, "default")
