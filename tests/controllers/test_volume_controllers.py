"""Claims and volumes: who is bound to whom, what is made and deleted, and what is told on the way."""

import asyncio

import pytest
from controllers_world import NODE_CONTROLLERS, World

from ktui.client.base import DeleteOptions
from ktui.engine.controllers.local_path import LocalPathProvisioner
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    EVENTS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
    VOLUME_ATTRIBUTES_CLASSES,
)


@pytest.fixture
async def world(tmp_path):
    world = World(without=NODE_CONTROLLERS)
    local_path = LocalPathProvisioner(
        world.client, world.recorder.named("ktui.dev/local-path"), world.clock, tmp_path / "volumes"
    )
    world.runner = ControllerRunner([*world.controllers, local_path], world.informers, world.clock)
    world.kubelet.starts = False
    await world.start()
    yield world
    await world.stop()


def claim(name="data", size="1Gi", class_name="", **spec):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            **({} if class_name is None else {"storageClassName": class_name}),
            **spec,
        },
    }


def volume(name, size="1Gi", **spec):
    return {
        "metadata": {"name": name, "labels": {"disk": name}},
        "spec": {
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
            "capacity": {"storage": size},
            "hostPath": {"path": f"/srv/{name}"},
            **spec,
        },
    }


def pod(name="web", claim_name="data"):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "containers": [{"name": "main", "image": "web:1"}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}],
        },
    }


async def messages(world, kind):
    await world.recorder.flush()
    listing = await world.client.list(EVENTS)
    return [
        f"{event['reason']}: {event['message']}"
        for event in listing.items
        if event["involvedObject"]["kind"] == kind
    ]


async def a_claim(world, name="data"):
    return await world.client.get(PERSISTENT_VOLUME_CLAIMS, name, "default")


async def a_volume(world, name):
    return await world.client.get(PERSISTENT_VOLUMES, name)


async def local_volume(world, tmp_path, **spec):
    """A claim of class local-path, scheduled, with its volume and the folder of that."""
    await world.apply(NODES, {"metadata": {"name": "node-1", "labels": {"kubernetes.io/hostname": "node-1"}}})
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim(class_name=None, **spec))
    await world.merge(
        PERSISTENT_VOLUME_CLAIMS,
        "data",
        {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "node-1"}}},
    )
    async with asyncio.timeout(20):
        while (await a_claim(world))["status"]["phase"] != "Bound":
            await asyncio.sleep(0.01)
    await world.settle()
    name = (await a_claim(world))["spec"]["volumeName"]
    return name, tmp_path / "volumes" / f"{name}_default_data"


async def test_a_claim_gets_the_smallest_volume_that_will_do(world):
    for name, size in (("large", "10Gi"), ("small", "1Gi"), ("fits", "5Gi")):
        await world.apply(PERSISTENT_VOLUMES, volume(name, size))
    assert (await a_volume(world, "fits"))["status"]["phase"] == "Available"
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim(size="2Gi"))
    bound, given = await a_claim(world), await a_volume(world, "fits")
    assert bound["spec"]["volumeName"] == "fits"
    assert bound["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
        "capacity": {"storage": "5Gi"},
    }
    assert bound["metadata"]["annotations"] == {
        "pv.kubernetes.io/bind-completed": "yes",
        "pv.kubernetes.io/bound-by-controller": "yes",
    }
    assert given["status"]["phase"] == "Bound"
    assert given["spec"]["claimRef"]["uid"] == bound["metadata"]["uid"]


@pytest.mark.parametrize(
    "asked",
    [
        {"size": "2Gi"},
        {"class_name": "fast"},
        {"accessModes": ["ReadWriteMany"]},
        {"volumeMode": "Block"},
        {"selector": {"matchLabels": {"disk": "other"}}},
    ],
)
async def test_what_does_not_fit_is_not_bound(world, asked):
    await world.apply(PERSISTENT_VOLUMES, volume("one"))
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim(**asked))
    assert (await a_claim(world))["status"]["phase"] == "Pending"
    told = await messages(world, "PersistentVolumeClaim")
    if "class_name" in asked:
        assert told == ['ProvisioningFailed: storageclass.storage.k8s.io "fast" not found']
    else:
        assert told == [
            "FailedBinding: no persistent volumes available for this claim and no storage class is set"
        ]
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim("fitting"))
    assert (await a_claim(world, "fitting"))["status"]["phase"] == "Bound"


async def test_a_volume_that_comes_later_is_bound(world):
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim(selector={"matchLabels": {"disk": "one"}}))
    await world.apply(PERSISTENT_VOLUMES, volume("one"))
    assert (await a_claim(world))["spec"]["volumeName"] == "one"


async def test_a_volume_asked_for_by_name(world):
    await world.apply(PERSISTENT_VOLUMES, volume("one"))
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim("big", size="2Gi", volumeName="one"))
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim(volumeName="one"))
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim("late", volumeName="one"))
    assert (await a_claim(world))["status"]["phase"] == "Bound"
    assert "pv.kubernetes.io/bound-by-controller" not in (await a_claim(world))["metadata"]["annotations"]
    assert await messages(world, "PersistentVolumeClaim") == [
        'VolumeMismatch: Cannot bind to requested volume "one": requested PV is too small',
        'FailedBinding: volume "one" already bound to a different claim.',
    ]


async def test_a_volume_has_the_attributes_that_its_claim_asks_for(world):
    csi = {"driver": "d.example.com", "volumeHandle": "h"}
    plain, gold = volume("plain", csi=csi), volume("gold", csi=csi, volumeAttributesClassName="gold")
    for each in (plain, gold):
        del each["spec"]["hostPath"]
        await world.apply(PERSISTENT_VOLUMES, each)
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim(volumeAttributesClassName="gold"))
    await world.settle()
    found = await a_claim(world)
    assert found["spec"]["volumeName"] == "gold"
    assert found["status"]["currentVolumeAttributesClassName"] == "gold"


async def test_a_reserved_volume_waits_for_its_claim(world):
    reserved = volume("one", claimRef={"namespace": "default", "name": "data"})
    await world.apply(PERSISTENT_VOLUMES, reserved)
    assert (await a_volume(world, "one"))["status"]["phase"] == "Available"
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim("other"))
    assert (await a_claim(world, "other"))["status"]["phase"] == "Pending"
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim())
    assert (await a_claim(world))["spec"]["volumeName"] == "one"
    assert "annotations" not in (await a_volume(world, "one"))["metadata"]


async def test_a_retained_volume_is_released_and_not_given_again(world):
    await world.apply(PERSISTENT_VOLUMES, volume("one"))
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim())
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
    await world.settle()
    assert (await a_volume(world, "one"))["status"]["phase"] == "Released"
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim())
    assert (await a_claim(world))["status"]["phase"] == "Pending"


async def test_a_volume_that_nobody_can_delete_fails(world):
    await world.apply(PERSISTENT_VOLUMES, volume("one", persistentVolumeReclaimPolicy="Delete"))
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim())
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
    await world.settle()
    status = (await a_volume(world, "one"))["status"]
    assert status["phase"] == "Failed"
    assert "no deletable volume plugin matched" in status["message"]


async def test_a_claim_whose_volume_is_gone_is_lost(world):
    await world.apply(PERSISTENT_VOLUMES, volume("one"))
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim())
    await world.client.delete(PERSISTENT_VOLUMES, "one")
    await world.settle()
    assert (await a_volume(world, "one"))["metadata"]["deletionTimestamp"], "it is bound: it stays"
    await world.merge(PERSISTENT_VOLUMES, "one", {"metadata": {"finalizers": None}}, namespace="")
    assert (await a_claim(world))["status"] == {"phase": "Lost"}
    assert (await messages(world, "PersistentVolumeClaim"))[-1] == (
        "ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!"
    )


async def test_a_claim_stays_while_a_pod_uses_it(world):
    await world.apply(PERSISTENT_VOLUMES, volume("one"))
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim())
    world.kubelet.starts = True
    await world.apply(PODS, pod())
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
    await world.settle()
    assert (await a_claim(world))["metadata"]["deletionTimestamp"]
    await world.client.delete(PODS, "web", "default", options=DeleteOptions(grace_period_seconds=0))
    await world.settle()
    with pytest.raises(StatusError):
        await a_claim(world)


async def test_the_default_class_waits_for_the_first_pod(world):
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim(class_name=None))
    assert (await a_claim(world))["spec"]["storageClassName"] == "local-path"
    await world.apply(PODS, pod())
    assert await messages(world, "PersistentVolumeClaim") == [
        "WaitForFirstConsumer: waiting for first consumer to be created before binding",
        "WaitForPodScheduled: waiting for pod web to be scheduled",
    ]


async def test_a_claim_whose_node_is_gone_is_given_back_to_the_scheduler(world):
    waiting = claim(class_name=None)
    waiting["metadata"]["annotations"] = {"volume.kubernetes.io/selected-node": "gone"}
    await world.apply(PERSISTENT_VOLUME_CLAIMS, waiting)
    await world.settle()
    assert "volume.kubernetes.io/selected-node" not in (await a_claim(world))["metadata"]["annotations"]
    assert (
        'ProvisioningFailed: failed to provision volume with StorageClass "local-path": '
        'error getting selected node "gone"'
    ) in await messages(world, "PersistentVolumeClaim")


def ephemeral_pod(name="web"):
    template = {
        "metadata": {"labels": {"of": "web"}, "annotations": {"why": "scratch"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    made = pod(name)
    made["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
    return made


async def test_an_ephemeral_volume_gets_a_claim_of_its_own_that_goes_with_the_pod(world):
    await world.apply(PODS, ephemeral_pod())
    await world.settle()
    made = await a_claim(world, "web-scratch")
    owner = (await world.client.get(PODS, "web", "default"))["metadata"]["uid"]
    assert made["metadata"]["labels"] == {"of": "web"}
    assert made["metadata"]["annotations"]["why"] == "scratch"
    assert made["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "web",
            "uid": owner,
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "web-scratch", "default")
    await world.settle()
    assert (await a_claim(world, "web-scratch"))["metadata"]["uid"] != made["metadata"]["uid"]
    await world.client.delete(PODS, "web", "default", options=DeleteOptions(grace_period_seconds=0))
    await world.settle()
    with pytest.raises(StatusError):
        await a_claim(world, "web-scratch")


async def test_a_claim_of_somebody_else_is_no_ephemeral_volume(world):
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim("web-scratch"))
    await world.apply(PODS, ephemeral_pod())
    await world.settle()
    assert await messages(world, "Pod") == [
        "FailedBinding: ephemeral volume scratch: PVC default/web-scratch was not created for pod default/web "
        "(pod is not owner)"
    ]
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "web-scratch", "default")
    await world.settle()
    assert (await a_claim(world, "web-scratch"))["metadata"]["ownerReferences"]


async def test_a_folder_is_made_for_a_claim_and_deleted_with_it(world, tmp_path):
    name, folder = await local_volume(world, tmp_path)
    given = await a_volume(world, name)
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o777
    assert given["spec"]["hostPath"] == {"path": str(folder), "type": "DirectoryOrCreate"}
    assert given["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert given["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] == "ktui.dev/local-path"
    assert f"ProvisioningSucceeded: Successfully provisioned volume {name}" in (
        await messages(world, "PersistentVolumeClaim")
    )
    (folder / "file").write_text("kept")
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
    async with asyncio.timeout(20):
        while folder.exists() or (await world.client.list(PERSISTENT_VOLUMES)).items:
            await asyncio.sleep(0.01)


async def test_no_folder_but_its_own_is_ever_deleted(world, tmp_path):
    _, folder = await local_volume(world, tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    forged = volume("forged", persistentVolumeReclaimPolicy="Delete", hostPath={"path": str(mine)})
    forged["metadata"]["annotations"] = {"pv.kubernetes.io/provisioned-by": "ktui.dev/local-path"}
    forged["spec"]["claimRef"] = {"namespace": "default", "name": "gone", "uid": "gone"}
    await world.client.create(PERSISTENT_VOLUMES, forged)
    async with asyncio.timeout(20):
        while (await a_volume(world, "forged"))["status"]["phase"] != "Failed":
            await asyncio.sleep(0.01)
    assert "was left as it is" in (await a_volume(world, "forged"))["status"]["message"]
    assert mine.is_dir()
    assert folder.is_dir()


async def test_a_claim_may_grow_where_its_class_allows_it(world, tmp_path):
    name, _ = await local_volume(world, tmp_path)
    larger = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
    await world.merge(PERSISTENT_VOLUME_CLAIMS, "data", larger)
    assert (await a_claim(world))["status"]["capacity"] == {"storage": "3Gi"}
    assert (await a_volume(world, name))["spec"]["capacity"] == {"storage": "3Gi"}
    await world.merge(STORAGE_CLASSES, "local-path", {"allowVolumeExpansion": False}, namespace="")
    with pytest.raises(StatusError, match="the storageclass that provisions the pvc must support resize"):
        await world.merge(
            PERSISTENT_VOLUME_CLAIMS, "data", {"spec": {"resources": {"requests": {"storage": "4Gi"}}}}
        )


async def test_a_block_device_is_not_made(world, tmp_path):
    await world.apply(NODES, {"metadata": {"name": "node-1"}})
    block = claim(class_name="local-path", volumeMode="Block")
    block["metadata"]["annotations"] = {"volume.kubernetes.io/selected-node": "node-1"}
    await world.apply(PERSISTENT_VOLUME_CLAIMS, block)
    assert (await messages(world, "PersistentVolumeClaim"))[-1] == (
        'ProvisioningFailed: failed to provision volume with StorageClass "local-path": '
        "Block volumes are not supported, only Filesystem"
    )


async def test_a_claim_without_class_gets_the_default_once_there_is_one(world):
    await world.client.delete(STORAGE_CLASSES, "local-path")
    await world.apply(PERSISTENT_VOLUME_CLAIMS, claim(class_name=None))
    assert "storageClassName" not in (await a_claim(world))["spec"]
    await world.apply(
        STORAGE_CLASSES,
        {
            "metadata": {
                "name": "new",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "example.com/none",
        },
    )
    assert (await a_claim(world))["spec"]["storageClassName"] == "new"
    assert (await messages(world, "PersistentVolumeClaim"))[-1].startswith(
        "ExternalProvisioning: Waiting for a volume to be created either by the external provisioner "
        "'example.com/none'"
    )


async def test_a_class_of_attributes_stays_while_a_volume_has_it(world):
    for name in ("fast", "unused"):
        body = {"metadata": {"name": name}, "driverName": "a.example.com", "parameters": {"iops": "9"}}
        await world.client.create(VOLUME_ATTRIBUTES_CLASSES, body)
    made = volume("v", csi={"driver": "a.example.com", "volumeHandle": "h"}, volumeAttributesClassName="fast")
    del made["spec"]["hostPath"]
    await world.apply(PERSISTENT_VOLUMES, made)
    for name in ("fast", "unused"):
        await world.client.delete(VOLUME_ATTRIBUTES_CLASSES, name)
    await world.settle()
    assert not await world.exists(VOLUME_ATTRIBUTES_CLASSES, "unused", "")
    assert await world.exists(VOLUME_ATTRIBUTES_CLASSES, "fast", "")
    await world.client.delete(PERSISTENT_VOLUMES, "v")
    await world.settle()
    assert not await world.exists(VOLUME_ATTRIBUTES_CLASSES, "fast", "")
