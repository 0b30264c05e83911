"""ReplicationController: the ReplicaSet's loop, on the older kind."""

from controllers_world import template

from ktui.kube.errors import forbidden
from ktui.kube.kinds import PODS, REPLICATION_CONTROLLERS


def controller(replicas=2, **spec):
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "template": template(), **spec},
    }


async def test_pods_are_created_owned_counted_and_scaled(world):
    await world.apply(REPLICATION_CONTROLLERS, controller())
    pods = await world.pods()
    (reference,) = pods[0]["metadata"]["ownerReferences"]
    assert (len(pods), reference["apiVersion"], reference["kind"], reference["controller"]) == (
        2, "v1", "ReplicationController", True,
    )  # fmt: skip
    assert (await world.get(REPLICATION_CONTROLLERS, "web"))["status"] == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }
    assert sorted(await world.events("SuccessfulCreate")) == sorted(
        f"Created pod: {pod['metadata']['name']}" for pod in pods
    )
    await world.merge(REPLICATION_CONTROLLERS, "web", {"spec": {"replicas": 0}})
    assert await world.pods() == []
    assert (await world.get(REPLICATION_CONTROLLERS, "web"))["status"] == {
        "replicas": 0,
        "observedGeneration": 2,
    }


async def test_orphans_are_adopted_and_strangers_released(world, make):
    await world.apply(PODS, make.pod("one", {"app": "web"}))
    await world.apply(REPLICATION_CONTROLLERS, controller())
    assert len(await world.names(PODS)) == 2
    await world.merge(PODS, "one", {"metadata": {"labels": {"app": "debug"}}})
    assert len(await world.names(PODS)) == 3
    assert not (await world.get(PODS, "one"))["metadata"].get("ownerReferences")


async def test_a_refused_pod_is_a_condition_until_it_is_not(world, monkeypatch):
    refuse = True
    create = world.client.create

    async def refusing(resource, obj, *args, **kwargs):
        if refuse and resource == PODS:
            raise forbidden("exceeded quota")
        return await create(resource, obj, *args, **kwargs)

    monkeypatch.setattr(world.client, "create", refusing)
    await world.apply(REPLICATION_CONTROLLERS, controller(1))
    status, reason, _ = await world.condition("web", "ReplicaFailure", REPLICATION_CONTROLLERS)
    assert (status, reason) == ("True", "FailedCreate")
    refuse = False
    await world.advance(60, step=10)
    assert len(await world.pods()) == 1
    assert await world.condition("web", "ReplicaFailure", REPLICATION_CONTROLLERS) is None


async def test_a_delete_leaves_the_pods(world):
    await world.apply(REPLICATION_CONTROLLERS, controller())
    await world.client.delete(REPLICATION_CONTROLLERS, "web", "default")
    await world.advance(5)
    assert not await world.exists(REPLICATION_CONTROLLERS, "web")
    assert [pod["metadata"].get("ownerReferences") for pod in await world.pods()] == [None, None]
