"""persistentVolumeClaim volumes: what the claim's PersistentVolume is on this node.

In: the claim and its volume, gathered beforehand. Out: the path of a hostPath or local volume, the device of one
in block mode, or where a local device's file system is mounted for the pod. What needs a driver to be mounted
(NFS, CSI and the like) is refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lightkube.models.core_v1 import PersistentVolume, Pod, Volume

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.references import claim_of
from ktui.engine.kubelet.volumes.base import VolumeContext, VolumeError
from ktui.engine.kubelet.volumes.block_device import mount_device, unmount
from ktui.engine.kubelet.volumes.group_ownership import give_to_group
from ktui.engine.kubelet.volumes.host_path import host_path
from ktui.kube.node_selector import Labelled, suits

_OTHERS: Final = ("cephfs", "cinder", "csi", "fc", "flexVolume", "iscsi", "nfs", "portworxVolume", "rbd")


class PersistentVolumeClaimVolume:
    name = "kubernetes.io~persistent-volume-claim"
    refreshes = False

    def handles(self, volume: Volume) -> bool:
        return volume.persistentVolumeClaim is not None or volume.ephemeral is not None

    def set_up(self, volume: Volume, directory: Path, context: VolumeContext) -> Path:
        name = claim_of(context.pod, volume)
        found = context.references.claims.get(name)
        if found is None:
            raise VolumeError(f'persistentvolumeclaim "{name}" not found')
        where = f"{pods.key(context.pod).namespace}/{name}"
        if found.refusal or found.volume is None or found.volume.spec is None:
            raise VolumeError(f"error processing PVC {where}: {found.refusal or 'PVC is not bound'}")
        _check_mode(volume.name, found.volume, context.pod)
        _check_node(found.volume, context)
        path = _path(found.volume, directory)
        security = pods.spec(context.pod).securityContext
        if context.fs_group is not None and security is not None and found.volume.spec.local is not None:
            # What a hostPath leads to is the node's own and keeps its owner.
            give_to_group(path, context.fs_group, security.fsGroupChangePolicy or "")
        return path

    def tear_down(self, directory: Path) -> None:
        """The data outlives the pod."""
        unmount(directory)


def _is_block(volume: PersistentVolume) -> bool:
    return volume.spec is not None and volume.spec.volumeMode == "Block"


def _check_mode(name: str, volume: PersistentVolume, pod: Pod) -> None:
    """A device is given as a device, a file system mounted."""
    containers = pods.all_containers(pod)
    if _is_block(volume):
        if any(mount.name == name for each in containers for mount in each.volumeMounts or ()):
            raise VolumeError(f"volume {name} has volumeMode Block, but is specified in volumeMounts")
    elif any(device.name == name for each in containers for device in each.volumeDevices or ()):
        raise VolumeError(f"volume {name} has volumeMode Filesystem, but is specified in volumeDevices")


def _check_node(volume: PersistentVolume, context: VolumeContext) -> None:
    affinity = volume.spec.nodeAffinity if volume.spec is not None else None
    if affinity is None or affinity.required is None:
        return
    here = Labelled(context.facts.node_name, context.facts.node_labels)
    if not suits(affinity.required, here):
        raise VolumeError("MountVolume.NodeAffinity check failed: no matching NodeSelectorTerms")


def _path(volume: PersistentVolume, directory: Path) -> Path:
    spec = volume.spec
    assert spec is not None, "set_up has looked"
    if spec.local is not None:
        path = Path(spec.local.path)
        if not path.exists():
            raise VolumeError(f'path "{path}" does not exist')
        if not _is_block(volume) and path.is_block_device():
            mount_device(path, directory, spec.local.fsType or "", spec.mountOptions or ())
            return directory
    elif spec.hostPath is not None:
        path = host_path(spec.hostPath)
    else:
        kind = next((name for name in _OTHERS if getattr(spec, name, None) is not None), "unknown")
        raise VolumeError(
            f"no volume plugin matched: this node mounts hostPath and local volumes, not {kind}"
        )
    if _is_block(volume) and not path.is_block_device():
        raise VolumeError(f"{path} is not a block device, which its volumeMode Block says")
    return path
