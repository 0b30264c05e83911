"""CustomResourceDefinitions make kinds: served, listed, watched, converted, and gone with their definition."""

import asyncio
import json

import msgspec
import pytest
from crd_world import CrdWorld, definition, resource, version, widget

from ktui.client.base import ListOptions, PatchType, WatchOptions, WriteOptions
from ktui.engine.api.openapi.documents import Documents
from ktui.kube.clock import settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS

CRDS = CUSTOM_RESOURCE_DEFINITIONS


@pytest.fixture
async def world():
    world = CrdWorld()
    await world.start()
    yield world
    await world.stop()
    await world.store.close()


def conditions(found):
    return {
        each["type"]: (each["status"], each["reason"], each["message"])
        for each in found["status"]["conditions"]
    }


async def test_a_definition_is_established_and_its_kind_served(world):
    found = await world.define()
    assert conditions(found) == {
        "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
        "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
    }
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    assert found["status"]["acceptedNames"] == {**names, "shortNames": ["wd"]}
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["spec"]["conversion"] == {"strategy": "None"}
    served = next(each for each in await world.client.resources() if each.kind == "Widget")
    assert (served.short_names, served.subresources) == (("wd",), ("status",))
    assert world.server.registry.find("wd").resource.key == "widgets.example.com"
    created = await world.create(widget())
    assert created["metadata"]["generation"] == 1
    assert (await world.client.get(resource(), "w", "default")) == created


async def test_definitions_are_served_again_by_a_new_server(world):
    await world.define()
    await world.create(widget())
    second = CrdWorld(world.store)
    await second.server.start()
    assert (await second.client.get(resource(), "w", "default"))["spec"]["size"] == 3


async def test_taken_names_are_not_accepted(world):
    await world.define()
    found = await world.define(kind="Widget", plural="gadgets", names={"shortNames": ["wd"]})
    assert conditions(found) == {
        "NamesAccepted": (
            "False",
            "ListKindConflict",
            '"widget" is already in use; "wd" is already in use; "Widget" is already in use; "WidgetList" is already in use',
        ),
        "Established": ("False", "NotAccepted", "not all names are accepted"),
    }
    with pytest.raises(StatusError) as caught:
        await world.create(widget(), resource(plural="gadgets"))
    assert caught.value.code == 404
    await world.client.delete(CRDS, "widgets.example.com")
    await settle(60)
    found = await world.client.get(CRDS, "gadgets.example.com")
    assert conditions(found)["Established"][0] == "True"


async def test_deleting_a_definition_deletes_its_objects_first(world):
    await world.define()
    await world.create({**widget(), "metadata": {"name": "w", "finalizers": ["example.com/hold"]}})
    await world.create(widget("x"))
    marked = await world.client.delete(CRDS, "widgets.example.com")
    assert marked["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    await settle(60)
    found = await world.client.get(CRDS, "widgets.example.com")
    assert conditions(found)["Terminating"][:2] == ("True", "InstanceDeletionInProgress")
    left = await world.client.list(resource(), "default")
    assert [each["metadata"]["name"] for each in left.items] == ["w"]
    with pytest.raises(StatusError) as caught:
        await world.create(widget("y"))
    assert caught.value.code == 405
    await world.client.patch(resource(), "w", {"metadata": {"finalizers": None}}, "default")
    await world.clock.advance(1)
    await settle(60)
    assert not (await world.client.list(CRDS)).items
    with pytest.raises(StatusError) as caught:
        await world.client.list(resource(), "default")
    assert caught.value.code == 404


async def test_deleted_while_no_server_runs_is_finished_by_the_next(world):
    await world.define()
    await world.create(widget())
    await world.stop()
    await world.client.delete(CRDS, "widgets.example.com")
    await world.start()
    await settle(60)
    assert not (await world.client.list(CRDS)).items
    assert not world.store.list("widgets.example.com").entries


async def test_versions_share_one_storage(world):
    old = version("v1beta1", storage=False, deprecated=True)
    await world.define(old, version("v1"))
    await world.create(widget())
    beta = resource("v1beta1")
    async with world.client.watch(beta, "default", options=WatchOptions()) as events:
        [event] = await anext(events)
        assert event.object["apiVersion"] == "example.com/v1beta1"
        changed = await world.client.patch(beta, "w", {"spec": {"size": 4}}, "default")
        assert changed["apiVersion"] == "example.com/v1beta1"
        [event] = await anext(events)
        assert (event.object["apiVersion"], event.object["spec"]["size"]) == ("example.com/v1beta1", 4)
    assert (await world.client.get(resource(), "w", "default"))["apiVersion"] == "example.com/v1"
    assert world.warnings == ["example.com/v1beta1 Widget is deprecated"]
    versions = [each.version for each in await world.client.resources() if each.kind == "Widget"]
    assert versions == ["v1", "v1beta1"]


async def test_a_new_storage_version_is_remembered_and_the_old_one_kept(world):
    await world.define(version("v1beta1"))
    await world.create(widget(version="v1beta1"), resource("v1beta1"))
    crd = await world.client.get(CRDS, "widgets.example.com")
    crd["spec"]["versions"] = [version("v1beta1", storage=False), version("v1")]
    crd = await world.client.update(CRDS, crd)
    await settle(30)
    assert crd["status"]["storedVersions"] == ["v1beta1", "v1"]
    assert (await world.client.get(resource(), "w", "default"))["apiVersion"] == "example.com/v1"
    crd = await world.client.get(CRDS, "widgets.example.com")
    crd["spec"]["versions"] = [version("v1")]
    with pytest.raises(StatusError) as caught:
        await world.client.update(CRDS, crd)
    assert 'status.storedVersions[0]: Invalid value: "v1beta1": missing from spec.versions' in str(
        caught.value
    )


async def test_a_version_that_is_not_served_is_gone(world):
    await world.define(version("v1beta1", storage=False), version("v1"))
    crd = await world.client.get(CRDS, "widgets.example.com")
    crd["spec"]["versions"][0]["served"] = False
    await world.client.update(CRDS, crd)
    await settle(30)
    with pytest.raises(StatusError):
        await world.client.list(resource("v1beta1"), "default")
    assert (await world.client.list(resource(), "default")).items == []


async def test_defaults_added_later_are_seen_in_stored_objects(world):
    bare = {"type": "object", "properties": {"size": {"type": "integer"}}}
    await world.define(version(spec=bare))
    await world.create(widget())
    crd = await world.client.get(CRDS, "widgets.example.com")
    crd["spec"]["versions"] = [version()]
    await world.client.update(CRDS, crd)
    await settle(30)
    assert (await world.client.get(resource(), "w", "default"))["spec"] == {"size": 3, "color": "red"}


async def test_status_and_scale(world):
    scale = {
        "specReplicasPath": ".spec.size",
        "statusReplicasPath": ".status.ready",
        "labelSelectorPath": ".status.selector",
    }
    await world.define(version(subresources={"status": {}, "scale": scale}))
    created = await world.create({**widget(), "status": {"ready": 9}})
    assert "status" not in created
    patch = {"spec": {"size": 9}, "status": {"ready": 2, "selector": "app=w", "odd": 1}}
    patched = await world.client.patch(resource(), "w", patch, "default", subresource="status")
    assert (patched["spec"]["size"], patched["status"]) == (3, {"ready": 2, "selector": "app=w"})
    assert patched["metadata"]["generation"] == 1
    with pytest.raises(StatusError) as caught:
        await world.client.patch(
            resource(), "w", {"status": {"ready": "two"}}, "default", subresource="status"
        )
    assert caught.value.code == 422
    found = await world.client.get(resource(), "w", "default", subresource="scale")
    assert (found["spec"], found["status"]) == ({"replicas": 3}, {"replicas": 2, "selector": "app=w"})
    await world.client.patch(resource(), "w", {"spec": {"replicas": 5}}, "default", subresource="scale")
    found = await world.client.get(resource(), "w", "default")
    assert (found["spec"]["size"], found["metadata"]["generation"]) == (5, 2)
    with pytest.raises(StatusError) as caught:
        await world.client.patch(resource(), "w", {"spec": {"replicas": 50}}, "default", subresource="scale")
    assert "spec.size in body should be less than or equal to 10" in str(caught.value)


async def test_columns_and_selectable_fields(world):
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Tag", "type": "string", "jsonPath": ".spec.tags[0]", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    fields = [{"jsonPath": ".spec.color"}]
    await world.define(version(additionalPrinterColumns=columns, selectableFields=fields))
    await world.create(widget(tags=["a", "b"]))
    await world.create(widget("g", color="green", size=5))
    await world.clock.advance(90)
    table = await world.client.table(resource(), "default")
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Size", "Tag", "Age"]
    assert [each["cells"] for each in table["rows"]] == [["g", 5, None, "90s"], ["w", 3, "a", "90s"]]
    green = ListOptions(field_selector="spec.color=green")
    listed = await world.client.list(resource(), "default", options=green)
    assert [each["metadata"]["name"] for each in listed.items] == ["g"]
    with pytest.raises(StatusError) as caught:
        await world.client.list(resource(), "default", options=ListOptions(field_selector="spec.size=3"))
    assert caught.value.message == "field label not supported: spec.size"


async def test_without_columns_of_its_own_it_has_an_age(world):
    await world.define()
    table = await world.client.table(resource(), "default")
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Age"]


async def test_patches(world):
    await world.define()
    await world.create(widget())
    operations = [{"op": "replace", "path": "/spec/size", "value": 7}]
    found = await world.client.patch(resource(), "w", operations, "default", patch_type=PatchType.JSON)
    assert found["spec"]["size"] == 7
    with pytest.raises(StatusError) as caught:
        await world.client.patch(resource(), "w", {}, "default", patch_type=PatchType.STRATEGIC)
    assert caught.value.code == 415


async def test_server_side_apply_merges_lists_by_their_keys(world):
    await world.define()
    mine = WriteOptions(field_manager="mine")
    yours = WriteOptions(field_manager="yours")

    async def applied(options, **spec):
        obj = widget(**spec)
        del obj["spec"]["size"]
        if options is mine:
            obj["spec"]["size"] = 3
        return await world.client.patch(
            resource(), "w", obj, "default", patch_type=PatchType.APPLY, options=options
        )

    await applied(mine, parts=[{"name": "a", "count": 2}], tags=["x"])
    found = await applied(yours, parts=[{"name": "b"}], tags=["y"])
    assert found["spec"]["parts"] == [{"name": "a", "count": 2}, {"name": "b", "count": 1}]
    assert found["spec"]["tags"] == ["x", "y"]
    found = await applied(mine, tags=["x"])
    assert found["spec"]["parts"] == [{"name": "b", "count": 1}]
    with pytest.raises(StatusError) as caught:
        await applied(yours, size=4)
        await world.client.patch(
            resource(), "w", widget(size=4), "default", patch_type=PatchType.APPLY, options=yours
        )
    assert 'conflict with "mine"' in str(caught.value)


async def test_cluster_scoped_kinds_have_no_namespace(world):
    await world.define(scope="Cluster")
    kind = resource(namespaced=False)
    created = await world.client.create(kind, widget())
    assert "namespace" not in created["metadata"]


async def test_a_flood_of_definitions_is_followed(world):
    for number in range(30):
        crd = definition(kind=f"Kind{number}", plural=f"kind{number}s", names={"shortNames": []})
        await world.client.create(CRDS, crd)
    await settle(200)
    established = [conditions(each)["Established"][0] for each in (await world.client.list(CRDS)).items]
    assert established == ["True"] * 30
    await world.client.delete_collection(CRDS)
    async with asyncio.timeout(5):
        while (await world.client.list(CRDS)).items:
            await settle(50)


async def test_published_in_openapi(world):
    await world.define()
    documents = Documents(list(world.server.registry))
    document = msgspec.json.decode(documents.group("apis/example.com/v1").data)
    found = document["components"]["schemas"]["com.example.v1.Widget"]
    assert found["properties"]["spec"]["properties"]["size"]["maximum"] == 10
    kind = {"group": "example.com", "version": "v1", "kind": "Widget"}
    assert found["x-kubernetes-group-version-kind"] == [kind]


async def test_watches_end_with_their_kind_and_when_it_becomes_another(world):
    await world.define(version())
    await world.create(widget())

    async def follow():
        async with world.client.watch(
            resource(), "default", options=WatchOptions(resource_version="0")
        ) as events:
            return [event.type async for batch in events for event in batch]

    watching = asyncio.create_task(follow())
    await settle(20)
    name = "widgets.example.com"
    annotated = {"metadata": {"annotations": {"a": "b"}}}
    await world.client.patch(CUSTOM_RESOURCE_DEFINITIONS, name, annotated)
    await settle(20)
    assert not watching.done()
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    changed = [version(additionalPrinterColumns=columns)]
    await world.client.patch(CUSTOM_RESOURCE_DEFINITIONS, name, {"spec": {"versions": changed}})
    async with asyncio.timeout(5):
        assert await watching == ["ADDED"]

    watching = asyncio.create_task(follow())
    await settle(20)
    await world.client.delete(CUSTOM_RESOURCE_DEFINITIONS, name)
    async with asyncio.timeout(5):
        assert await watching == ["ADDED", "DELETED"]


async def test_version_2_of_openapi_leaves_out_what_clients_trip_over(world):
    """Null, junctors, and properties where there may be others: clients of version 3 cope with them."""
    open_ended = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {
        "type": "object",
        "required": ["maybe", "size"],
        "properties": {
            "maybe": {"type": "string", "nullable": True},
            "size": {"type": "integer", "anyOf": [{"minimum": 1}]},
            "free": {**open_ended, "properties": {"a": {"type": "string"}}},
            "inner": {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"a": {"type": "string"}},
            },
        },
    }
    await world.define(version(spec=schema))
    bare = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": open_ended}}
    await world.define(bare, kind="Bare", plural="bares", names={"shortNames": []})
    documents = Documents(list(world.server.registry))
    version_2 = json.loads(documents.version_2().data)["definitions"]
    assert version_2["com.example.v1.Bare"].keys() == {"type", "x-kubernetes-group-version-kind"}
    widget_2 = version_2["com.example.v1.Widget"]["properties"]
    assert widget_2["apiVersion"]["description"].startswith("APIVersion defines")
    spec = widget_2["spec"]
    assert spec["required"] == ["size"]
    assert spec["properties"]["maybe"] == {} and spec["properties"]["size"] == {"type": "integer"}
    assert spec["properties"]["free"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert spec["properties"]["inner"]["required"] == ["apiVersion", "kind"]
    version_3 = json.loads(documents.group("apis/example.com/v1").data)["components"]["schemas"]
    spec = version_3["com.example.v1.Widget"]["properties"]["spec"]
    assert spec["required"] == ["maybe", "size"] and "anyOf" in spec["properties"]["size"]
    assert "metadata" in version_3["com.example.v1.Bare"]["properties"]
