"""A pod, and the pod template of a workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ktui.describe.containers import write_containers, write_resources
from ktui.describe.fields import (
    controlled_by,
    label_selector,
    metadata_of,
    write_annotations,
    write_events,
    write_labels,
    write_tolerations,
)
from ktui.describe.related import Related
from ktui.describe.text import NONE, Text
from ktui.describe.volumes import write_volumes
from ktui.kube.age import age
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object


def describe_pod(out: Text, pod: Object, related: Related) -> None:
    """Write a pod."""
    metadata = metadata_of(pod)
    spec: Object = pod.get("spec") or {}
    status: Object = pod.get("status") or {}
    _write_head(out, metadata, spec, status)
    _write_phase(out, metadata, spec, status)
    out.field("IP", status.get("podIP") or "")
    ips: Sequence[Object] = status.get("podIPs") or ()
    out.line("IPs:" if ips else f"IPs:\t{NONE}")
    for ip in ips:
        out.field("IP", ip.get("ip") or "", 1)
    if owner := controlled_by(pod):
        out.field("Controlled By", owner)
    if status.get("nominatedNodeName"):
        out.field("NominatedNodeName", status["nominatedNodeName"])
    if spec.get("resources"):
        out.line("Resources:")
        write_resources(out, spec["resources"], 1)
    _write_all_containers(out, pod, spec, status)
    _write_conditions(out, spec, status)
    write_volumes(out, spec.get("volumes"))
    out.field("QoS Class", status.get("qosClass") or qos_class(spec))
    write_labels(out, "Node-Selectors", spec.get("nodeSelector"))
    write_tolerations(out, "Tolerations", spec.get("tolerations"))
    _write_spread(out, spec.get("topologySpreadConstraints"))
    write_events(out, related.events)


def write_pod_template(out: Text, template: Object) -> None:
    """The pod template of a workload."""
    metadata = metadata_of(template)
    spec: Object = template.get("spec") or {}
    out.line("Pod Template:")
    write_labels(out, "  Labels", metadata.get("labels"))
    if metadata.get("annotations"):
        write_annotations(out, "  Annotations", metadata["annotations"])
    if spec.get("serviceAccountName"):
        out.field("Service Account", spec["serviceAccountName"], 1)
    if spec.get("initContainers"):
        write_containers(out, "Init Containers", spec["initContainers"], indent="  ")
    write_containers(out, "Containers", spec.get("containers") or (), indent="  ")
    write_volumes(out, spec.get("volumes"), "  ")
    _write_spread(out, spec.get("topologySpreadConstraints"), "  ")
    if spec.get("priorityClassName"):
        out.field("Priority Class Name", spec["priorityClassName"], 1)
    write_labels(out, "  Node-Selectors", spec.get("nodeSelector"))
    write_tolerations(out, "  Tolerations", spec.get("tolerations"))


def qos_class(spec: Object) -> str:
    """The quality of service class, worked out for a pod whose status doesn't say it yet."""
    containers: list[Object] = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    resources: list[Object] = [container.get("resources") or {} for container in containers]
    requests: list[Mapping[str, str]] = [each.get("requests") or {} for each in resources]
    limits: list[Mapping[str, str]] = [each.get("limits") or {} for each in resources]
    if not any(_of_qos(amounts) for amounts in (*requests, *limits)):
        return "BestEffort"
    for wanted, limit in zip(requests, limits, strict=True):
        capped = _of_qos(limit)
        if len(capped) != len(_QOS_RESOURCES) or {**capped, **_of_qos(wanted)} != capped:
            return "Burstable"
    return "Guaranteed"


_QOS_RESOURCES: Final = ("cpu", "memory")


def _of_qos(amounts: Mapping[str, str]) -> dict[str, object]:
    parsed = {name: parse_quantity(amounts[name]) for name in _QOS_RESOURCES if name in amounts}
    return {name: quantity for name, quantity in parsed.items() if quantity}


def _write_head(out: Text, metadata: Object, spec: Object, status: Object) -> None:
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    if spec.get("priority") is not None:
        out.field("Priority", spec["priority"])
    for label, field in (
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ):
        if spec.get(field):
            out.field(label, spec[field])
    node = spec.get("nodeName")
    out.field("Node", f"{node}/{status.get('hostIP') or ''}" if node else NONE)
    if status.get("startTime"):
        out.field("Start Time", out.time(status["startTime"]))
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))


def _write_phase(out: Text, metadata: Object, spec: Object, status: Object) -> None:
    phase = status.get("phase") or ""
    if metadata.get("deletionTimestamp") and phase not in ("Failed", "Succeeded"):
        out.field("Status", f"Terminating (lasts {age(metadata['deletionTimestamp'], out.now)})")
        out.field("Termination Grace Period", f"{metadata.get('deletionGracePeriodSeconds') or 0}s")
    else:
        out.field("Status", phase)
    if status.get("reason"):
        out.field("Reason", status["reason"])
    if status.get("message"):
        out.field("Message", status["message"])
    security: Object = spec.get("securityContext") or {}
    profile: Object | None = security.get("seccompProfile")
    if profile is not None:
        out.field("SeccompProfile", profile.get("type") or "")
        if profile.get("type") == "Localhost":
            out.field("LocalhostProfile", profile.get("localhostProfile") or "")


def _write_all_containers(out: Text, pod: Object, spec: Object, status: Object) -> None:
    def resolve(path: str) -> str:
        return field_value(pod, path)

    if spec.get("initContainers"):
        write_containers(
            out,
            "Init Containers",
            spec["initContainers"],
            status.get("initContainerStatuses") or (),
            resolve,
        )
    write_containers(
        out, "Containers", spec.get("containers") or (), status.get("containerStatuses") or (), resolve
    )
    if spec.get("ephemeralContainers"):
        write_containers(
            out,
            "Ephemeral Containers",
            spec["ephemeralContainers"],
            status.get("ephemeralContainerStatuses") or (),
            resolve,
        )


def field_value(pod: Object, path: str) -> str:
    """The fields kubectl resolves; of the others only the container knows the value it was started with."""
    if path not in ("metadata.name", "metadata.namespace"):
        return ""
    return str(metadata_of(pod).get(path.removeprefix("metadata.")) or "")


def _write_conditions(out: Text, spec: Object, status: Object) -> None:
    conditions: Sequence[Object] = status.get("conditions") or ()
    gates: Sequence[Object] = spec.get("readinessGates") or ()
    states = {condition.get("type"): condition.get("status") for condition in conditions}
    if gates:
        out.line("Readiness Gates:")
        out.row("Type", "Status", level=1)
    for gate in gates:
        kind = gate.get("conditionType")
        out.row(f"{kind} ", f"{states.get(kind, NONE)} ", level=1)
    if conditions:
        out.line("Conditions:")
        out.row("Type", "Status", level=1)
    for condition in conditions:
        out.row(f"{condition.get('type')} ", f"{condition.get('status')} ", level=1)


def _write_spread(out: Text, constraints: Sequence[Object] | None, indent: str = "") -> None:
    lead = f"{indent}Topology Spread Constraints:"
    for constraint in sorted(constraints or (), key=lambda each: str(each.get("topologyKey"))):
        text = (
            f"{constraint.get('topologyKey')}:{constraint.get('whenUnsatisfiable')}"
            f" when max skew {constraint.get('maxSkew')} is exceeded"
        )
        if constraint.get("labelSelector") is not None:
            text += f" for selector {label_selector(constraint['labelSelector'])}"
        out.row(lead, text)
        lead = indent
