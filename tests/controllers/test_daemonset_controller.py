"""DaemonSet: where its pods run, nodes that come, go and change, updates, broken pods, revisions, status."""

import json

import pytest
from controllers_world import template

from ktui.client.base import DeleteOptions
from ktui.kube.kinds import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS


def daemon_set(image="web:1", pod=None, **spec):
    made = template(image)
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {**made, "spec": {**made["spec"], **(pod or {})}},
            **spec,
        },
    }


def rolling(**fields):
    return {"type": "RollingUpdate", "rollingUpdate": fields}


async def nodes(world, *names):
    for name in names:
        await world.node(name)


async def where(world):
    """The images of the pods that stay, by node."""
    found = {}
    for pod in await world.pods():
        found.setdefault(pod["spec"]["nodeName"], []).append(pod["spec"]["containers"][0]["image"])
    return {node: sorted(images) for node, images in sorted(found.items())}


async def set_image(world, image):
    await world.merge(DAEMON_SETS, "web", {"spec": {"template": {"spec": template(image)["spec"]}}})


async def status(world):
    return (await world.get(DAEMON_SETS, "web"))["status"]


async def test_each_node_gets_a_pod_that_is_tied_to_it(world):
    await nodes(world, "a", "b")
    await world.apply(DAEMON_SETS, daemon_set())
    assert await where(world) == {"a": ["web:1"], "b": ["web:1"]}
    pod = next(pod for pod in await world.pods() if pod["spec"]["nodeName"] == "a")
    (revision,) = await world.list(CONTROLLER_REVISIONS)
    assert json.dumps(revision["data"]) == json.dumps(revision["data"], sort_keys=True)
    hash_text = revision["metadata"]["labels"]["controller-revision-hash"]
    assert revision["metadata"]["name"] == f"web-{hash_text}"
    assert pod["metadata"]["labels"] == {
        "app": "web",
        "controller-revision-hash": hash_text,
        "pod-template-generation": "1",
    }
    assert pod["metadata"]["generateName"] == "web-"
    terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms == {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]
    }
    tolerated = {
        (each["key"].removeprefix("node.kubernetes.io/"), each["effect"])
        for each in pod["spec"]["tolerations"]
    }
    assert tolerated == {
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    }
    assert await status(world) == {
        "currentNumberScheduled": 2,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 2,
        "numberReady": 2,
        "updatedNumberScheduled": 2,
        "numberAvailable": 2,
        "observedGeneration": 1,
    }
    assert sorted(await world.events("SuccessfulCreate")) == sorted(
        f"Created pod: {pod['metadata']['name']}" for pod in await world.pods()
    )


async def test_nodes_come_and_go(world):
    await nodes(world, "a")
    await world.apply(DAEMON_SETS, daemon_set())
    await nodes(world, "b")
    assert list(await where(world)) == ["a", "b"]
    await world.client.delete(NODES, "b")
    await world.settle()
    assert (await status(world))["desiredNumberScheduled"] == 1


async def test_a_pod_that_waits_for_a_node_that_is_gone_goes(world):
    world.kubelet.starts = False
    await nodes(world, "a", "b")
    await world.apply(DAEMON_SETS, daemon_set())
    await world.client.delete(NODES, "b")
    await world.merge(DAEMON_SETS, "web", {"spec": {"minReadySeconds": 1}})
    assert len(await world.pods()) == 1


async def test_labels_of_nodes_decide(world):
    await nodes(world, "a", "b")
    await world.apply(DAEMON_SETS, daemon_set(pod={"nodeSelector": {"disk": "ssd"}}))
    assert await where(world) == {}
    await world.merge(NODES, "a", {"metadata": {"labels": {"disk": "ssd"}}}, namespace="")
    assert list(await where(world)) == ["a"]
    await world.merge(NODES, "a", {"metadata": {"labels": {"disk": "hdd"}}}, namespace="")
    assert await where(world) == {}


async def test_taints_keep_pods_away_or_drive_them_off(world):
    await nodes(world, "a", "b", "c")
    await world.apply(DAEMON_SETS, daemon_set())
    taint = {"key": "dedicated", "value": "db"}
    for name, effect in (("a", "NoSchedule"), ("b", "NoExecute")):
        await world.merge(NODES, name, {"spec": {"taints": [{**taint, "effect": effect}]}}, namespace="")
    assert list(await where(world)) == ["a", "c"]
    now = await status(world)
    assert (now["desiredNumberScheduled"], now["numberMisscheduled"]) == (1, 1)
    cordon = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    await world.merge(NODES, "c", {"spec": {"unschedulable": True, "taints": cordon}}, namespace="")
    assert (await status(world))["desiredNumberScheduled"] == 1


async def test_a_lost_pod_comes_back_and_a_second_one_goes(world, make):
    await nodes(world, "a")
    made = await world.apply(DAEMON_SETS, daemon_set())
    (pod,) = await world.pods()
    await world.client.delete(PODS, pod["metadata"]["name"], "default")
    await world.settle()
    (again,) = await world.pods()
    assert again["metadata"]["name"] != pod["metadata"]["name"]
    extra = make.pod("extra", {"app": "web"}, ownerReferences=[make.owner(made, controller=True)])
    await world.clock.advance(5)
    await world.apply(PODS, {**extra, "spec": {**extra["spec"], "nodeName": "a"}})
    assert await world.names(PODS) == [again["metadata"]["name"]]


async def test_a_failed_pod_is_replaced_after_longer_and_longer_pauses(world):
    await nodes(world, "a")
    await world.apply(DAEMON_SETS, daemon_set())

    async def fail():
        (pod,) = await world.pods()
        await world.set_pod(pod["metadata"]["name"], "default", "Failed", "False")
        await world.settle()
        return pod["metadata"]["name"]

    first = await fail()
    assert await world.names(PODS) != [first]
    assert (await world.events("FailedDaemonPod"))[0] == (
        f"Found failed daemon pod default/{first} on node a, will try to kill it"
    )
    second = await fail()
    assert await world.names(PODS) == [second]
    await world.advance(2)
    assert await world.names(PODS) != [second]


@pytest.mark.parametrize(("most", "at_once"), [(1, 1), ("50%", 2)])
async def test_a_rolling_update_keeps_to_max_unavailable(world, most, at_once):
    await nodes(world, "a", "b", "c", "d")
    await world.apply(DAEMON_SETS, daemon_set(updateStrategy=rolling(maxUnavailable=most)))
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] == "web:1"
    await set_image(world, "web:2")
    images = sorted(image for found in (await where(world)).values() for image in found)
    assert images == ["web:1"] * (4 - at_once) + ["web:2"] * at_once
    now = await status(world)
    assert (now["updatedNumberScheduled"], now["numberUnavailable"]) == (at_once, at_once)
    world.kubelet.ready = lambda pod: True
    world.kubelet.poke()
    await world.settle()
    assert set(map(tuple, (await where(world)).values())) == {("web:2",)}
    assert {pod["metadata"]["labels"]["pod-template-generation"] for pod in await world.pods()} == {"2"}


async def test_a_surge_brings_the_new_pod_before_the_old_one_goes(world):
    await nodes(world, "a", "b")
    await world.apply(DAEMON_SETS, daemon_set(updateStrategy=rolling(maxSurge=1, maxUnavailable=0)))
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] == "web:1"
    await set_image(world, "web:2")
    assert sorted((await where(world)).values()) == [["web:1"], ["web:1", "web:2"]]
    world.kubelet.ready = lambda pod: True
    world.kubelet.poke()
    await world.settle()
    assert await where(world) == {"a": ["web:2"], "b": ["web:2"]}


async def test_broken_old_pods_are_replaced_at_once(world):
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] != "web:broken"
    await nodes(world, "a", "b", "c")
    await world.apply(DAEMON_SETS, daemon_set("web:broken"))
    await set_image(world, "web:2")
    assert await where(world) == {"a": ["web:2"], "b": ["web:2"], "c": ["web:2"]}


async def test_on_delete_waits_for_deletions(world):
    await nodes(world, "a", "b")
    await world.apply(DAEMON_SETS, daemon_set(updateStrategy={"type": "OnDelete"}))
    await set_image(world, "web:2")
    assert await where(world) == {"a": ["web:1"], "b": ["web:1"]}
    on_a = next(pod for pod in await world.pods() if pod["spec"]["nodeName"] == "a")
    await world.client.delete(PODS, on_a["metadata"]["name"], "default")
    await world.settle()
    assert await where(world) == {"a": ["web:2"], "b": ["web:1"]}


async def test_going_back_reuses_a_revision_and_the_limit_removes_the_oldest(world):
    await nodes(world, "a")
    await world.apply(DAEMON_SETS, daemon_set(revisionHistoryLimit=1))
    for image in ("web:2", "web:1"):
        await set_image(world, image)
    assert sorted(each["revision"] for each in await world.list(CONTROLLER_REVISIONS)) == [2, 3]
    for image in ("web:3", "web:4"):
        await set_image(world, image)
    assert sorted(each["revision"] for each in await world.list(CONTROLLER_REVISIONS)) == [4, 5]


async def test_available_only_after_min_ready_seconds(world):
    await nodes(world, "a")
    await world.apply(DAEMON_SETS, daemon_set(minReadySeconds=10))
    assert (await status(world))["numberUnavailable"] == 1
    await world.advance(11)
    assert (await status(world))["numberAvailable"] == 1


async def test_a_deleted_set_takes_its_pods_along_unless_told_otherwise(world):
    await nodes(world, "a")
    await world.apply(DAEMON_SETS, daemon_set())
    await world.client.delete(
        DAEMON_SETS, "web", "default", options=DeleteOptions(propagation_policy="Orphan")
    )
    await world.advance(5)
    (orphan,) = await world.pods()
    assert not orphan["metadata"].get("ownerReferences")
    await world.apply(DAEMON_SETS, daemon_set())
    assert await world.names(PODS) == [orphan["metadata"]["name"]]
    await world.client.delete(DAEMON_SETS, "web", "default")
    await world.advance(5)
    assert (await world.names(PODS), await world.names(CONTROLLER_REVISIONS)) == ([], [])
