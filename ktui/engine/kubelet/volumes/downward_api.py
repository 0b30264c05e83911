"""downwardAPI volumes: the pod's own fields and its containers' resources as files."""

from __future__ import annotations

from pathlib import Path

from lightkube.models.core_v1 import Volume

from ktui.engine.kubelet.volumes.atomic_writer import write_payload
from ktui.engine.kubelet.volumes.base import VolumeContext
from ktui.engine.kubelet.volumes.payload import from_downward_api


class DownwardAPIVolume:
    name = "kubernetes.io~downward-api"
    refreshes = True

    def handles(self, volume: Volume) -> bool:
        return volume.downwardAPI is not None

    def set_up(self, volume: Volume, directory: Path, context: VolumeContext) -> Path:
        source = volume.downwardAPI
        assert source is not None
        payload = from_downward_api(source.items or (), context, source.defaultMode)
        write_payload(directory, payload, context.fs_group)
        return directory

    def tear_down(self, directory: Path) -> None:
        """Nothing beyond its folder."""
