"""StatefulSet: names and order, scaling, rolling updates with their revisions, broken pods, claims."""

import pytest
from controllers_world import template

from ktui.kube.kinds import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def stateful_set(replicas=3, image="web:1", **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "serviceName": "web",
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(image),
            **spec,
        },
    }


def rolling(**fields):
    return {"type": "RollingUpdate", "rollingUpdate": fields}


async def images(world):
    return {
        pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"]
        for pod in sorted(await world.pods(), key=lambda pod: pod["metadata"]["name"])
    }


async def set_image(world, image):
    await world.merge(STATEFUL_SETS, "web", {"spec": {"template": {"spec": template(image)["spec"]}}})


async def status(world):
    return (await world.get(STATEFUL_SETS, "web"))["status"]


def ready_if(world, names):
    world.kubelet.ready = lambda pod: pod["metadata"]["name"] in names
    world.kubelet.poke()


async def test_pods_have_their_identity(world):
    await world.apply(STATEFUL_SETS, stateful_set(2))
    assert await world.names(PODS) == ["web-0", "web-1"]
    pod = await world.get(PODS, "web-1")
    (revision,) = await world.names(CONTROLLER_REVISIONS)
    assert pod["metadata"]["labels"] == {
        "app": "web",
        "controller-revision-hash": revision,
        "statefulset.kubernetes.io/pod-name": "web-1",
        "apps.kubernetes.io/pod-index": "1",
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-1", "web")
    assert await status(world) == {
        "replicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 2,
        "currentRevision": revision,
        "updateRevision": revision,
        "observedGeneration": 1,
        "collisionCount": 0,
    }
    assert await world.events("SuccessfulCreate") == [
        "create Pod web-0 in StatefulSet web successful",
        "create Pod web-1 in StatefulSet web successful",
    ]


async def test_in_order_each_pod_waits_for_those_before(world):
    ready_if(world, ())
    await world.apply(STATEFUL_SETS, stateful_set(3))
    assert await world.names(PODS) == ["web-0"]
    ready_if(world, ("web-0",))
    await world.settle()
    assert await world.names(PODS) == ["web-0", "web-1"]
    ready_if(world, ("web-0", "web-1", "web-2"))
    await world.settle()
    assert await world.names(PODS) == ["web-0", "web-1", "web-2"]


async def test_parallel_pods_do_not_wait(world):
    ready_if(world, ())
    await world.apply(STATEFUL_SETS, stateful_set(3, podManagementPolicy="Parallel"))
    assert await world.names(PODS) == ["web-0", "web-1", "web-2"]
    await world.merge(STATEFUL_SETS, "web", {"spec": {"replicas": 0}})
    assert await world.names(PODS) == []


async def test_scaling_down_goes_from_the_last_one_at_a_time(world):
    await world.apply(STATEFUL_SETS, stateful_set(3))
    world.kubelet.removes = False
    await world.merge(STATEFUL_SETS, "web", {"spec": {"replicas": 1}})
    assert [pod["metadata"]["name"] for pod in await world.pods()] == ["web-0", "web-1"]
    world.kubelet.removes = True
    world.kubelet.poke()
    await world.settle()
    assert await world.names(PODS) == ["web-0"]
    assert await world.events("SuccessfulDelete") == [
        "delete Pod web-2 in StatefulSet web successful",
        "delete Pod web-1 in StatefulSet web successful",
    ]


async def test_scaling_waits_for_an_unhealthy_pod(world):
    await world.apply(STATEFUL_SETS, stateful_set(2))
    ready_if(world, ("web-1",))
    await world.settle()
    await world.merge(STATEFUL_SETS, "web", {"spec": {"replicas": 3}})
    assert await world.names(PODS) == ["web-0", "web-1"]
    ready_if(world, ("web-0", "web-1"))
    await world.settle()
    assert await world.names(PODS) == ["web-0", "web-1", "web-2"]


async def test_scaling_down_waits_for_unhealthy_pods_but_not_for_the_one_that_holds_up_all(world):
    await world.apply(STATEFUL_SETS, stateful_set(3))
    ready_if(world, ())
    await world.settle()
    await world.merge(STATEFUL_SETS, "web", {"spec": {"replicas": 0}})
    assert await world.names(PODS) == ["web-0", "web-1", "web-2"]
    ready_if(world, ("web-2",))
    await world.settle()
    assert await world.names(PODS) == ["web-0", "web-1"]
    ready_if(world, ("web-1",))
    await world.settle()
    assert await world.names(PODS) == []


async def test_ordinals_start_where_they_are_told(world):
    await world.apply(STATEFUL_SETS, stateful_set(2, ordinals={"start": 5}))
    assert await world.names(PODS) == ["web-5", "web-6"]
    await world.merge(STATEFUL_SETS, "web", {"spec": {"ordinals": {"start": 6}}})
    assert await world.names(PODS) == ["web-6", "web-7"]


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
async def test_a_finished_pod_is_replaced_by_one_of_its_name(world, phase):
    await world.apply(STATEFUL_SETS, stateful_set(2))
    before = await world.get(PODS, "web-0")
    await world.set_pod("web-0", "default", phase, "False")
    await world.settle()
    after = await world.get(PODS, "web-0")
    assert (after["metadata"]["uid"] != before["metadata"]["uid"], after["status"]["phase"]) == (
        True,
        "Running",
    )
    reason, word = {
        "Failed": ("RecreatingFailedPod", "failed"),
        "Succeeded": ("RecreatingTerminatedPod", "terminated"),
    }[phase]
    said = f"StatefulSet default/web is recreating {word} Pod web-0"
    assert said in await world.events(reason)


async def test_a_lost_pod_comes_back_and_a_lost_label_too(world):
    await world.apply(STATEFUL_SETS, stateful_set(2))
    await world.client.delete(PODS, "web-1", "default")
    await world.settle()
    assert await world.names(PODS) == ["web-0", "web-1"]
    await world.merge(PODS, "web-0", {"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": None}}})
    labels = (await world.get(PODS, "web-0"))["metadata"]["labels"]
    assert labels["statefulset.kubernetes.io/pod-name"] == "web-0"
    assert "update Pod web-0 in StatefulSet web successful" in await world.events("SuccessfulUpdate")


async def test_only_orphans_of_its_name_are_adopted(world, make):
    await world.apply(PODS, make.pod("web-0", {"app": "web"}))
    await world.apply(PODS, make.pod("other", {"app": "web"}))
    await world.apply(STATEFUL_SETS, stateful_set(1))
    assert (await world.get(PODS, "web-0"))["metadata"]["ownerReferences"][0]["name"] == "web"
    assert not (await world.get(PODS, "other"))["metadata"].get("ownerReferences")


async def test_a_rolling_update_goes_from_last_to_first_and_stops_at_what_breaks(world):
    await world.apply(STATEFUL_SETS, stateful_set(3))
    first = (await status(world))["currentRevision"]
    ready_if(world, ("web-0", "web-1"))
    await world.settle()
    ready_if(world, ("web-0", "web-1", "web-2"))
    await world.settle()
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] == "web:1"
    await set_image(world, "web:broken")
    assert await images(world) == {"web-0": "web:1", "web-1": "web:1", "web-2": "web:broken"}
    now = await status(world)
    assert (now["currentRevision"], now["currentReplicas"], now["updatedReplicas"]) == (first, 2, 1)
    assert now["updateRevision"] != first
    world.kubelet.ready = lambda pod: True
    world.kubelet.poke()
    await world.settle()
    assert set((await images(world)).values()) == {"web:broken"}
    done = await status(world)
    assert done["currentRevision"] == done["updateRevision"] == now["updateRevision"]
    assert (done["currentReplicas"], done["updatedReplicas"]) == (3, 3)


async def test_a_partition_keeps_lower_pods_on_the_old_template_also_when_they_are_lost(world):
    await world.apply(STATEFUL_SETS, stateful_set(3, updateStrategy=rolling(partition=2)))
    await set_image(world, "web:2")
    expected = {"web-0": "web:1", "web-1": "web:1", "web-2": "web:2"}
    assert await images(world) == expected
    await world.client.delete(PODS, "web-0", "default")
    await world.client.delete(PODS, "web-2", "default")
    await world.settle()
    assert await images(world) == expected
    now = await status(world)
    assert (now["currentReplicas"], now["updatedReplicas"]) == (2, 1)
    await world.merge(STATEFUL_SETS, "web", {"spec": {"updateStrategy": rolling(partition=0)}})
    assert set((await images(world)).values()) == {"web:2"}


async def test_max_unavailable_lets_several_go_at_once(world):
    await world.apply(
        STATEFUL_SETS,
        stateful_set(4, podManagementPolicy="Parallel", updateStrategy=rolling(maxUnavailable="50%")),
    )
    world.kubelet.removes = False
    await set_image(world, "web:2")
    assert sorted(await images(world)) == ["web-0", "web-1"]
    world.kubelet.removes = True
    world.kubelet.poke()
    await world.settle()
    assert set((await images(world)).values()) == {"web:2"}


async def test_a_broken_pod_of_a_parallel_set_does_not_block_its_repair(world):
    world.kubelet.ready = lambda pod: pod["spec"]["containers"][0]["image"] != "web:broken"
    await world.apply(STATEFUL_SETS, stateful_set(2, "web:broken", podManagementPolicy="Parallel"))
    await set_image(world, "web:2")
    assert await images(world) == {"web-0": "web:2", "web-1": "web:2"}


async def test_on_delete_waits_for_deletions(world):
    await world.apply(STATEFUL_SETS, stateful_set(2, updateStrategy={"type": "OnDelete"}))
    await set_image(world, "web:2")
    assert await images(world) == {"web-0": "web:1", "web-1": "web:1"}
    await world.client.delete(PODS, "web-0", "default")
    await world.settle()
    assert await images(world) == {"web-0": "web:2", "web-1": "web:1"}


async def test_going_back_reuses_a_revision_and_the_limit_removes_the_oldest(world):
    await world.apply(STATEFUL_SETS, stateful_set(1, revisionHistoryLimit=1))
    first = (await status(world))["currentRevision"]
    await set_image(world, "web:2")
    await set_image(world, "web:1")
    assert (await status(world))["currentRevision"] == first
    numbers = {each["metadata"]["name"]: each["revision"] for each in await world.list(CONTROLLER_REVISIONS)}
    assert (len(numbers), numbers[first]) == (2, 3)
    await set_image(world, "web:3")
    await set_image(world, "web:4")
    assert sorted(each["revision"] for each in await world.list(CONTROLLER_REVISIONS)) == [4, 5]


async def test_available_only_after_min_ready_seconds(world):
    await world.apply(STATEFUL_SETS, stateful_set(2, minReadySeconds=10))
    now = await status(world)
    assert (now["replicas"], now["readyReplicas"], now["availableReplicas"]) == (1, 1, 0)
    await world.advance(11)
    assert await world.names(PODS) == ["web-0", "web-1"]
    await world.advance(11)
    assert (await status(world))["availableReplicas"] == 2


async def test_claims_stay_when_their_pod_goes(world):
    await world.apply(STATEFUL_SETS, stateful_set(2, volumeClaimTemplates=[CLAIM]))
    assert await world.names(PERSISTENT_VOLUME_CLAIMS) == ["data-web-0", "data-web-1"]
    claim = await world.get(PERSISTENT_VOLUME_CLAIMS, "data-web-1")
    assert claim["metadata"]["labels"] == {"app": "web"}
    assert not claim["metadata"].get("ownerReferences")
    volumes = (await world.get(PODS, "web-1"))["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}} in volumes
    await world.merge(STATEFUL_SETS, "web", {"spec": {"replicas": 1}})
    assert await world.names(PERSISTENT_VOLUME_CLAIMS) == ["data-web-0", "data-web-1"]
    assert "create Claim data-web-0 Pod web-0 in StatefulSet web success" in await world.events(
        "SuccessfulCreate"
    )


async def test_claims_go_with_the_set_or_the_pod_as_the_policy_says(world):
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    made = await world.apply(
        STATEFUL_SETS,
        stateful_set(2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy),
    )
    for name in ("data-web-0", "data-web-1"):
        (owner,) = (await world.get(PERSISTENT_VOLUME_CLAIMS, name))["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("StatefulSet", made["metadata"]["uid"])
    world.kubelet.removes = False
    await world.merge(STATEFUL_SETS, "web", {"spec": {"replicas": 1}})
    (owner,) = (await world.get(PERSISTENT_VOLUME_CLAIMS, "data-web-1"))["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Pod", "web-1")
    retain = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    await world.merge(STATEFUL_SETS, "web", {"spec": {"persistentVolumeClaimRetentionPolicy": retain}})
    assert not (await world.get(PERSISTENT_VOLUME_CLAIMS, "data-web-0"))["metadata"].get("ownerReferences")


async def test_a_deleted_set_takes_pods_and_revisions_along(world):
    await world.apply(STATEFUL_SETS, stateful_set(2))
    await world.client.delete(STATEFUL_SETS, "web", "default")
    await world.advance(5)
    assert (await world.names(PODS), await world.names(CONTROLLER_REVISIONS)) == ([], [])
