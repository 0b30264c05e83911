"""Delete: at once, with grace, behind finalizers, by selector; namespaces; events that age."""

from __future__ import annotations

import asyncio

import pytest
from api_objects import config_map, deployment, pod

from ktui.client.base import DeleteOptions, ListOptions, WriteOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.server import ApiServer
from ktui.kube.clock import FakeClock, settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, EVENTS, NAMESPACES, PODS


async def is_gone(client: LocalClient, resource, name: str) -> bool:
    try:
        await client.get(resource, name, "default")
    except StatusError as error:
        return error.is_not_found
    return False


async def test_what_is_gone_leaves_a_status_with_its_identity(client: LocalClient):
    obj = await client.create(CONFIG_MAPS, config_map("a"))
    status = await client.delete(CONFIG_MAPS, "a")
    assert status["status"] == "Success"
    assert status["details"] == {"name": "a", "kind": "configmaps", "uid": obj["metadata"]["uid"]}
    with pytest.raises(StatusError) as refused:
        await client.delete(CONFIG_MAPS, "a")
    assert refused.value.is_not_found


async def test_a_running_pod_gets_its_grace_period(client: LocalClient, clock: FakeClock):
    created = await client.create(PODS, pod("p", node="n1"))
    metadata = (await client.delete(PODS, "p"))["metadata"]
    assert metadata["deletionTimestamp"] == "2026-01-01T00:00:30Z"
    assert metadata["deletionGracePeriodSeconds"] == 30
    assert metadata["generation"] == created["metadata"]["generation"] + 1
    again = (await client.delete(PODS, "p"))["metadata"]
    longer = (await client.delete(PODS, "p", options=DeleteOptions(grace_period_seconds=60)))["metadata"]
    assert again == longer == metadata
    await clock.advance(7)
    shorter = (await client.delete(PODS, "p", options=DeleteOptions(grace_period_seconds=5)))["metadata"]
    assert shorter["deletionTimestamp"] == "2026-01-01T00:00:05Z"
    assert shorter["deletionGracePeriodSeconds"] == 5
    gone = await client.delete(PODS, "p", options=DeleteOptions(grace_period_seconds=0))
    assert gone["metadata"]["uid"] == created["metadata"]["uid"]
    assert await is_gone(client, PODS, "p")


async def test_pods_without_a_node_go_at_once(client: LocalClient):
    await client.create(PODS, pod("p"))
    assert (await client.delete(PODS, "p"))["kind"] == "Pod"
    assert await is_gone(client, PODS, "p")


async def test_finalizers_hold_an_object_until_the_last_is_gone(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a", finalizers=["x/one", "x/two"]))
    marked = (await client.delete(CONFIG_MAPS, "a"))["metadata"]
    assert marked["deletionTimestamp"] == "2026-01-01T00:00:00Z"
    assert marked["deletionGracePeriodSeconds"] == 0
    assert (await client.delete(CONFIG_MAPS, "a"))["metadata"] == marked
    with pytest.raises(StatusError) as refused:
        await client.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": ["x/one", "x/two", "x/three"]}})
    assert refused.value.message.endswith(
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
        'finalizers []string{"x/three"}'
    )
    await client.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": ["x/two"]}})
    assert not await is_gone(client, CONFIG_MAPS, "a")
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("a"))
    assert refused.value.message == 'object is being deleted: configmaps "a" already exists'
    last = await client.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}})
    assert "finalizers" not in last["metadata"]
    assert await is_gone(client, CONFIG_MAPS, "a")


async def test_a_deletion_cannot_be_taken_back(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a", finalizers=["x/one"]))
    marked = await client.delete(CONFIG_MAPS, "a")
    kept = await client.update(CONFIG_MAPS, config_map("a", finalizers=["x/one"], labels={"l": "v"}))
    assert kept["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
    with pytest.raises(StatusError) as refused:
        await client.patch(CONFIG_MAPS, "a", {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}})
    assert refused.value.is_invalid


async def test_pods_with_finalizers_stay_after_their_grace(client: LocalClient):
    await client.create(PODS, pod("p", node="n1", finalizers=["x/one"]))
    await client.delete(PODS, "p")
    held = await client.delete(PODS, "p", options=DeleteOptions(grace_period_seconds=0))
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    await client.patch(PODS, "p", {"metadata": {"finalizers": []}})
    assert await is_gone(client, PODS, "p")


@pytest.mark.parametrize(
    ("policy", "finalizers"), [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"])]
)
async def test_propagation_policies_become_finalizers(client: LocalClient, policy, finalizers):
    await client.create(CONFIG_MAPS, config_map("a"))
    marked = await client.delete(CONFIG_MAPS, "a", options=DeleteOptions(propagation_policy=policy))
    assert marked["metadata"]["finalizers"] == finalizers
    assert marked["metadata"]["deletionTimestamp"]
    status = await client.delete(CONFIG_MAPS, "a", options=DeleteOptions(propagation_policy="Background"))
    assert status["status"] == "Success"


async def test_preconditions_are_about_this_incarnation_and_version(client: LocalClient):
    obj = await client.create(CONFIG_MAPS, config_map("a"))
    uid, version = obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]
    with pytest.raises(StatusError) as refused:
        await client.delete(CONFIG_MAPS, "a", options=DeleteOptions(uid="other"))
    assert refused.value.message == (
        f'Operation cannot be fulfilled on configmaps "a": the UID in the precondition (other) does not match the UID '
        f"in record ({uid}). The object might have been deleted and then recreated"
    )
    with pytest.raises(StatusError) as refused:
        await client.delete(CONFIG_MAPS, "a", options=DeleteOptions(resource_version="1"))
    assert "the ResourceVersion in the precondition (1) does not match" in refused.value.message
    await client.delete(CONFIG_MAPS, "a", options=DeleteOptions(uid=uid, resource_version=version))


async def test_dry_deletes_leave_the_object(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a"))
    await client.create(PODS, pod("p", node="n1"))
    assert (await client.delete(CONFIG_MAPS, "a", options=DeleteOptions(dry_run=True)))["status"] == "Success"
    assert (await client.delete(PODS, "p", options=DeleteOptions(dry_run=True)))["metadata"][
        "deletionTimestamp"
    ]
    assert "deletionTimestamp" not in (await client.get(PODS, "p"))["metadata"]
    assert await client.get(CONFIG_MAPS, "a")


async def test_collections_go_by_selector(client: LocalClient):
    for n in range(4):
        await client.create(CONFIG_MAPS, config_map(f"c{n}", labels={"half": str(n % 2)}))
    await client.delete_collection(CONFIG_MAPS, "default", list_options=ListOptions(label_selector="half=0"))
    assert [obj["metadata"]["name"] for obj in (await client.list(CONFIG_MAPS)).items] == ["c1", "c3"]
    await client.delete_collection(CONFIG_MAPS, "default")
    assert not (await client.list(CONFIG_MAPS)).raw


async def test_a_namespace_terminates_until_it_is_finalized(client: LocalClient):
    await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    marked = await client.delete(NAMESPACES, "team")
    assert marked["status"]["phase"] == "Terminating" and marked["metadata"]["deletionTimestamp"]
    assert (await client.delete(NAMESPACES, "team"))["metadata"] == marked["metadata"]
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("a"), "team")
    assert refused.value.code == 403
    assert refused.value.message == (
        'configmaps "a" is forbidden: unable to create new content in namespace team because it is being terminated'
    )
    assert refused.value.details["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace team is being terminated",
            "field": "metadata.namespace",
        }
    ]
    await client.update(NAMESPACES, {**marked, "spec": {"finalizers": []}}, subresource="finalize")
    assert await is_gone(client, NAMESPACES, "team")


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_three_namespaces_stay(client: LocalClient, name: str):
    with pytest.raises(StatusError) as refused:
        await client.delete(NAMESPACES, name)
    assert refused.value.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


async def test_events_are_forgotten_after_an_hour(server: ApiServer, client: LocalClient, clock: FakeClock):
    sweeping = asyncio.create_task(server.run())
    event = {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Started"}
    await client.create(EVENTS, {**event, "metadata": {"name": "old"}})
    await client.create(
        EVENTS, {**event, "metadata": {"name": "seen"}, "lastTimestamp": "2026-01-01T00:30:00Z"}
    )
    await clock.advance(59 * 60)
    assert len((await client.list(EVENTS)).raw) == 2
    await clock.advance(2 * 60)
    await settle()
    assert [obj["metadata"]["name"] for obj in (await client.list(EVENTS)).items] == ["seen"]
    sweeping.cancel()


async def test_racing_deletes_and_updates_end_well(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a", {"n": "0"}))
    options = WriteOptions(field_manager="m")
    patches = [client.patch(CONFIG_MAPS, "a", {"data": {f"k{n}": "x"}}, options=options) for n in range(10)]
    await asyncio.gather(*patches)
    assert len((await client.get(CONFIG_MAPS, "a"))["data"]) == 11
    results = await asyncio.gather(
        *(client.delete(CONFIG_MAPS, "a") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, dict) for result in results) == 1


async def test_kinds_with_generation_count_their_deletion(client: LocalClient):
    await client.create(DEPLOYMENTS, deployment("web"))
    marked = await client.delete(DEPLOYMENTS, "web", options=DeleteOptions(propagation_policy="Foreground"))
    assert marked["metadata"]["generation"] == 2
