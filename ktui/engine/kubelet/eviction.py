"""Eviction of pods that use more of the disk than they may: emptyDir volumes with a `sizeLimit`, and limits of
`ephemeral-storage`. Only pods with such a limit are looked at; a tmpfs bounds itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.disk_usage import DiskUsage, disk_usage
from ktui.engine.kubelet.pod_worker import PodWorker
from ktui.engine.kubelet.runtime.base import Runtime, RuntimeCallError
from ktui.kube.clock import Clock
from ktui.kube.quantity import Quantity, parse_quantity

log = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0
_RESOURCE = "ephemeral-storage"


def disk_volumes(pod: Pod) -> dict[str, str]:
    """The emptyDir volumes on the disk: name to the limit as it is written, "" for none."""
    return {
        volume.name: volume.emptyDir.sizeLimit or ""
        for volume in pods.spec(pod).volumes or ()
        if volume.emptyDir is not None and volume.emptyDir.medium != "Memory"
    }


def _container_limits(pod: Pod) -> dict[str, str]:
    containers = (*(c for c in pods.init_containers(pod) if pods.is_sidecar(c)), *pods.containers(pod))
    return {c.name: pods.limits(c)[_RESOURCE] for c in containers if _RESOURCE in pods.limits(c)}


def has_limits(pod: Pod) -> bool:
    """Whether the pod's disk usage has to be known."""
    return any(disk_volumes(pod).values()) or bool(_container_limits(pod))


def overfull(pod: Pod, usage: DiskUsage) -> str:
    """What to say of the first limit that is exceeded, "" when none is."""
    for name, limit in disk_volumes(pod).items():
        if limit and usage.volumes.get(name, 0) > parse_quantity(limit).value:
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    limits = _container_limits(pod)
    if not limits:
        return ""
    total = sum(map(parse_quantity, limits.values()), Quantity(0))
    if usage.total > total.value:
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {total}. "
    for name, limit in limits.items():
        if usage.containers.get(name, 0) > parse_quantity(limit).value:
            return f'Container {name} exceeded its local ephemeral storage limit "{limit}". '
    return ""


class StorageEviction:
    """Looks every ten seconds; does nothing where no pod has a limit."""

    def __init__(
        self,
        runtime: Runtime,
        workers: Callable[[], Iterable[PodWorker]],
        pod_dir: Callable[[str], Path],
        clock: Clock,
    ) -> None:
        self._runtime = runtime
        self._workers = workers
        self._pod_dir = pod_dir
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.sleep(PERIOD_SECONDS)
            for worker in [w for w in self._workers() if w.is_active and has_limits(w.pod)]:
                try:
                    if message := overfull(worker.pod, await self._usage(worker.pod)):
                        worker.evict(message)
                except (RuntimeCallError, OSError) as error:
                    log.warning("pod %s: disk usage: %s", pods.full_name(worker.pod), error)

    async def _usage(self, pod: Pod) -> DiskUsage:
        uid = pods.uid(pod)
        records = await self._runtime.pod(uid)
        return await disk_usage(self._runtime, records, self._pod_dir(uid), disk_volumes(pod))
