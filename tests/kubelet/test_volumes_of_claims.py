"""Volumes of claims on the node: folders, devices, file systems on devices, and who owns what is in them."""

import os
import stat
from pathlib import Path

import pytest
from lightkube.models.core_v1 import (
    Container,
    HostPathVolumeSource,
    LocalVolumeSource,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    Pod,
    PodSecurityContext,
    PodSpec,
    Volume,
    VolumeDevice,
    VolumeMount,
    VolumeNodeAffinity,
)
from lightkube.models.meta_v1 import ObjectMeta

from ktui.engine.kubelet.environment import NodeFacts
from ktui.engine.kubelet.references import Claimed, References
from ktui.engine.kubelet.volumes import block_device
from ktui.engine.kubelet.volumes.base import MountError, VolumeContext, VolumeError
from ktui.engine.kubelet.volumes.pod_volumes import PodVolumes


def context(spec, *, fs_group=None, as_device=False, policy=None):
    container = Container(name="main")
    if as_device:
        container.volumeDevices = [VolumeDevice(name="data", devicePath="/dev/xvda")]
    else:
        container.volumeMounts = [VolumeMount(name="data", mountPath="/data")]
    claim = PersistentVolumeClaimVolumeSource(claimName="data")
    pod = Pod(
        metadata=ObjectMeta(name="web", namespace="default", uid="3b2d"),
        spec=PodSpec(
            containers=[container],
            volumes=[Volume(name="data", persistentVolumeClaim=claim)],
            securityContext=PodSecurityContext(fsGroup=fs_group, fsGroupChangePolicy=policy),
        ),
    )
    claimed = Claimed(PersistentVolume(metadata=ObjectMeta(name="disk"), spec=spec))
    return VolumeContext(
        pod=pod,
        references=References("default", claims={"data": claimed}),
        facts=NodeFacts(node_name="n", host_ip="10.0.0.1", node_labels={"disk": "fast"}),
    )


def local(path, **fields):
    return PersistentVolumeSpec(local=LocalVolumeSource(path=str(path)), **fields)


async def test_a_local_folder_is_used_as_it_is(tmp_path):
    (tmp_path / "disk").mkdir()
    made = PodVolumes(tmp_path / "pods")
    assert await made.set_up(context(local(tmp_path / "disk"))) == {"data": tmp_path / "disk"}
    (tmp_path / "disk" / "file").write_text("kept")
    await made.tear_down("3b2d")
    assert (tmp_path / "disk" / "file").read_text() == "kept"
    with pytest.raises(MountError, match="does not exist"):
        await made.set_up(context(local(tmp_path / "gone")))


async def test_an_fs_group_owns_all_that_is_in_a_local_volume(tmp_path):
    folder = tmp_path / "disk"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_text("x")
    (folder / "inner" / "file").chmod(0o600)
    (folder / "link").symlink_to("nowhere")
    made = PodVolumes(tmp_path / "pods")
    await made.set_up(context(local(folder), fs_group=4321))
    file = (folder / "inner" / "file").stat()
    assert (file.st_gid, stat.S_IMODE(file.st_mode)) == (4321, 0o660)
    inner = (folder / "inner").stat()
    assert inner.st_gid == 4321
    assert inner.st_mode & stat.S_ISGID
    os.chown(folder / "inner" / "file", -1, 0)
    await made.set_up(context(local(folder), fs_group=4321, policy="OnRootMismatch"))
    assert (folder / "inner" / "file").stat().st_gid == 0
    await made.set_up(context(local(folder), fs_group=4321))
    assert (folder / "inner" / "file").stat().st_gid == 4321


async def test_what_a_host_path_leads_to_keeps_its_owner(tmp_path):
    spec = PersistentVolumeSpec(hostPath=HostPathVolumeSource(path=str(tmp_path)))
    await PodVolumes(tmp_path / "pods").set_up(context(spec, fs_group=4321))
    assert tmp_path.stat().st_gid != 4321


async def test_a_volume_of_another_node_is_not_mounted(tmp_path):
    def on(*disks):
        asked = NodeSelectorRequirement(key="disk", operator="In", values=list(disks))
        terms = [NodeSelectorTerm(matchExpressions=[asked])]
        return VolumeNodeAffinity(required=NodeSelector(nodeSelectorTerms=terms))

    made = PodVolumes(tmp_path / "pods")
    assert await made.set_up(context(local(tmp_path, nodeAffinity=on("slow", "fast"))))
    with pytest.raises(MountError, match="no matching NodeSelectorTerms"):
        await made.set_up(context(local(tmp_path, nodeAffinity=on("slow"))))


async def test_devices_and_file_systems_are_not_taken_for_each_other(tmp_path):
    made = PodVolumes(tmp_path / "pods")
    for spec, as_device, why in (
        (
            local(tmp_path, volumeMode="Block"),
            False,
            "has volumeMode Block, but is specified in volumeMounts",
        ),
        (local(tmp_path), True, "has volumeMode Filesystem, but is specified in volumeDevices"),
        (local(tmp_path, volumeMode="Block"), True, "is not a block device"),
    ):
        with pytest.raises(MountError, match=why):
            await made.set_up(context(spec, as_device=as_device))


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Programs that only note how they were called; `blkid` says what a test has it say."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("blkid", "mkfs.ext4", "mkfs.xfs", "mount"):
        answer = f'cat {tmp_path}/blkid.out; exit "$(cat {tmp_path}/blkid.rc)"' if name == "blkid" else ""
        file = folder / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n{answer}\n')
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def says(code, text=""):
        (tmp_path / "blkid.rc").write_text(str(code))
        (tmp_path / "blkid.out").write_text(text)
        (tmp_path / "calls").unlink(missing_ok=True)
        return lambda: [each for each in (tmp_path / "calls").read_text().splitlines() if "blkid" not in each]

    return says


def test_an_empty_device_is_formatted_and_others_never_are(tools, tmp_path):
    device, target = Path("/dev/none"), tmp_path / "at"
    calls = tools(2)
    block_device.mount_device(device, target)
    assert calls() == [f"mkfs.ext4 -F -m0 {device}", f"mount -t ext4 {device} {target}"]
    calls = tools(0, "TYPE=xfs\n")
    block_device.mount_device(device, target, "xfs", ["noatime"])
    assert calls() == [f"mount -t xfs -o noatime {device} {target}"]
    tools(0, "PTTYPE=gpt\n")
    with pytest.raises(VolumeError, match=r"partition table \(gpt\)"):
        block_device.mount_device(device, target)
    tools(4)
    with pytest.raises(VolumeError, match="could not tell what /dev/none holds"):
        block_device.mount_device(device, target)


async def test_what_is_still_mounted_is_never_deleted(tmp_path, monkeypatch):
    folder = tmp_path / "pods" / "3b2d" / "volumes" / "kubernetes.io~persistent-volume-claim" / "data"
    folder.mkdir(parents=True)
    (folder / "file").write_text("kept")
    monkeypatch.setattr(Path, "is_mount", lambda path: path == folder)
    made = PodVolumes(tmp_path / "pods")
    monkeypatch.setattr(block_device.subprocess, "run", lambda *words, **fields: None)
    await made.tear_down("3b2d")
    assert (folder / "file").read_text() == "kept"
    monkeypatch.undo()
    await made.tear_down("3b2d")
    assert not folder.exists()
