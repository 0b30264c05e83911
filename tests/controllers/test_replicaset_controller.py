"""ReplicaSet: creation, scaling, adoption, release, status, failures."""

from ktui.kube.errors import forbidden
from ktui.kube.kinds import PODS, REPLICA_SETS


async def test_pods_are_created_owned_and_counted(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=5))
    pods = await world.pods()
    assert len(pods) == 5
    (reference,) = pods[0]["metadata"]["ownerReferences"]
    assert (
        reference["kind"],
        reference["name"],
        reference["controller"],
        reference["blockOwnerDeletion"],
    ) == (
        "ReplicaSet",
        "web",
        True,
        True,
    )
    assert all(pod["metadata"]["name"].startswith("web-") for pod in pods)
    assert pods[0]["metadata"]["generateName"] == "web-"
    found = await world.get(REPLICA_SETS, "web")
    assert found["status"] == {
        "replicas": 5,
        "fullyLabeledReplicas": 5,
        "readyReplicas": 5,
        "availableReplicas": 5,
        "terminatingReplicas": 0,
        "observedGeneration": 1,
    }
    events = await world.events("SuccessfulCreate")
    assert sorted(events) == sorted(f"Created pod: {pod['metadata']['name']}" for pod in pods)


async def test_a_lost_pod_is_replaced(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=2))
    before = await world.names(PODS)
    await world.client.delete(PODS, before[0], "default")
    await world.settle()
    after = await world.names(PODS)
    assert len(after) == 2
    assert before[0] not in after
    assert before[1] in after


async def test_a_finished_pod_is_replaced_and_not_deleted(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=1))
    (name,) = await world.names(PODS)
    await world.set_pod(name, "default", "Failed", "False")
    await world.settle()
    assert len(await world.names(PODS)) == 2
    assert (await world.get(REPLICA_SETS, "web"))["status"]["replicas"] == 1


async def test_scaling_down_deletes_pods_that_are_not_ready_first(world, make):
    world.kubelet.ready = lambda pod: False
    await world.apply(REPLICA_SETS, make.replica_set(replicas=4))
    names = await world.names(PODS)
    world.kubelet.ready = lambda pod: pod["metadata"]["name"] in names[:2]
    world.kubelet.poke()
    await world.settle()
    await world.merge(REPLICA_SETS, "web", {"spec": {"replicas": 2}})
    assert await world.names(PODS) == names[:2]
    assert sorted(await world.events("SuccessfulDelete")) == [f"Deleted pod: {name}" for name in names[2:]]


async def test_scaling_to_zero_and_terminating_pods_are_shown(world, make):
    world.kubelet.removes = False
    await world.apply(REPLICA_SETS, make.replica_set(replicas=3))
    await world.merge(REPLICA_SETS, "web", {"spec": {"replicas": 0}})
    status = (await world.get(REPLICA_SETS, "web"))["status"]
    assert status == {"replicas": 0, "terminatingReplicas": 3, "observedGeneration": 2}
    world.kubelet.removes = True
    world.kubelet.poke()
    await world.settle()
    assert (await world.get(REPLICA_SETS, "web"))["status"]["terminatingReplicas"] == 0


async def test_matching_orphans_are_adopted(world, make):
    for name in ("one", "two"):
        await world.apply(PODS, make.pod(name, {"app": "web"}))
    await world.apply(PODS, make.pod("other", {"app": "db"}))
    made = await world.apply(REPLICA_SETS, make.replica_set(replicas=3))
    names = await world.names(PODS)
    assert len(names) == 4
    adopted = await world.get(PODS, "one")
    assert [each["uid"] for each in adopted["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]
    assert "ownerReferences" not in (await world.get(PODS, "other"))["metadata"]


async def test_orphans_too_many_are_adopted_and_deleted(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=1))
    await world.apply(PODS, make.pod("extra", {"app": "web"}))
    assert len(await world.names(PODS)) == 1


async def test_pods_of_another_controller_are_left_alone(world, make):
    other = await world.apply(REPLICA_SETS, make.replica_set("other", replicas=2))
    await world.apply(REPLICA_SETS, make.replica_set("web", replicas=1))
    owners = [pod["metadata"]["ownerReferences"][0]["name"] for pod in await world.pods()]
    assert sorted(owners) == ["other", "other", "web"]
    assert other["metadata"]["name"] == "other"


async def test_a_pod_that_matches_no_more_is_released_and_replaced(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=2))
    name, _ = await world.names(PODS)
    await world.merge(PODS, name, {"metadata": {"labels": {"app": "debug"}}})
    assert len(await world.names(PODS)) == 3
    released = await world.get(PODS, name)
    assert not released["metadata"].get("ownerReferences")
    assert (await world.get(REPLICA_SETS, "web"))["status"]["replicas"] == 2


async def test_available_only_after_min_ready_seconds(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=2, minReadySeconds=10))
    status = (await world.get(REPLICA_SETS, "web"))["status"]
    assert (status["readyReplicas"], status.get("availableReplicas", 0)) == (2, 0)
    await world.advance(9)
    assert (await world.get(REPLICA_SETS, "web"))["status"].get("availableReplicas", 0) == 0
    await world.advance(1)
    assert (await world.get(REPLICA_SETS, "web"))["status"]["availableReplicas"] == 2


async def test_failed_creation_shows_and_heals(world, make, monkeypatch):
    create = world.client.create
    attempts = 0

    async def refuse(resource, obj, *args, **options):
        nonlocal attempts
        if resource == PODS and "subresource" not in options:
            attempts += 1
            raise quota
        return await create(resource, obj, *args, **options)

    quota = forbidden(PODS, "", "exceeded quota")
    monkeypatch.setattr(world.client, "create", refuse)
    await world.client.create(REPLICA_SETS, make.replica_set(replicas=50), "default")
    await world.clock.advance(0.001)
    await world.settle()
    # Slow start: the first failure ends the batches. The new status wakes the controller once more.
    assert attempts == 2
    assert await world.condition("web", "ReplicaFailure", REPLICA_SETS) == (
        "True",
        "FailedCreate",
        str(quota),
    )
    assert await world.events("FailedCreate") == [f"Error creating: {quota}"]
    await world.clock.advance(0.1)
    await world.settle()
    assert attempts > 1
    monkeypatch.undo()
    await world.advance(60, step=20)
    assert len(await world.pods()) == 50
    assert await world.condition("web", "ReplicaFailure", REPLICA_SETS) is None


async def test_a_deleted_replica_set_creates_no_more_pods(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=3))
    await world.client.delete(REPLICA_SETS, "web", "default")
    await world.settle()
    assert await world.names(PODS) == []


async def test_a_large_replica_set_gathers_changes_before_it_looks_again(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=150))
    await world.advance(0.1)
    assert (await world.get(REPLICA_SETS, "web"))["status"]["readyReplicas"] == 150
    before = int((await world.get(REPLICA_SETS, "web"))["metadata"]["resourceVersion"])
    world.kubelet.ready = lambda pod: False
    world.kubelet.poke()
    await world.settle()
    assert int((await world.get(REPLICA_SETS, "web"))["metadata"]["resourceVersion"]) == before
    await world.advance(0.1)
    assert "readyReplicas" not in (await world.get(REPLICA_SETS, "web"))["status"]
