"""`/stats/summary`: what the node and each of its pods use, in the form of Kubernetes' stats API (v1alpha1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.readings import ContainerReading, MachineReading, PodReading
from ktui.kube.clock import rfc3339
from ktui.kube.resource import Object


def summary(
    node: str,
    now: datetime,
    machine: MachineReading,
    nanocores: int,
    disk: tuple[int, int],
    readings: Sequence[PodReading],
) -> Object:
    """`Summary`. `disk` is what containers and images use, and its capacity."""
    used = machine.memory_total - machine.memory_available
    file_system: Object = {
        "time": rfc3339(now),
        "availableBytes": max(0, disk[1] - disk[0]),
        "capacityBytes": disk[1],
        "usedBytes": disk[0],
    }
    return {
        "node": {
            "nodeName": node,
            "startTime": rfc3339(machine.booted),
            "cpu": _cpu(now, nanocores, machine.cpu_nanoseconds),
            "memory": {
                "time": rfc3339(now),
                "availableBytes": machine.memory_available,
                "usageBytes": used,
                "workingSetBytes": used,
            },
            "network": _network(now, machine.network_rx_bytes, machine.network_tx_bytes),
            "fs": file_system,
            "runtime": {"imageFs": file_system, "containerFs": file_system},
        },
        "pods": [_pod(reading) for reading in readings],
    }


def _pod(reading: PodReading) -> Object:
    namespace, name = reading.key
    started = pods.status(reading.pod).startTime
    # Containers of a pod share its network: each tells of the whole.
    received = max(c.stats.network_rx_bytes for c in reading.containers)
    sent = max(c.stats.network_tx_bytes for c in reading.containers)
    return {
        "podRef": {"name": name, "namespace": namespace, "uid": pods.uid(reading.pod)},
        "startTime": rfc3339(started) if started else None,
        "containers": [_container(container) for container in reading.containers],
        "cpu": _cpu(reading.time, reading.nanocores, reading.cpu_nanoseconds),
        "memory": _memory(reading.time, reading.memory_usage, reading.memory_working_set),
        "network": _network(reading.time, received, sent),
    }


def _container(container: ContainerReading) -> Object:
    stats = container.stats
    return {
        "name": stats.name,
        "startTime": rfc3339(container.started) if container.started else None,
        "cpu": _cpu(stats.timestamp, container.nanocores, stats.cpu_nanoseconds),
        "memory": _memory(stats.timestamp, stats.memory_usage, stats.memory_working_set),
    }


def _cpu(time: datetime, nanocores: int, nanoseconds: int) -> Object:
    return {"time": rfc3339(time), "usageNanoCores": nanocores, "usageCoreNanoSeconds": nanoseconds}


def _memory(time: datetime, usage: int, working_set: int) -> Object:
    return {"time": rfc3339(time), "usageBytes": usage, "workingSetBytes": working_set}


def _network(time: datetime, received: int, sent: int) -> Object:
    return {"time": rfc3339(time), "rxBytes": received, "txBytes": sent}
