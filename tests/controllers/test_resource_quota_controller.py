"""The quota controller counts what is used, and takes back what is used no more."""

from ktui.kube.kinds import CONFIG_MAPS, LEASES, PODS, REPLICA_SETS, RESOURCE_QUOTAS


def quota(**hard):
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {name.replace("__", "/"): amount for name, amount in hard.items()}},
    }


async def status(world):
    return (await world.get(RESOURCE_QUOTAS, "q"))["status"]


async def test_what_is_there_is_counted(world, make):
    await world.apply(REPLICA_SETS, make.replica_set(replicas=2))
    await world.apply(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "default"}})
    await world.apply(RESOURCE_QUOTAS, quota(pods="5", configmaps="5", resourcequotas="1"))
    assert await status(world) == {
        "hard": {"pods": "5", "configmaps": "5", "resourcequotas": "1"},
        "used": {"pods": "2", "configmaps": "1", "resourcequotas": "1"},
    }


async def test_deleted_pods_give_back_what_they_used(world, make):
    await world.apply(RESOURCE_QUOTAS, quota(pods="5"))
    await world.apply(REPLICA_SETS, make.replica_set(replicas=3))
    assert (await status(world))["used"] == {"pods": "3"}
    await world.merge(REPLICA_SETS, "web", {"spec": {"replicas": 1}})
    assert (await status(world))["used"] == {"pods": "1"}


async def test_a_replica_set_stops_at_the_quota_and_goes_on_when_it_grows(world, make):
    await world.apply(RESOURCE_QUOTAS, quota(pods="2"))
    await world.apply(REPLICA_SETS, make.replica_set(replicas=4))
    assert len(await world.pods()) == 2
    found = await world.get(REPLICA_SETS, "web")
    condition = found["status"]["conditions"][0]
    assert (condition["type"], condition["reason"]) == ("ReplicaFailure", "FailedCreate")
    assert "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" in condition["message"]
    await world.merge(RESOURCE_QUOTAS, "q", {"spec": {"hard": {"pods": "4"}}})
    await world.advance(30)
    assert len(await world.pods()) == 4


async def test_kinds_nobody_follows_are_counted_again_in_time(world):
    await world.apply(RESOURCE_QUOTAS, quota(**{"count__leases.coordination.k8s.io": "9"}))
    lease = {"metadata": {"name": "l", "namespace": "default"}, "spec": {"holderIdentity": "me"}}
    await world.apply(LEASES, lease)
    assert (await status(world))["used"] == {"count/leases.coordination.k8s.io": "1"}
    await world.client.delete(LEASES, "l", "default")
    await world.advance(31, step=31)
    assert (await status(world))["used"] == {"count/leases.coordination.k8s.io": "0"}


async def test_what_a_resized_pod_asks_for_no_more_is_given_back(world):
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}
    await world.apply(RESOURCE_QUOTAS, quota(**{"requests.cpu": "3"}))
    await world.apply(
        PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [container]}}
    )
    assert (await status(world))["used"] == {"requests.cpu": "2"}
    smaller = {**container, "resources": {"requests": {"cpu": "1"}}}
    await world.client.patch(PODS, "p", {"spec": {"containers": [smaller]}}, "default", subresource="resize")
    await world.settle()
    assert (await status(world))["used"] == {"requests.cpu": "1"}


async def test_what_is_charged_and_not_yet_there_is_not_taken_back(world, make):
    await world.apply(RESOURCE_QUOTAS, quota(pods="5"))
    charged = {"status": {"used": {"pods": "3"}}}
    await world.merge(RESOURCE_QUOTAS, "q", charged, subresource="status")
    await world.apply(PODS, make.pod("one"))
    assert (await world.get(PODS, "one"))["spec"]["nodeName"] == "node-1"
    assert (await world.get(RESOURCE_QUOTAS, "q"))["status"]["used"] == {"pods": "4"}
    await world.client.delete(PODS, "one", "default")
    await world.settle()
    assert (await world.get(RESOURCE_QUOTAS, "q"))["status"]["used"] == {"pods": "0"}
