"""emptyDir volumes: a fresh folder, or a tmpfs for `medium: Memory`, that lives as long as the pod.

A real tmpfs needs root; otherwise a folder in the machine's shared memory is the nearest thing, and where there
is none a plain folder. `sizeLimit` bounds a tmpfs.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

from lightkube.models.core_v1 import Volume

from ktui.engine.kubelet.volumes.atomic_writer import give_away
from ktui.engine.kubelet.volumes.base import VolumeContext, VolumeError
from ktui.kube.quantity import parse_quantity

_SHARED_MEMORY = Path("/dev/shm")
_POINTER = "shared-memory-path"


class EmptyDirVolume:
    name = "kubernetes.io~empty-dir"
    refreshes = False

    def __init__(self, *, may_mount: bool | None = None) -> None:
        self._may_mount = os.geteuid() == 0 if may_mount is None else may_mount

    def handles(self, volume: Volume) -> bool:
        return volume.emptyDir is not None

    def set_up(self, volume: Volume, directory: Path, context: VolumeContext) -> Path:
        source = volume.emptyDir
        assert source is not None
        if source.medium not in (None, "", "Memory"):
            raise VolumeError(f'unknown storage medium "{source.medium}"')
        directory.mkdir(parents=True, exist_ok=True)
        if source.medium == "Memory":
            limit = parse_quantity(source.sizeLimit).value if source.sizeLimit else 0
            directory = self._memory(directory, limit)
        mode = 0o777
        if source.medium == "Memory":
            mode |= stat.S_ISVTX  # As the kernel makes a tmpfs, and folders of subPaths with it.
        if context.fs_group is not None:
            give_away(directory, None, context.fs_group)
            mode |= stat.S_ISGID
        directory.chmod(mode)
        return directory

    def tear_down(self, directory: Path) -> None:
        if directory.is_mount():
            subprocess.run(["umount", "-l", str(directory)], check=False, capture_output=True)
        pointer = directory.with_name(f"{directory.name}.{_POINTER}")
        if pointer.is_symlink():
            shutil.rmtree(pointer.readlink(), ignore_errors=True)
            pointer.unlink()

    def _memory(self, directory: Path, limit: int) -> Path:
        if directory.is_mount():
            return directory
        if self._may_mount:
            options = ["-o", f"size={limit}"] if limit else []
            done = subprocess.run(
                ["mount", "-t", "tmpfs", *options, "tmpfs", str(directory)],
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode == 0:
                return directory
        if not _is_writable_folder(_SHARED_MEMORY):
            return directory
        pod_uid = directory.parents[2].name
        folder = _SHARED_MEMORY / f"ktui-{os.geteuid()}-{pod_uid}-{directory.name}"
        folder.mkdir(exist_ok=True)
        pointer = directory.with_name(f"{directory.name}.{_POINTER}")
        if not pointer.is_symlink():
            pointer.symlink_to(folder)
        return folder


def _is_writable_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode) and os.access(path, os.W_OK)
    except OSError:
        return False
