"""What requests and limits mean on the node: QoS class, CPU shares and quota, memory limit, OOM score.

Pure functions; the figures are the kubelet's (1024 shares a core, 100 ms quota periods, OOM scores by QoS).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.runtime.base import Resources
from ktui.kube.quantity import cpu_millis, parse_quantity

_MIN_SHARES = 2
_MAX_SHARES = 262144
_PERIOD = 100_000
_MIN_QUOTA = 1000
_GUARANTEED_SCORE = -997
_BEST_EFFORT_SCORE = 1000
CRITICAL_PRIORITY = 2_000_000_000
"""From here on the node needs the pod: system-cluster-critical and system-node-critical."""
_QOS_RESOURCES = ("cpu", "memory")


def qos_class(pod: Pod) -> str:
    """Guaranteed, Burstable or BestEffort, from all containers' CPU and memory (or the pod's own)."""
    spec = pods.spec(pod)
    if spec.resources is not None and (spec.resources.requests or spec.resources.limits):
        pairs = [(_positive(spec.resources.requests), _positive(spec.resources.limits))]
    else:
        pairs = [
            (_positive(pods.requests(c)), _positive(pods.limits(c)))
            for c in (*pods.init_containers(pod), *pods.containers(pod))
        ]
    if not any(requests or limits for requests, limits in pairs):
        return "BestEffort"
    if all(set(limits) == set(_QOS_RESOURCES) and requests == limits for requests, limits in pairs):
        return "Guaranteed"
    return "Burstable"


def _positive(amounts: Mapping[str, str] | None) -> dict[str, int]:
    found = {
        name: parse_quantity((amounts or {})[name]).nanos
        for name in _QOS_RESOURCES
        if name in (amounts or {})
    }
    return {name: amount for name, amount in found.items() if amount > 0}


def container_resources(pod: Pod, container: Container, node_memory: int) -> Resources:
    """The cgroup settings of one container; `node_memory` is the machine's memory in bytes.

    A container without a limit of its own has its pod's.
    """
    limits, requests = {**_pod_limits(pod), **pods.limits(container)}, pods.requests(container)
    cpu_limit = cpu_millis(limits.get("cpu"))
    cpu_request = cpu_millis(requests.get("cpu")) if "cpu" in requests else cpu_limit
    memory_limit = parse_quantity(limits["memory"]).value if "memory" in limits else 0
    return Resources(
        cpu_shares=_shares(cpu_request),
        cpu_quota=max(cpu_limit * _PERIOD // 1000, _MIN_QUOTA) if cpu_limit else None,
        cpu_period=_PERIOD if cpu_limit else None,
        memory_limit=memory_limit or None,
        oom_score_adj=oom_score_adjust(pod, container, node_memory),
    )


def _pod_limits(pod: Pod) -> dict[str, str]:
    resources = pods.spec(pod).resources
    return dict((resources.limits if resources else None) or {})


def _shares(millis: int) -> int:
    return min(max(millis * 1024 // 1000, _MIN_SHARES), _MAX_SHARES) if millis else _MIN_SHARES


def oom_score_adjust(pod: Pod, container: Container, node_memory: int) -> int:
    """Who the kernel kills first when the node runs out of memory."""
    if (pods.spec(pod).priority or 0) >= CRITICAL_PRIORITY:
        return _GUARANTEED_SCORE
    quality = qos_class(pod)
    if quality == "Guaranteed":
        return _GUARANTEED_SCORE
    if quality == "BestEffort":
        return _BEST_EFFORT_SCORE
    requests = pods.requests(container)
    memory = parse_quantity(requests["memory"]).value if "memory" in requests else 0
    score = 1000 - (1000 * memory) // max(node_memory, 1)
    if score < 1000 + _GUARANTEED_SCORE:
        return 1000 + _GUARANTEED_SCORE
    return score - 1 if score == _BEST_EFFORT_SCORE else score


def resource_field(
    container: Container, resource: str, divisor: str | None, allocatable: Mapping[str, str]
) -> str:
    """The value of a `resourceFieldRef`: rounded up to the divisor; a missing limit is what the node has."""
    kind, _, name = resource.partition(".")
    amounts = pods.limits(container) if kind == "limits" else pods.requests(container)
    text = amounts.get(name)
    if text is None and (kind == "limits" or name in pods.limits(container)):
        text = pods.limits(container).get(name) or allocatable.get(name)
    amount = parse_quantity(text or "0").nanos
    by = parse_quantity(divisor or "1").nanos or parse_quantity("1").nanos
    return str(-(-amount // by))
