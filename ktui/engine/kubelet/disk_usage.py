"""What pods take of the node's disk: what their containers wrote, their logs, and their volumes on the disk.

Files are counted in a thread; what vanishes meanwhile counts nothing. A tmpfs is memory, and is not counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ktui.engine.kubelet.observed import PodRuntime
from ktui.engine.kubelet.runtime.base import ContainerRecord, PodRecord, Runtime, RuntimeCallError

log = logging.getLogger(__name__)

_EMPTY_DIR = "kubernetes.io~empty-dir"


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """One pod's, in bytes."""

    containers: Mapping[str, int]
    """By name: the writable layer and the logs."""
    volumes: Mapping[str, int]
    """emptyDir volumes on the disk, by name."""

    @property
    def total(self) -> int:
        return sum(self.containers.values()) + sum(self.volumes.values())


async def disk_usage(
    runtime: Runtime, records: Iterable[PodRecord], pod_dir: Path, volumes: Iterable[str]
) -> DiskUsage:
    """Of one pod, given its records and the names of its `volumes` on the disk."""
    pod = PodRuntime(list(records))
    names = {container.name for container in (pod.current.containers if pod.current else ())}
    latest = {name: record for name in sorted(names) if (record := pod.latest(name))}
    containers = {name: await _written(runtime, record) for name, record in latest.items()}
    return DiskUsage(containers, await asyncio.to_thread(_volumes, pod_dir, list(volumes)))


async def _written(runtime: Runtime, container: ContainerRecord) -> int:
    try:
        layer = await runtime.writable_layer(container.id)
    except RuntimeCallError as error:
        log.info("container %s: its disk usage is not known: %s", container.id[:12], error)
        layer = 0
    path = container.log_path
    return layer + (await asyncio.to_thread(_log_bytes, path) if path is not None else 0)


def _volumes(pod_dir: Path, names: Iterable[str]) -> dict[str, int]:
    return {name: _folder_bytes(pod_dir / "volumes" / _EMPTY_DIR / name) for name in names}


def _folder_bytes(folder: Path) -> int:
    return _bytes(folder.rglob("*"))


def _log_bytes(path: Path) -> int:
    """A log and what was rotated away from it."""
    return _bytes(path.parent.glob(f"{path.name}*"))


def _bytes(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total
