"""Whether a pod bound to this node may start here: the kubelet's own check behind the scheduler's back.

A pod may be bound by hand, or the node may have filled up since. Pure; reasons and messages are the kubelet's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from lightkube.models.core_v1 import NodeSelectorRequirement, NodeSelectorTerm, Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.container_spec import port_mappings
from ktui.engine.kubelet.observed import Waiting
from ktui.kube.quantity import cpu_millis, parse_quantity
from ktui.kube.selector import Requirement

Port: TypeAlias = tuple[str, str, int]
"""Protocol, address ("" for all) and number of a port on the host."""
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}
_COUNTED = ("cpu", "memory", "ephemeral-storage")
_SAFE_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_notsent_lowat",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_slow_start_after_idle",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    )
)
"""Those that concern nobody but the pod."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one pod takes of the node."""

    requests: Mapping[str, int]
    """CPU in thousandths, the rest in bytes."""
    ports: frozenset[Port]

    @classmethod
    def of(cls, pod: Pod) -> Claim:
        requests = {name: pod_request(pod, name) for name in _COUNTED}
        return cls({name: amount for name, amount in requests.items() if amount}, frozenset(_ports(pod)))


def check_admission(
    pod: Pod,
    others: Sequence[Claim],
    allocatable: Mapping[str, str],
    node_labels: Mapping[str, str],
    node_name: str,
) -> Waiting | None:
    """Why `pod` may not start beside the active pods that claimed `others`; None when it may."""
    if not _selected(pod, node_labels, node_name):
        return Waiting(
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        )
    if refused := _unsupported(pod):
        return refused
    wanted = Claim.of(pod)
    if wanted.ports:
        taken = {port for other in others for port in other.ports}
        if any(_conflicts(port, taken) for port in wanted.ports):
            return Waiting(
                "NodePorts",
                "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
            )
    most = parse_quantity(allocatable.get("pods") or "0").value
    if most and len(others) + 1 > most:
        return _refused("pods", 1, len(others), most)
    for name, amount in wanted.requests.items():
        if name not in allocatable:
            continue
        used = sum(other.requests.get(name, 0) for other in others)
        capacity = _amount(name, allocatable[name])
        if used + amount > capacity:
            return _refused(name, amount, used, capacity)
    return None


def _unsupported(pod: Pod) -> Waiting | None:
    """What no node of ours does: another system's pods, and kernel settings that others would feel."""
    spec = pods.spec(pod)
    if spec.os is not None and spec.os.name not in ("", "linux"):
        return Waiting("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    for sysctl in (spec.securityContext.sysctls if spec.securityContext else None) or ():
        # `net/ipv4/conf/eth0.1/x` is written with slashes, since its names have dots.
        name = sysctl.name
        first = next((mark for mark in name if mark in "./"), ".")
        name = name.translate({ord("."): "/", ord("/"): "."}) if first == "/" else name
        shared = "net" if name.startswith("net.") and spec.hostNetwork else ""
        shared = "ipc" if name.startswith("kernel.shm") and spec.hostIPC else shared
        if name not in _SAFE_SYSCTLS:
            return Waiting("SysctlForbidden", f'forbidden sysctl: "{name}" not allowlisted')
        if shared:
            why = f'forbidden sysctl: "{name}" not allowed with host {shared} enabled'
            return Waiting("SysctlForbidden", why)
    return None


def check_resize(pod: Pod, others: Sequence[Claim], allocatable: Mapping[str, str]) -> Waiting | None:
    """Why the node can't give a running pod what it now asks for; None when it can."""
    wanted = Claim.of(pod).requests
    for name in ("cpu", "memory"):
        amount, capacity = wanted.get(name, 0), _amount(name, allocatable.get(name) or "0")
        if name in allocatable and amount > capacity:
            message = f"Node didn't have enough capacity: {name}, requested: {amount}, capacity: {capacity}"
            return Waiting("Infeasible", message)
    for name in ("cpu", "memory"):
        amount, capacity = wanted.get(name, 0), _amount(name, allocatable.get(name) or "0")
        used = sum(other.requests.get(name, 0) for other in others)
        if name in allocatable and amount and used + amount > capacity:
            return Waiting("Deferred", _refused(name, amount, used, capacity).message)
    return None


def _refused(name: str, wanted: int, used: int, capacity: int) -> Waiting:
    return Waiting(
        f"OutOf{name}",
        f"Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, capacity: {capacity}",
    )


def _amount(name: str, text: str) -> int:
    return cpu_millis(text) if name == "cpu" else parse_quantity(text).value


def pod_request(pod: Pod, name: str) -> int:
    """What a pod asks for: as a whole if it says so, else its containers and sidecars, or the greediest init step."""
    of_pod = pods.spec(pod).resources
    if of_pod is not None and (asked := cast("dict[str, str]", of_pod.requests or {})).get(name):  # pyright: ignore[reportUnknownMemberType] - a bare dict in lightkube
        return _amount(name, asked[name])

    def request(container_requests: Mapping[str, str]) -> int:
        return _amount(name, container_requests[name]) if name in container_requests else 0

    sidecars = peak = 0
    for container in pods.init_containers(pod):
        wanted = request(pods.requests(container))
        if pods.is_sidecar(container):
            sidecars += wanted
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + wanted)
    regular = sum(request(pods.requests(container)) for container in pods.containers(pod))
    return max(peak, sidecars + regular)


def _ports(pod: Pod) -> Iterator[Port]:
    if pods.spec(pod).hostNetwork:
        for container in pods.containers(pod):
            for port in container.ports or ():
                yield _port(port.protocol or "TCP", port.hostIP or "", port.hostPort or port.containerPort)
    else:
        for mapping in port_mappings(pod):
            yield _port(mapping.protocol, mapping.host_ip, mapping.host_port)


def _port(protocol: str, address: str, number: int) -> Port:
    return protocol, "" if address in ("", "0.0.0.0", "::") else address, number


def _conflicts(port: Port, taken: set[Port]) -> bool:
    protocol, address, number = port
    return any(
        protocol == other[0] and number == other[2] and (not address or not other[1] or address == other[1])
        for other in taken
    )


def _selected(pod: Pod, labels: Mapping[str, str], node_name: str) -> bool:
    spec = pods.spec(pod)
    if any(labels.get(key) != value for key, value in pods.node_selector(pod).items()):
        return False
    affinity = spec.affinity.nodeAffinity if spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    if required is None:
        return True
    return any(_term_matches(term, labels, node_name) for term in required.nodeSelectorTerms)


def _term_matches(term: NodeSelectorTerm, labels: Mapping[str, str], node_name: str) -> bool:
    if not term.matchExpressions and not term.matchFields:
        return False
    fields = {"metadata.name": node_name}
    return all(_matches(e, labels) for e in term.matchExpressions or ()) and all(
        _matches(e, fields) for e in term.matchFields or ()
    )


def _matches(expression: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    operator = _OPERATORS.get(expression.operator, expression.operator)
    return Requirement(expression.key, operator, tuple(expression.values or ())).matches(labels)
