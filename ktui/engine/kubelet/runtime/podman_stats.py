"""Usage of running containers, read from their cgroups and their pods' network namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ktui.engine.kubelet.runtime import cgroups
from ktui.engine.kubelet.runtime.base import ContainerRecord, ContainerStats
from ktui.engine.kubelet.runtime.podman_pods import Sandbox


def read_stats(running: Sequence[tuple[ContainerRecord, Sandbox, str]]) -> list[ContainerStats]:
    """Of (container, its sandbox, its cgroup's path); without those that ended meanwhile. Reads files."""
    found: list[ContainerStats] = []
    traffic: dict[str, tuple[int, int]] = {}
    for record, sandbox, cgroup in running:
        used = cgroups.usage(cgroup)
        if used is None:
            continue
        if sandbox.id not in traffic:
            traffic[sandbox.id] = cgroups.network_bytes(sandbox.infra_pid)
        received, sent = traffic[sandbox.id]
        found.append(
            ContainerStats(
                container_id=record.id,
                pod_uid=sandbox.pod.uid,
                name=record.name,
                timestamp=datetime.now(UTC),
                cpu_nanoseconds=used.cpu_nanoseconds,
                memory_working_set=used.memory_working_set,
                memory_usage=used.memory_usage,
                network_rx_bytes=received,
                network_tx_bytes=sent,
            )
        )
    return found
