"""Eviction of pods that use more disk than their emptyDir volumes may (`sizeLimit`).

Only pods that have such a limit are looked at; a tmpfs bounds itself. Files are counted in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.pod_worker import PodWorker
from ktui.kube.clock import Clock
from ktui.kube.quantity import parse_quantity

log = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0
_EMPTY_DIR = "kubernetes.io~empty-dir"


def limited_volumes(pod: Pod) -> dict[str, str]:
    """The disk-backed emptyDir volumes with a limit: name to the limit as it is written."""
    return {
        volume.name: volume.emptyDir.sizeLimit
        for volume in pods.spec(pod).volumes or ()
        if volume.emptyDir is not None and volume.emptyDir.sizeLimit and volume.emptyDir.medium != "Memory"
    }


def overfull(pod: Pod, pod_dir: Path) -> str:
    """What to say of the first volume over its limit, "" when there is none; blocks on the disk."""
    for name, limit in limited_volumes(pod).items():
        if folder_bytes(pod_dir / "volumes" / _EMPTY_DIR / name) > parse_quantity(limit).value:
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    return ""


def folder_bytes(folder: Path) -> int:
    """Disk space of all files under `folder`; what vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total


def pod_disk_bytes(pod_dir: Path) -> int:
    """What a pod's volumes on the node's disk take up; blocks on the disk."""
    volumes = pod_dir / "volumes" / _EMPTY_DIR
    return folder_bytes(volumes) if volumes.is_dir() else 0


class StorageEviction:
    """Looks every ten seconds; does nothing where no pod has a limit."""

    def __init__(
        self, workers: Callable[[], Iterable[PodWorker]], pod_dir: Callable[[str], Path], clock: Clock
    ) -> None:
        self._workers = workers
        self._pod_dir = pod_dir
        self._clock = clock

    async def run(self) -> None:
        while True:
            await self._clock.sleep(PERIOD_SECONDS)
            for worker in [w for w in self._workers() if limited_volumes(w.pod)]:
                message = await asyncio.to_thread(overfull, worker.pod, self._pod_dir(pods.uid(worker.pod)))
                if message:
                    worker.evict(message)
