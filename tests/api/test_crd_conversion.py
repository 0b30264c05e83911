"""Custom resources are converted between versions by the webhook of their definition, over HTTPS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from crd_world import CrdWorld, resource, version
from webhook_server import WebhookServer

from ktui.client.base import ListOptions, PatchType, WatchOptions
from ktui.engine.api.documents import decode
from ktui.engine.store.base import Key
from ktui.kube.clock import settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS

V1, V2 = resource("v1"), resource("v2")
OLD = {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "integer"}}}
NEW = {
    "type": "object",
    "properties": {"address": {"type": "string"}, "mode": {"type": "string", "default": "open"}},
}
FAILED = "conversion webhook for example.com/v1, Kind=Widget "


def converted(request: dict[str, Any]) -> dict[str, Any]:
    """v1 has host and port, v2 an address of both."""
    wanted = request["desiredAPIVersion"]
    return {
        "result": {"status": "Success"},
        "convertedObjects": [_converted(obj, wanted) for obj in request["objects"]],
    }


def _converted(obj: dict[str, Any], wanted: str) -> dict[str, Any]:
    spec = obj["spec"]
    if wanted.endswith("/v2"):
        spec = {"address": f"{spec['host']}:{spec['port']}", "odd": "pruned"}
    else:
        host, port = spec["address"].split(":")
        spec = {"host": host, "port": int(port)}
    metadata = {**obj["metadata"], "labels": {"from": obj["apiVersion"].split("/")[1]}, "finalizers": ["a/b"]}
    return {**obj, "apiVersion": wanted, "metadata": metadata, "spec": spec}


class World(CrdWorld):
    """With a webhook that converts."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks = WebhookServer()
        self.hooks.replies["convert"] = converted

    @property
    def conversion(self) -> dict[str, Any]:
        webhook = {"clientConfig": self.hooks.config("convert"), "conversionReviewVersions": ["v1"]}
        return {"strategy": "Webhook", "webhook": webhook}

    def stored(self, name: str) -> dict[str, Any]:
        entry = self.store.get(Key("widgets.example.com", "default", name))
        assert entry is not None
        return decode(entry.data)

    async def error(self, name: str = "w") -> StatusError:
        with pytest.raises(StatusError) as caught:
            await self.client.get(V2, name, "default")
        return caught.value


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World()
    await world.hooks.start(tmp_path)
    await world.start()
    try:
        async with asyncio.timeout(30):
            await world.define(
                version("v1", OLD), version("v2", NEW, storage=False), conversion=world.conversion
            )
            yield world
    finally:
        await world.stop()
        await world.server.webhooks.close()
        await world.hooks.stop()
        await world.store.close()


def old(name: str = "w", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name, **metadata},
        "spec": {"host": "a", "port": 1},
    }


def new(name: str = "w") -> dict[str, Any]:
    return {**old(name), "apiVersion": "example.com/v2", "spec": {"address": "b:2"}}


async def test_reads_in_the_other_version(world: World):
    made = await world.create(old(annotations={"a": "b"}))
    assert world.hooks.asked == []
    found = await world.client.get(V2, "w", "default")
    assert (found["apiVersion"], found["spec"]) == ("example.com/v2", {"address": "a:1", "mode": "open"})
    assert found["metadata"] == {
        **{k: v for k, v in made["metadata"].items() if k != "annotations"},
        "annotations": {"a": "b"},
        "labels": {"from": "v1"},
    }
    [(_, asked)] = world.hooks.asked
    assert (asked["desiredAPIVersion"], asked["objects"]) == ("example.com/v2", [made])
    assert (await world.client.get(V1, "w", "default")) == made
    await world.client.get(V2, "w", "default")
    assert len(world.hooks.asked) == 1


async def test_writes_in_the_other_version_are_stored_in_the_storage_version(world: World):
    made = await world.create(new(), V2)
    assert made["spec"] == {"address": "b:2", "mode": "open"}
    stored = world.stored("w")
    assert (stored["apiVersion"], stored["spec"]) == ("example.com/v1", {"host": "b", "port": 2})
    assert stored["metadata"]["uid"] == made["metadata"]["uid"]
    patch = {"spec": {"address": "c:3"}}
    patched = await world.client.patch(V2, "w", patch, "default", patch_type=PatchType.MERGE)
    assert patched["spec"]["address"] == "c:3"
    assert patched["metadata"]["generation"] == 2
    assert world.stored("w")["spec"] == {"host": "c", "port": 3}
    patched["spec"]["address"] = "d:4"
    updated = await world.client.update(V2, patched)
    assert (await world.client.get(V1, "w", "default"))["spec"] == {"host": "d", "port": 4}
    await world.client.update(V2, {**updated, "status": {"ready": 1}}, subresource="status")
    gone = await world.client.delete(V2, "w", "default")
    assert gone["status"] == "Success"


async def test_lists_of_both_versions_and_tables(world: World):
    await world.create(old("a"))
    crd = await world.client.get(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
    for each in crd["spec"]["versions"]:
        each["storage"] = each["name"] == "v2"
    await world.client.update(CUSTOM_RESOURCE_DEFINITIONS, crd)
    await settle(30)
    await world.create(new("b"), V2)
    assert [world.stored(name)["apiVersion"][-2:] for name in "ab"] == ["v1", "v2"]
    world.hooks.asked.clear()
    listed = (await world.client.list(V2)).items
    assert [obj["spec"]["address"] for obj in listed] == ["a:1", "b:2"]
    [(_, asked)] = world.hooks.asked
    assert [obj["metadata"]["name"] for obj in asked["objects"]] == ["a"]
    assert [obj["spec"]["host"] for obj in (await world.client.list(V1)).items] == ["a", "b"]
    options = ListOptions(label_selector="from=v1")
    assert [obj["metadata"]["name"] for obj in (await world.client.list(V2, options=options)).items] == ["a"]
    options = ListOptions(field_selector="metadata.name=a")
    assert [obj["kind"] for obj in (await world.client.list(V2, "default", options=options)).items] == [
        "Widget"
    ]
    rows = (await world.client.table(V2, "default"))["rows"]
    assert [row["cells"][0] for row in rows] == ["a", "b"]


async def test_long_lists_are_converted_in_several_questions(world: World):
    for index in range(6):
        await world.create(old(f"w{index}", annotations={"long": "x" * 200_000, "b": "y" * 50_000}))
    found = (await world.client.list(V2)).items
    assert [obj["metadata"]["name"] for obj in found] == [f"w{index}" for index in range(6)]
    assert [len(asked["objects"]) for _, asked in world.hooks.asked] == [4, 2]


async def test_watches_in_the_other_version(world: World):
    await world.create(old())
    async with world.client.watch(V2, "default", options=WatchOptions()) as batches:
        stream = aiter(batches)
        [event] = await anext(stream)
        assert (event.type, decode(event.raw)["spec"]["address"]) == ("ADDED", "a:1")
        await world.client.patch(V1, "w", {"spec": {"port": 9}}, "default", patch_type=PatchType.MERGE)
        [event] = await anext(stream)
        assert (event.type, decode(event.raw)["spec"]["address"]) == ("MODIFIED", "a:9")
        await world.client.delete(V1, "w", "default")
        [event] = await anext(stream)
        assert (event.type, decode(event.raw)["apiVersion"]) == ("DELETED", "example.com/v2")


def answer(**changes: Any):
    """A conversion with something changed."""

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        return {**converted(request), **changes}

    return reply


def changed(**changes: Any):
    """The converted object with something changed."""

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        found = converted(request)
        return {**found, "convertedObjects": [{**obj, **changes} for obj in found["convertedObjects"]]}

    return reply


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (answer(result={"status": "Failure", "message": "no way"}), "failed: no way"),
        (answer(result={"status": "Failure"}), "failed: response.result.status was 'Failure', not 'Success'"),
        (answer(uid="x"), 'failed: expected response.uid="'),
        (answer(convertedObjects=[]), "returned 0 objects, expected 1"),
        (answer(convertedObjects=None), "returned 0 objects, expected 1"),
        (answer(convertedObjects=["x"]), "returned invalid converted object at index 0: "),
        (lambda _: web.json_response({"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1"}), "failed: no response provided"),
        (lambda _: web.json_response({"kind": "AdmissionReview"}), "failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got , Kind=AdmissionReview"),
        (lambda _: web.json_response([]), "failed: the answer is not JSON"),
        (lambda _: web.Response(status=500, text="boom"), 'failed: an error on the server ("boom") has prevented the request from succeeding'),
        (lambda _: web.Response(status=302, headers={"Location": "https://127.0.0.1:1/"}), "failed: the server responded with the status code 302"),
        (changed(apiVersion="example.com/v3"), "returned invalid converted object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v3)"),
        (changed(kind="Gadget"), "returned invalid converted object at index 0: invalid kind (expected Widget, received Gadget)"),
        (changed(metadata={"name": "x"}), "returned invalid converted object at index 0: must have the same name: w != x"),
        (changed(metadata=None), "returned invalid converted object at index 0: must have the same name: w != "),
    ],
)  # fmt: skip
async def test_what_is_no_conversion_fails_the_read(world: World, reply, why: str):
    await world.create(old())
    world.hooks.replies["convert"] = reply
    error = await world.error()
    assert (error.code, error.reason) == (500, "")
    assert error.message.startswith(FAILED + why), error.message


@pytest.mark.parametrize("metadata", [{"labels": {"a": 1}}, {"labels": {"a b": "c"}}, {"annotations": "x"}])
async def test_labels_and_annotations_have_to_be_some(world: World, metadata):
    made = await world.create(old())
    world.hooks.replies["convert"] = changed(metadata={**made["metadata"], **metadata})
    message = (await world.error()).message
    assert message.startswith(f"{FAILED}returned invalid metadata in object at index 0: metadata."), message


async def test_nothing_is_written_that_can_not_be_stored(world: World):
    world.hooks.replies["convert"] = answer(result={"status": "Failure", "message": "no way"})
    with pytest.raises(StatusError) as caught:
        await world.create(new(), V2)
    assert caught.value.message == "conversion webhook for example.com/v2, Kind=Widget failed: no way"
    assert world.store.get(Key("widgets.example.com", "default", "w")) is None


async def test_a_watch_ends_with_the_error(world: World):
    world.hooks.replies["convert"] = answer(result={"status": "Failure", "message": "no way"})
    async with world.client.watch(V2, "default", options=WatchOptions()) as batches:
        await world.create(old())
        with pytest.raises(StatusError, match="no way"):
            await anext(aiter(batches))


async def test_a_webhook_that_is_not_there(world: World):
    await world.create(old())
    await world.hooks.stop()
    message = (await world.error()).message
    url = f"https://127.0.0.1:{world.hooks.port}/convert?timeout=30s"
    assert message.startswith(f'{FAILED}failed: Post "{url}": '), message
    assert (await world.client.get(V1, "w", "default"))["spec"]["host"] == "a"


async def test_objects_go_with_their_definition_though_the_webhook_is_gone(world: World):
    await world.create(old())
    await world.hooks.stop()
    await world.client.delete(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
    await settle(60)
    assert world.store.get(Key("widgets.example.com", "default", "w")) is None
    assert world.store.get(Key(CUSTOM_RESOURCE_DEFINITIONS.key, "", "widgets.example.com")) is None


async def test_a_new_conversion_counts_at_once(world: World):
    await world.create(old())
    world.hooks.replies["other"] = changed(spec={"address": "other"})
    crd = await world.client.get(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
    crd["spec"]["conversion"]["webhook"] = {
        "clientConfig": world.hooks.config("other"),
        "conversionReviewVersions": ["v9", "v1beta1"],
    }
    await world.client.update(CUSTOM_RESOURCE_DEFINITIONS, crd)
    await settle(30)
    assert (await world.client.get(V2, "w", "default"))["spec"]["address"] == "other"


async def test_services_get_a_port(world: World):
    service = {"name": "hook", "namespace": "tools"}
    conversion = {
        "strategy": "Webhook",
        "webhook": {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1"]},
    }
    crd = await world.define(version("v1", OLD), kind="Gadget", plural="gadgets", conversion=conversion)
    assert crd["spec"]["conversion"]["webhook"]["clientConfig"]["service"]["port"] == 443
