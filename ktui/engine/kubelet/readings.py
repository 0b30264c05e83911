"""What the kubelet measured at one moment: its pods with their containers' counters, and the machine's own.

The runtime gives counters; rates come from an earlier reading. The pages `/stats/summary` and `/metrics/resource`
are two views of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.metrics import UsageMeter
from ktui.engine.kubelet.runtime.base import ContainerStats

_NANOSECONDS_PER_TICK = 10_000_000
"""The kernel tells users of time in hundredths of a second."""
_IDLE = (3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerReading:
    """One container's counters and its CPU rate."""

    stats: ContainerStats
    nanocores: int
    started: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodReading:
    """One pod's containers."""

    pod: Pod
    containers: Sequence[ContainerReading]

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        key = pods.key(self.pod)
        return key.namespace, key.name

    @property
    def cpu_nanoseconds(self) -> int:
        return sum(c.stats.cpu_nanoseconds for c in self.containers)

    @property
    def nanocores(self) -> int:
        return sum(c.nanocores for c in self.containers)

    @property
    def memory_working_set(self) -> int:
        return sum(c.stats.memory_working_set for c in self.containers)

    @property
    def memory_usage(self) -> int:
        return sum(c.stats.memory_usage for c in self.containers)

    @property
    def time(self) -> datetime:
        return max(c.stats.timestamp for c in self.containers)


def pod_readings(
    stats: Sequence[ContainerStats], running: Iterable[Pod], meter: UsageMeter
) -> list[PodReading]:
    """The pods of `running` that have containers with counters, by name."""
    running = list(running)
    rates = meter.rates(stats, running)
    by_pod: dict[str, list[ContainerStats]] = {}
    for reading in stats:
        by_pod.setdefault(reading.pod_uid, []).append(reading)
    found = [
        PodReading(
            pod=pod,
            containers=[
                ContainerReading(
                    stats=reading,
                    nanocores=rates[reading.container_id],
                    started=pods.running_since(pod, reading.name),
                )
                for reading in sorted(by_pod[pods.uid(pod)], key=lambda r: r.name)
            ],
        )
        for pod in running
        if pods.uid(pod) in by_pod
    ]
    return sorted(found, key=lambda reading: reading.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReading:
    """The machine's own counters: CPU since it started, memory and network now."""

    cpu_nanoseconds: int
    memory_total: int
    memory_available: int
    booted: datetime
    network_rx_bytes: int
    network_tx_bytes: int


def machine_reading(root: Path = Path("/")) -> MachineReading:
    """Read the kernel's files."""
    ticks, booted = 0, 0
    for line in (root / "proc/stat").read_text().splitlines():
        words = line.split()
        if words[:1] == ["cpu"]:
            ticks = sum(int(word) for i, word in enumerate(words[1:9]) if i not in _IDLE)
        elif words[:1] == ["btime"]:
            booted = int(words[1])
    memory = {
        words[0].rstrip(":"): int(words[1]) * 1024
        for line in (root / "proc/meminfo").read_text().splitlines()
        if len(words := line.split()) > 1
    }
    received = sent = 0
    for line in (root / "proc/net/dev").read_text().splitlines()[2:]:
        name, _, counters = line.partition(":")
        words = counters.split()
        if name.strip() != "lo" and len(words) > 8:
            received, sent = received + int(words[0]), sent + int(words[8])
    return MachineReading(
        cpu_nanoseconds=ticks * _NANOSECONDS_PER_TICK,
        memory_total=memory.get("MemTotal", 0),
        memory_available=memory.get("MemAvailable", memory.get("MemFree", 0)),
        booted=datetime.fromtimestamp(booted, UTC),
        network_rx_bytes=received,
        network_tx_bytes=sent,
    )
