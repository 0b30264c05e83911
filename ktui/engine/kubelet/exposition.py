"""The kubelet's figures as Prometheus reads them: `/metrics`, `/metrics/resource` and `/metrics/cadvisor`.

Names and labels are those of Kubernetes' own kubelet, so that dashboards and adapters made for it work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from ktui.engine.kubelet.readings import MachineReading, PodReading
from ktui.kube.prometheus import Family


def resource_metrics(machine: MachineReading, now_ms: int, readings: Sequence[PodReading]) -> list[Family]:
    """What the metrics server and autoscalers read."""
    containers = [
        ({"container": c.stats.name, "namespace": r.key[0], "pod": r.key[1]}, c, _ms(c.stats.timestamp))
        for r in readings
        for c in r.containers
    ]
    of_pods = [({"namespace": r.key[0], "pod": r.key[1]}, r, _ms(r.time)) for r in readings]
    used = machine.memory_total - machine.memory_available
    return [
        Family(
            "container_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
            [(labels, c.stats.cpu_nanoseconds / 1e9, when) for labels, c, when in containers],
        ),
        Family(
            "container_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the container in bytes",
            [(labels, c.stats.memory_working_set, when) for labels, c, when in containers],
        ),
        Family(
            "container_start_time_seconds",
            "gauge",
            "[STABLE] Start time of the container since unix epoch in seconds",
            [(labels, c.started.timestamp(), None) for labels, c, _ in containers if c.started],
        ),
        Family(
            "node_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
            [({}, machine.cpu_nanoseconds / 1e9, now_ms)],
        ),
        Family(
            "node_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the node in bytes",
            [({}, used, now_ms)],
        ),
        Family(
            "pod_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
            [(labels, r.cpu_nanoseconds / 1e9, when) for labels, r, when in of_pods],
        ),
        Family(
            "pod_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the pod in bytes",
            [(labels, r.memory_working_set, when) for labels, r, when in of_pods],
        ),
        Family(
            "resource_scrape_error",
            "gauge",
            "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
            [({}, 0, None)],
        ),
    ]


def container_metrics(readings: Sequence[PodReading]) -> list[Family]:
    """What cAdvisor says of containers."""
    rows = [
        (
            {"container": c.stats.name, "id": c.stats.container_id, "namespace": r.key[0], "pod": r.key[1]},
            c.stats,
        )
        for r in readings
        for c in r.containers
    ]
    table = (
        ("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds."),
        ("container_memory_usage_bytes", "gauge", "Current memory usage in bytes, whenever it was accessed"),
        ("container_memory_working_set_bytes", "gauge", "Current working set in bytes."),
        ("container_network_receive_bytes_total", "counter", "Cumulative count of bytes received"),
        ("container_network_transmit_bytes_total", "counter", "Cumulative count of bytes transmitted"),
    )
    values = [
        (
            stats.cpu_nanoseconds / 1e9,
            stats.memory_usage,
            stats.memory_working_set,
            stats.network_rx_bytes,
            stats.network_tx_bytes,
        )
        for _, stats in rows
    ]
    return [
        Family(
            name,
            kind,
            text,
            [
                (labels, value[i], _ms(stats.timestamp))
                for (labels, stats), value in zip(rows, values, strict=True)
            ],
        )
        for i, (name, kind, text) in enumerate(table)
    ]


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def kubelet_metrics(node: str, pods: int, containers: Mapping[str, int]) -> list[Family]:
    """The kubelet about itself."""
    return [
        Family(
            "kubelet_node_name",
            "gauge",
            "[ALPHA] The node's name. The count is always 1.",
            [({"node": node}, 1, None)],
        ),
        Family(
            "kubelet_running_pods",
            "gauge",
            "[BETA] Number of pods that have a running pod sandbox",
            [({}, pods, None)],
        ),
        Family(
            "kubelet_running_containers",
            "gauge",
            "[BETA] Number of containers currently running",
            [({"container_state": state}, count, None) for state, count in sorted(containers.items())],
        ),
    ]
