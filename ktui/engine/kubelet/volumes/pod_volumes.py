"""A pod's volumes on the node: made before its containers, refreshed while they run, gone after them.

Everything lives under `<data folder>/pods/<uid>/volumes/<plugin>/<volume>`. Only volumes that a container mounts
are made. Disk work runs in threads.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from lightkube.models.core_v1 import Pod, Volume

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.volumes.base import MountError, VolumeContext, VolumeError, VolumePlugin
from ktui.engine.kubelet.volumes.config_map import ConfigMapVolume
from ktui.engine.kubelet.volumes.downward_api import DownwardAPIVolume
from ktui.engine.kubelet.volumes.empty_dir import EmptyDirVolume
from ktui.engine.kubelet.volumes.host_path import HostPathVolume
from ktui.engine.kubelet.volumes.persistent import PersistentVolumeClaimVolume
from ktui.engine.kubelet.volumes.projected import ProjectedVolume
from ktui.engine.kubelet.volumes.secret import SecretVolume

log = logging.getLogger(__name__)


def standard_plugins() -> list[VolumePlugin]:
    return [
        EmptyDirVolume(),
        HostPathVolume(),
        ConfigMapVolume(),
        SecretVolume(),
        DownwardAPIVolume(),
        ProjectedVolume(),
        PersistentVolumeClaimVolume(),
    ]


class PodVolumes:
    """Volumes of all pods of a node."""

    def __init__(self, pods_dir: Path, plugins: Sequence[VolumePlugin] | None = None) -> None:
        self._pods_dir = pods_dir
        self._plugins = plugins if plugins is not None else standard_plugins()

    def pod_dir(self, pod_uid: str) -> Path:
        return self._pods_dir / pod_uid

    async def set_up(self, context: VolumeContext, *, refresh_only: bool = False) -> dict[str, Path]:
        """Host paths by volume name. Raises MountError for the first volume that can't be made."""
        return await asyncio.to_thread(self._set_up, context, refresh_only)

    async def unmount(self, pod_uid: str) -> None:
        """Remove a pod's volumes, but keep what its containers left to say."""
        await asyncio.to_thread(self._unmount, pod_uid)

    async def tear_down(self, pod_uid: str) -> None:
        """Remove everything of a pod from the disk."""
        await asyncio.to_thread(self._tear_down, pod_uid)

    def known_pods(self) -> list[str]:
        """Uids of the pods that have a folder."""
        try:
            return sorted(entry.name for entry in self._pods_dir.iterdir() if entry.is_dir())
        except FileNotFoundError:
            return []

    def _set_up(self, context: VolumeContext, refresh_only: bool) -> dict[str, Path]:
        mounted = _mounted_names(context.pod)
        paths: dict[str, Path] = {}
        for volume in pods.spec(context.pod).volumes or ():
            # The runtime itself mounts images.
            if volume.name not in mounted or volume.image is not None:
                continue
            plugin = self._plugin(volume)
            if refresh_only and not plugin.refreshes:
                continue
            directory = self.pod_dir(pods.uid(context.pod)) / "volumes" / plugin.name / volume.name
            try:
                paths[volume.name] = plugin.set_up(volume, directory, context)
            except (VolumeError, OSError) as error:
                raise MountError(volume.name, error) from error
        return paths

    def _plugin(self, volume: Volume) -> VolumePlugin:
        for plugin in self._plugins:
            if plugin.handles(volume):
                return plugin
        raise MountError(volume.name, "no volume plugin matched")

    def _tear_down(self, pod_uid: str) -> None:
        if self._unmount(pod_uid):
            shutil.rmtree(self.pod_dir(pod_uid), ignore_errors=True)

    def _unmount(self, pod_uid: str) -> bool:
        """Remove the volumes, unless one is still mounted: what is in it is not the pod's to delete."""
        root = self.pod_dir(pod_uid)
        for plugin in self._plugins:
            folder = root / "volumes" / plugin.name
            if folder.is_dir():
                for directory in folder.iterdir():
                    if not directory.is_symlink():
                        plugin.tear_down(directory)
                    if directory.is_mount():
                        log.error(
                            "%s could not be unmounted: it is kept, and tried at the next start", directory
                        )
                        return False
        shutil.rmtree(root / "volumes", ignore_errors=True)
        return True


def _mounted_names(pod: Pod) -> set[str]:
    names = {mount.name for container in pods.all_containers(pod) for mount in container.volumeMounts or ()}
    names |= {
        device.name for container in pods.all_containers(pod) for device in container.volumeDevices or ()
    }
    for container in pods.all_containers(pod):
        for variable in container.env or ():
            if variable.valueFrom is not None and variable.valueFrom.fileKeyRef is not None:
                names.add(variable.valueFrom.fileKeyRef.volumeName)
    return names


def resolve_sub_path(base: Path, inside: str) -> Path:
    """The host path of a subPath, made as a folder when missing. Raises VolumeError when it leads out."""
    root = base.resolve()
    target = (root / inside).resolve()
    if target != root and root not in target.parents:
        raise VolumeError(
            f'failed to prepare subPath for volumeMount: "{inside}" not within volume path {base}'
        )
    if not target.exists():
        mode = root.stat().st_mode & 0o7777
        target.mkdir(parents=True, exist_ok=True)
        for path in (target, *target.parents):
            if path == root:
                break
            path.chmod(mode)
            if os.geteuid() == 0:
                os.chown(path, root.stat().st_uid, root.stat().st_gid)
    return target


def read_env_file(base: Path, path: str, key: str) -> str | None:
    """The value of `key` in an env file of a volume (`KEY=value` lines, # comments, optional quotes)."""
    target = (base / path).resolve()
    if base.resolve() not in target.parents:
        return None
    try:
        text = target.read_text()
    except OSError:
        return None
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#") and name.strip() == key:
            value = value.strip()
            if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
                return value[1:-1]
            return value
    return None
