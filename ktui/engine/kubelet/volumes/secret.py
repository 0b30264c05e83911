"""secret volumes: a Secret's keys as files."""

from __future__ import annotations

from pathlib import Path

from lightkube.models.core_v1 import Volume

from ktui.engine.kubelet.volumes.atomic_writer import write_payload
from ktui.engine.kubelet.volumes.base import VolumeContext
from ktui.engine.kubelet.volumes.payload import from_object


class SecretVolume:
    name = "kubernetes.io~secret"
    refreshes = True

    def handles(self, volume: Volume) -> bool:
        return volume.secret is not None

    def set_up(self, volume: Volume, directory: Path, context: VolumeContext) -> Path:
        source = volume.secret
        assert source is not None
        name = source.secretName or ""
        payload = from_object(
            "secret",
            name,
            context.references.secrets.get(name),
            source.items,
            default_mode=source.defaultMode,
            optional=bool(source.optional),
        )
        write_payload(directory, payload, context.fs_group)
        return directory

    def tear_down(self, directory: Path) -> None:
        """Nothing beyond its folder."""
