"""A node: conditions, capacity, what runs on it and how much of it is spoken for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ktui.describe.fields import metadata_of, write_annotations, write_events, write_labels, write_listed
from ktui.describe.related import Related
from ktui.describe.text import NONE, UNSET, Text
from ktui.kube.age import age
from ktui.kube.quantity import Quantity, canonical, parse_quantity
from ktui.kube.resource import Object

_ROLE: Final = "node-role.kubernetes.io/"
_SYSTEM: Final = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
    ("Kube-Proxy Version", "kubeProxyVersion"),
)
_STANDARD: Final = ("cpu", "memory", "ephemeral-storage")
_ZERO: Final = Quantity.of(0)

Amounts = Mapping[str, Quantity]


def describe_node(out: Text, node: Object, related: Related) -> None:
    """Write a node; `related.pods` are the unfinished ones on it."""
    metadata = metadata_of(node)
    spec: Object = node.get("spec") or {}
    status: Object = node.get("status") or {}
    out.field("Name", metadata.get("name") or "")
    out.field("Roles", ",".join(roles(metadata)) or NONE)
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    out.field("CreationTimestamp", out.time(metadata.get("creationTimestamp")))
    write_listed(out, "Taints", _taints(spec.get("taints") or ()))
    out.field("Unschedulable", "true" if spec.get("unschedulable") else "false")
    _write_lease(out, related.lease)
    _write_conditions(out, status.get("conditions") or ())
    out.line("Addresses:")
    for address in status.get("addresses") or ():
        out.field(address.get("type"), address.get("address"), 1)
    for title in ("Capacity", "Allocatable"):
        amounts: Mapping[str, str] = status.get(title.lower()) or {}
        if amounts:
            out.line(f"{title}:")
        for name, quantity in sorted(amounts.items()):
            out.field(name, canonical(quantity), 1)
    out.line("System Info:")
    info: Object = status.get("nodeInfo") or {}
    for label, field in _SYSTEM:
        out.field(label, info.get(field) or "", 1)
    if spec.get("podCIDR"):
        out.field("PodCIDR", spec["podCIDR"])
    if spec.get("podCIDRs"):
        out.field("PodCIDRs", ",".join(spec["podCIDRs"]))
    if spec.get("providerID"):
        out.field("ProviderID", spec["providerID"])
    if related.pods is None:
        out.field("Pods", "not authorized")
    else:
        _write_pods(out, related.pods, status)
    write_events(out, related.events)


def roles(metadata: Object) -> list[str]:
    """The roles a node's labels give it."""
    labels: Mapping[str, str] = metadata.get("labels") or {}
    found = {label.removeprefix(_ROLE) for label in labels if label.startswith(_ROLE)}
    found.add(labels.get("kubernetes.io/role") or "")
    return sorted(found - {""})


def _taints(taints: Sequence[Object]) -> Iterable[str]:
    for taint in sorted(taints, key=lambda each: (each.get("effect") or "", each.get("key") or "")):
        value = f"={taint['value']}" if taint.get("value") else ""
        yield f"{taint.get('key')}{value}:{taint.get('effect')}"


def _write_lease(out: Text, lease: Object | None) -> None:
    spec: Object = (lease or {}).get("spec") or {}
    out.line("Lease:")
    out.field("HolderIdentity", spec.get("holderIdentity") or UNSET, 1)
    for label, field in (("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")):
        out.field(label, out.time(spec[field]) if spec.get(field) else UNSET, 1)


def _write_conditions(out: Text, conditions: Sequence[Object]) -> None:
    if not conditions:
        return
    out.line("Conditions:")
    columns = ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message")
    out.row(*columns, level=1)
    out.row(*("-" * len(column) for column in columns), level=1)
    for condition in conditions:
        out.row(
            f"{condition.get('type')} ",
            f"{condition.get('status')} ",
            f"{out.time(condition.get('lastHeartbeatTime'))} ",
            f"{out.time(condition.get('lastTransitionTime'))} ",
            f"{condition.get('reason') or ''} ",
            condition.get("message") or "",
            level=1,
        )


def _write_pods(out: Text, pods: Sequence[Object], status: Object) -> None:
    allocatable = _parsed(status.get("allocatable") or status.get("capacity"))
    out.field("Non-terminated Pods", f"({len(pods)} in total)")
    columns = ("CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age")
    out.row("Namespace", "Name", "", *columns, level=1)
    out.row("---------", "----", "", *("-" * len(column) for column in columns), level=1)
    totals: dict[str, list[Quantity]] = {}
    for pod in pods:
        requests, limits = pod_amounts(pod, "requests"), pod_amounts(pod, "limits")
        for name in {**requests, **limits}:
            total = totals.setdefault(name, [_ZERO, _ZERO])
            total[0] += requests.get(name, _ZERO)
            total[1] += limits.get(name, _ZERO)
        metadata = metadata_of(pod)
        out.row(
            metadata.get("namespace"),
            metadata.get("name"),
            "",
            *(
                share(amounts.get(name, _ZERO), allocatable.get(name, _ZERO))
                for name in ("cpu", "memory")
                for amounts in (requests, limits)
            ),
            age(metadata.get("creationTimestamp"), out.now),
            level=1,
        )
    _write_totals(out, totals, allocatable)


def _write_totals(out: Text, totals: Mapping[str, Sequence[Quantity]], allocatable: Amounts) -> None:
    out.line("Allocated resources:")
    out.line("(Total limits may be over 100 percent, i.e., overcommitted.)", 1)
    out.row("Resource", "Requests", "Limits", level=1)
    out.row("--------", "--------", "------", level=1)
    pages = sorted(name for name in allocatable if name.startswith("hugepages-"))
    for name in (*_STANDARD, *pages):
        requested, limited = totals.get(name, (_ZERO, _ZERO))
        available = allocatable.get(name, _ZERO)
        out.row(name, share(requested, available), share(limited, available), level=1)
    for name in sorted(allocatable):
        if "/" in name:
            requested, limited = totals.get(name, (_ZERO, _ZERO))
            out.row(name, requested, limited, level=1)


def share(amount: Quantity, available: Quantity) -> str:
    """`250m (12%)`."""
    percent = amount.millis * 100 // available.millis if available else 0
    return f"{amount} ({percent}%)"


def pod_amounts(pod: Object, kind: str) -> dict[str, Quantity]:
    """What a pod requests, or is limited to, at its hungriest: see the scheduler's rule for init containers."""
    spec: Object = pod.get("spec") or {}
    total: dict[str, Quantity] = {}
    for container in spec.get("containers") or ():
        _add(total, _amounts(container, kind))
    sidecars: dict[str, Quantity] = {}
    peak: dict[str, Quantity] = {}
    for container in spec.get("initContainers") or ():
        wanted = _amounts(container, kind)
        if container.get("restartPolicy") == "Always":
            _add(total, wanted)
            _add(sidecars, wanted)
            moment = sidecars
        else:
            moment = dict(sidecars)
            _add(moment, wanted)
        for name, quantity in moment.items():
            peak[name] = max(peak.get(name, _ZERO), quantity)
    for name, quantity in peak.items():
        total[name] = max(total.get(name, _ZERO), quantity)
    overhead = _parsed(spec.get("overhead"))
    _add(total, {n: q for n, q in overhead.items() if kind == "requests" or n in total})
    return total


def _amounts(container: Object, kind: str) -> dict[str, Quantity]:
    resources: Object = container.get("resources") or {}
    return _parsed(resources.get(kind))


def _parsed(amounts: Mapping[str, str] | None) -> dict[str, Quantity]:
    return {name: parse_quantity(quantity) for name, quantity in (amounts or {}).items()}


def _add(total: dict[str, Quantity], more: Amounts) -> None:
    for name, quantity in more.items():
        total[name] = total.get(name, _ZERO) + quantity
