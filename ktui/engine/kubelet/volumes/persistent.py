"""persistentVolumeClaim volumes: what the claim's PersistentVolume is on this node, a path of its own.

In: the claim and its volume, gathered beforehand. Out: the path of a hostPath or local volume. What needs a
driver to be mounted (NFS, CSI and the like) is refused by name.
"""

from __future__ import annotations

from pathlib import Path

from lightkube.models.core_v1 import PersistentVolumeSpec, Volume

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.references import claim_of
from ktui.engine.kubelet.volumes.atomic_writer import give_away
from ktui.engine.kubelet.volumes.base import VolumeContext, VolumeError
from ktui.engine.kubelet.volumes.host_path import host_path

_OTHERS = ("cephfs", "cinder", "csi", "fc", "flexVolume", "iscsi", "nfs", "portworxVolume", "rbd")


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
        spec = found.volume.spec
        if spec.volumeMode == "Block":
            raise VolumeError(f"PVC {where} is a block device, which this node can't give to containers")
        path = _path(spec)
        if context.fs_group is not None and path.is_dir():
            give_away(path, None, context.fs_group)
        return path

    def tear_down(self, directory: Path) -> None:
        """The data outlives the pod."""


def _path(spec: PersistentVolumeSpec) -> Path:
    if spec.hostPath is not None:
        return host_path(spec.hostPath)
    if spec.local is not None:
        path = Path(spec.local.path)
        if not path.exists():
            raise VolumeError(f'path "{path}" does not exist')
        return path
    kind = next((name for name in _OTHERS if getattr(spec, name, None) is not None), "unknown")
    raise VolumeError(f"no volume plugin matched: this node mounts hostPath and local volumes, not {kind}")
