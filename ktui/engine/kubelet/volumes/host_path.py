"""hostPath volumes: a path of the node itself, checked or created as its `type` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightkube.models.core_v1 import HostPathVolumeSource, Volume

from ktui.engine.kubelet.volumes.base import VolumeContext, VolumeError

_CHECKS: dict[str, tuple[Callable[[Path], bool], str]] = {
    "Directory": (Path.is_dir, "a directory"),
    "DirectoryOrCreate": (Path.is_dir, "a directory"),
    "File": (Path.is_file, "a file"),
    "FileOrCreate": (Path.is_file, "a file"),
    "Socket": (Path.is_socket, "a socket file"),
    "CharDevice": (Path.is_char_device, "a character device"),
    "BlockDevice": (Path.is_block_device, "a block device"),
}


class HostPathVolume:
    name = "kubernetes.io~host-path"
    refreshes = False

    def handles(self, volume: Volume) -> bool:
        return volume.hostPath is not None

    def set_up(self, volume: Volume, directory: Path, context: VolumeContext) -> Path:
        source = volume.hostPath
        assert source is not None
        return host_path(source)

    def tear_down(self, directory: Path) -> None:
        """The node's own files stay."""


def host_path(source: HostPathVolumeSource) -> Path:
    """The path as its type asks for it, made where that is meant. Raises VolumeError if it is something else."""
    path = Path(source.path)
    kind = source.type or ""
    if kind in ("DirectoryOrCreate", "") and not path.exists():
        # Without a type nothing is checked; container runtimes make a missing source a directory.
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    if kind:
        check, what = _CHECKS.get(kind, (Path.exists, "there"))
        if not check(path):
            raise VolumeError(f"hostPath type check failed: {path} is not {what}")
    return path
