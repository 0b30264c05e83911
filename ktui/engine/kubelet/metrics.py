"""Pod metrics from the runtime's counters: CPU as a rate between two readings, memory as the working set.

Nobody reads while nobody asks. A container's first reading gives its average since it started, as metrics-server
does with a container that it has seen once only; "0" would be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.runtime.base import ContainerStats
from ktui.kube.clock import rfc3339
from ktui.kube.resource import Object

MIN_WINDOW_SECONDS = 5.0


class UsageMeter:
    """Remembers earlier readings, so that a rate can be told."""

    def __init__(self) -> None:
        self._readings: dict[str, ContainerStats] = {}

    def pod_metrics(
        self, stats: Sequence[ContainerStats], running: Iterable[Pod], now: datetime
    ) -> list[Object]:
        """`PodMetrics` of every pod of `running` that has a container with readings."""
        by_pod: dict[str, list[ContainerStats]] = {}
        for reading in stats:
            by_pod.setdefault(reading.pod_uid, []).append(reading)
        found: list[Object] = []
        for pod in running:
            readings = by_pod.get(pods.uid(pod))
            if not readings:
                continue
            window = 0.0
            containers: list[Object] = []
            for reading in sorted(readings, key=lambda r: r.name):
                nanocores, seconds = self._rate(reading, pods.running_since(pod, reading.name))
                window = max(window, seconds)
                memory = f"{reading.memory_working_set // 1024}Ki"
                containers.append({"name": reading.name, "usage": {"cpu": f"{nanocores}n", "memory": memory}})
            metadata = pods.meta(pod)
            found.append(
                {
                    "apiVersion": "metrics.k8s.io/v1beta1",
                    "kind": "PodMetrics",
                    "metadata": {
                        "name": metadata.name,
                        "namespace": metadata.namespace,
                        "labels": pods.labels_of(pod),
                        "creationTimestamp": rfc3339(now),
                    },
                    "timestamp": rfc3339(now),
                    "window": f"{window:.3f}s",
                    "containers": containers,
                }
            )
        self._keep(stats)
        return found

    def rates(self, stats: Sequence[ContainerStats], running: Iterable[Pod]) -> dict[str, int]:
        """CPU in nanocores by container id."""
        by_uid = {pods.uid(pod): pod for pod in running}
        found: dict[str, int] = {}
        for reading in stats:
            pod = by_uid.get(reading.pod_uid)
            since = pods.running_since(pod, reading.name) if pod else None
            found[reading.container_id] = self._rate(reading, since)[0]
        self._keep(stats)
        return found

    def _rate(self, reading: ContainerStats, started: datetime | None) -> tuple[int, float]:
        before = self._readings.get(reading.container_id)
        since = before.timestamp if before is not None else started
        seconds = (reading.timestamp - since).total_seconds() if since is not None else 0.0
        if seconds <= 0:
            return 0, 0.0
        used = max(0, reading.cpu_nanoseconds - (before.cpu_nanoseconds if before is not None else 0))
        return int(used / seconds), seconds

    def _keep(self, stats: Sequence[ContainerStats]) -> None:
        """A reading is replaced only when it is old enough for the next rate to mean something."""
        kept: dict[str, ContainerStats] = {}
        for reading in stats:
            before = self._readings.get(reading.container_id)
            fresh = before is not None and (
                (reading.timestamp - before.timestamp).total_seconds() < MIN_WINDOW_SECONDS
            )
            kept[reading.container_id] = before if before is not None and fresh else reading
        self._readings = kept
