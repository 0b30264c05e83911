"""Pods with claims: where they may go, what their claims get there, and what is said while they wait."""

import asyncio

import pytest

from ktui.client.base import DeleteOptions
from ktui.client.events import EventRecorder
from ktui.engine.controllers.local_path import LocalPathProvisioner
from ktui.engine.controllers.persistentvolume import PersistentVolumeController
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.kube.kinds import (
    CSI_DRIVERS,
    CSI_STORAGE_CAPACITIES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
)

SELECTED = "volume.kubernetes.io/selected-node"
UNBOUND = (
    "0/1 nodes are available: {}. preemption: 0/1 nodes are available: "
    "1 Preemption is not helpful for scheduling."
)


def claim(name="data", class_name="local-path", modes=("ReadWriteOnce",), **metadata):
    return {
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": {
            "accessModes": list(modes),
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": class_name,
        },
    }


def volume(name, node, class_name="disks", **spec):
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "local": {"path": "/srv"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            "storageClassName": class_name,
            **spec,
        },
    }


def using(*names):
    return [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names]


def storage_class(name="disks", provisioner="kubernetes.io/no-provisioner", **fields):
    return {
        "metadata": {"name": name},
        "provisioner": provisioner,
        "volumeBindingMode": "WaitForFirstConsumer",
        **fields,
    }


class VolumeControllers:
    """The controllers that do what the scheduler waits for; started when a test wants them."""

    def __init__(self, cluster, folder):
        recorder = EventRecorder(cluster.client, "controllers", clock=cluster.clock)
        controllers = [
            PersistentVolumeController(cluster.client, recorder, cluster.clock),
            LocalPathProvisioner(cluster.client, recorder, cluster.clock, folder),
        ]
        self._cluster = cluster
        self.runner = ControllerRunner(controllers, cluster.informers, cluster.clock)

    def start(self):
        self._cluster._tasks.append(asyncio.create_task(self.runner.run()))


@pytest.fixture
def controllers(cluster_api, tmp_path):
    return VolumeControllers(cluster_api, tmp_path)


async def the_claim(cluster_api, name="data"):
    return await cluster_api.client.get(PERSISTENT_VOLUME_CLAIMS, name, "default")


async def message_of(cluster_api, name, expected):
    async def so():
        return (await cluster_api.condition(name)).get("message") == expected

    await cluster_api.until(so, f"{name} says: {expected}")


async def test_a_pod_waits_for_its_claim_to_exist_and_to_be_bound(cluster_api, controllers):
    await cluster_api.node("one")
    await cluster_api.client.create(STORAGE_CLASSES, storage_class("now", volumeBindingMode="Immediate"))
    await cluster_api.pod("web", volumes=using("data"))
    await message_of(cluster_api, "web", UNBOUND.format('persistentvolumeclaim "data" not found'))
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim(class_name="now"), "default")
    await cluster_api.clock.advance(2)
    unbound = UNBOUND.format("pod has unbound immediate PersistentVolumeClaims")
    await message_of(cluster_api, "web", unbound)
    assert ("Warning", "FailedScheduling", unbound) in await cluster_api.events("web")
    controllers.start()
    await cluster_api.client.create(PERSISTENT_VOLUMES, volume("disk", "one", "now"))

    async def is_bound():
        return (await the_claim(cluster_api))["status"].get("phase") == "Bound"

    await cluster_api.until(is_bound)
    await cluster_api.clock.advance(5)
    assert await cluster_api.bound("web") == "one"


async def test_what_makes_a_claim_unusable_is_said(cluster_api):
    await cluster_api.node("one")
    made = await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim("lost"), "default")
    await cluster_api.client.update(
        PERSISTENT_VOLUME_CLAIMS,
        {**made, "status": {"phase": "Lost"}},
        subresource="status",
    )
    await cluster_api.client.create(
        PERSISTENT_VOLUME_CLAIMS, claim("going", finalizers=["example.com/stay"]), "default"
    )
    await cluster_api.client.delete(PERSISTENT_VOLUME_CLAIMS, "going", "default")
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim("taken-scratch"), "default")
    template = {"spec": claim()["spec"]}
    scratch = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
    await cluster_api.pod("a", volumes=using("lost"))
    await cluster_api.pod("b", volumes=using("going"))
    await cluster_api.pod("taken", volumes=scratch)
    await cluster_api.pod("fresh", volumes=scratch)
    for name, reason in (
        ("a", 'persistentvolumeclaim "lost" bound to non-existent persistentvolume ""'),
        ("b", 'persistentvolumeclaim "going" is being deleted'),
        ("taken", "PVC default/taken-scratch was not created for pod default/taken (pod is not owner)"),
        (
            "fresh",
            'waiting for ephemeral volume controller to create the persistentvolumeclaim "fresh-scratch"',
        ),
    ):
        await message_of(cluster_api, name, UNBOUND.format(reason))


async def test_a_volume_is_made_where_the_first_pod_goes(cluster_api, controllers):
    controllers.start()
    await cluster_api.node("one")
    await cluster_api.node("two", unschedulable=True)
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim(), "default")
    await cluster_api.pod("web", volumes=using("data"))
    await cluster_api.pod("friend", volumes=using("data"))
    assert await cluster_api.bound("web") == "one"
    await cluster_api.clock.advance(5)
    assert await cluster_api.bound("friend") == "one"
    made = await the_claim(cluster_api)
    assert made["metadata"]["annotations"][SELECTED] == "one"
    given = await cluster_api.client.get(PERSISTENT_VOLUMES, made["spec"]["volumeName"])
    term = given["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]
    assert term["values"] == ["one"]


async def test_two_pods_get_two_volumes_each_where_its_volume_is(cluster_api, controllers):
    controllers.start()
    for node in ("one", "two", "three"):
        await cluster_api.node(node)
    await cluster_api.client.create(STORAGE_CLASSES, storage_class())
    for name in ("a", "b"):
        await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim(name, "disks"), "default")
    await cluster_api.client.create(PERSISTENT_VOLUMES, volume("disk-1", "one"))
    await cluster_api.client.create(PERSISTENT_VOLUMES, volume("disk-2", "two"))
    for name in ("a", "b"):
        await cluster_api.pod(name, volumes=using(name))
    nodes = set()
    for name in ("a", "b"):
        for _ in range(3):
            await cluster_api.clock.advance(5)
        node = await cluster_api.bound(name)
        nodes.add(node)
        assert (await the_claim(cluster_api, name))["spec"]["volumeName"] == f"disk-{1 + (node == 'two')}"
    assert nodes == {"one", "two"}


async def test_nodes_that_a_volume_cant_be_used_on_are_told(cluster_api):
    await cluster_api.node("one")
    await cluster_api.client.create(STORAGE_CLASSES, storage_class())
    await cluster_api.client.create(PERSISTENT_VOLUMES, volume("disk", "elsewhere"))
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim("free", "disks"), "default")
    bound = claim("bound", "disks", annotations={"pv.kubernetes.io/bind-completed": "yes"})
    bound["spec"]["volumeName"] = "disk"
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, bound, "default")
    gone = claim("gone", "disks", annotations={"pv.kubernetes.io/bind-completed": "yes"})
    gone["spec"]["volumeName"] = "away"
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, gone, "default")
    for name, reason in (
        ("free", "1 node(s) didn't find available persistent volumes to bind"),
        ("bound", "1 node(s) didn't match PersistentVolume's node affinity"),
        ("gone", "1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"),
    ):
        await cluster_api.pod(name, volumes=using(name))
        await message_of(cluster_api, name, UNBOUND.format(reason))


async def test_topologies_that_a_class_allows_decide_where_volumes_are_made(cluster_api):
    await cluster_api.node("here", labels={"zone": "a"})
    await cluster_api.node("there", labels={"zone": "b"})
    terms = [{"matchLabelExpressions": [{"key": "zone", "values": ["b"]}]}]
    zoned = storage_class("zoned", "example.com/maker", allowedTopologies=terms)
    await cluster_api.client.create(STORAGE_CLASSES, zoned)
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim(class_name="zoned"), "default")
    await cluster_api.pod("web", volumes=using("data"))

    async def selected():
        return ((await the_claim(cluster_api))["metadata"].get("annotations") or {}).get(SELECTED)

    assert await cluster_api.until(selected) == "there"
    assert await cluster_api.node_of("web") == ""


async def test_a_provisioner_that_gives_the_claim_back_has_the_pod_placed_anew(cluster_api):
    await cluster_api.node("one")
    await cluster_api.client.create(STORAGE_CLASSES, storage_class("remote", "example.com/maker"))
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim(class_name="remote"), "default")
    await cluster_api.pod("web", volumes=using("data"))

    async def selected():
        return ((await the_claim(cluster_api))["metadata"].get("annotations") or {}).get(SELECTED)

    await cluster_api.until(selected)
    await cluster_api.client.patch(
        PERSISTENT_VOLUME_CLAIMS, "data", {"metadata": {"annotations": {SELECTED: None}}}, "default"
    )
    why = 'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "data"'
    await message_of(cluster_api, "web", why)
    assert (await cluster_api.condition("web"))["reason"] == "SchedulerError"
    await cluster_api.clock.advance(2)
    assert await cluster_api.until(selected) == "one"
    await cluster_api.clock.advance(600)
    await message_of(cluster_api, "web", why.rpartition("provis")[0] + "context deadline exceeded")


async def test_a_claim_for_one_pod_is_one_pods(cluster_api):
    await cluster_api.node("one")
    await cluster_api.node("two")
    alone = claim(modes=("ReadWriteOncePod",), annotations={"pv.kubernetes.io/bind-completed": "yes"})
    alone["spec"]["volumeName"] = "disk"
    await cluster_api.client.create(
        PERSISTENT_VOLUMES, volume("disk", "one", "local-path", accessModes=["ReadWriteOncePod"])
    )
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, alone, "default")
    await cluster_api.pod("first", volumes=using("data"))
    assert await cluster_api.bound("first") == "one"
    await cluster_api.pod("second", volumes=using("data"))
    found = await cluster_api.refused("second")
    assert found["message"].startswith(
        "0/2 nodes are available: 2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod "
        "access mode already in-use by another pod."
    )
    await cluster_api.client.delete(PODS, "first", "default", options=DeleteOptions(grace_period_seconds=0))
    await cluster_api.clock.advance(2)
    assert await cluster_api.bound("second") == "one"


async def test_a_node_that_goes_while_volumes_are_bound_is_forgotten(cluster_api):
    await cluster_api.node("one")
    await cluster_api.client.create(STORAGE_CLASSES, storage_class("remote", "example.com/maker"))
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim(class_name="remote"), "default")
    await cluster_api.pod("web", volumes=using("data"))

    async def selected():
        return ((await the_claim(cluster_api))["metadata"].get("annotations") or {}).get(SELECTED)

    await cluster_api.until(selected)
    await cluster_api.client.delete(NODES, "one")
    why = 'binding volumes: failed to get node "one": node "one" not found'
    await message_of(cluster_api, "web", f'running PreBind plugin "VolumeBinding": {why}')
    await cluster_api.client.delete(PODS, "web", "default")
    await cluster_api.pod("other")
    assert (await cluster_api.refused("other"))["message"] == "no nodes available to schedule pods"


async def test_a_volume_is_used_in_its_zones_only(cluster_api):
    await cluster_api.node("here", labels={"topology.kubernetes.io/zone": "a"})
    await cluster_api.node("there", labels={"topology.kubernetes.io/zone": "c"})
    made = volume("disk", "there", nodeAffinity=None, hostPath={"path": "/srv"}, local=None)
    made["spec"] = {name: value for name, value in made["spec"].items() if value is not None}
    made["metadata"]["labels"] = {"failure-domain.beta.kubernetes.io/zone": "b__c"}
    await cluster_api.client.create(PERSISTENT_VOLUMES, made)
    bound = claim(annotations={"pv.kubernetes.io/bind-completed": "yes"})
    bound["spec"]["volumeName"] = "disk"
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, bound, "default")
    await cluster_api.pod("web", volumes=using("data"))
    assert await cluster_api.bound("web") == "there"
    await cluster_api.pod("pinned", volumes=using("data"), nodeSelector={"kubernetes.io/hostname": "here"})
    found = await cluster_api.refused("pinned")
    assert found["message"].startswith("0/2 nodes are available: 1 node(s) didn't match Pod's node affinity")
    await cluster_api.client.delete(NODES, "there")
    await cluster_api.pod("late", volumes=using("data"))
    assert (await cluster_api.refused("late"))["message"].startswith(
        "0/1 nodes are available: 1 node(s) had no available volume zone."
    )


async def test_a_driver_that_tells_of_its_storage_gets_no_pod_where_there_is_too_little(cluster_api):
    await cluster_api.node("small", labels={"rack": "1"})
    await cluster_api.node("large", labels={"rack": "2"})
    driver = {"metadata": {"name": "example.com"}, "spec": {"storageCapacity": True}}
    await cluster_api.client.create(CSI_DRIVERS, driver)
    await cluster_api.client.create(STORAGE_CLASSES, storage_class("remote", "example.com"))
    await cluster_api.client.create(PERSISTENT_VOLUME_CLAIMS, claim(class_name="remote"), "default")

    async def tell(rack, size, **fields):
        told = {
            "metadata": {"name": f"rack-{rack}", "namespace": "default"},
            "storageClassName": "remote",
            "nodeTopology": {"matchLabels": {"rack": rack}},
            "capacity": size,
            **fields,
        }
        await cluster_api.client.create(CSI_STORAGE_CAPACITIES, told, "default")

    await tell("1", "100Gi", maximumVolumeSize="1Mi")
    await cluster_api.pod("web", volumes=using("data"))
    found = await cluster_api.refused("web")
    assert found["message"].startswith("0/2 nodes are available: 2 node(s) did not have enough free storage.")
    await tell("2", "1Gi")
    await cluster_api.clock.advance(2)

    async def selected():
        return ((await the_claim(cluster_api))["metadata"].get("annotations") or {}).get(SELECTED)

    assert await cluster_api.until(selected) == "large"
