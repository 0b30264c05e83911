"""What a node's conditions mean for its taints, and what silence means for its conditions: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightkube.models.core_v1 import Node, NodeCondition, Taint
from msgspec.structs import replace

from ktui.engine.controllers.objects import meta
from ktui.kube.clock import whole_second

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

_BY_CONDITION = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
_MANAGED = frozenset({*_BY_CONDITION.values(), UNSCHEDULABLE})
_FROM_KUBELET = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


def conditions_of(node: Node) -> Sequence[NodeCondition]:
    return (node.status.conditions if node.status else None) or ()


def ready_status(node: Node) -> str:
    """Status of the Ready condition; "Unknown" when it was never set."""
    return next((each.status for each in conditions_of(node) if each.type == "Ready"), "Unknown")


def silent(node: Node, now: datetime) -> list[NodeCondition]:
    """The conditions of a node whose kubelet has gone quiet: what it used to report is unknown."""
    moment = whole_second(now)
    known = {each.type: each for each in conditions_of(node)}
    conditions: list[NodeCondition] = []
    for each in conditions_of(node):
        if each.type in _FROM_KUBELET and each.status != "Unknown":
            each = replace(
                each,
                status="Unknown",
                reason="NodeStatusUnknown",
                message="Kubelet stopped posting node status.",
                lastTransitionTime=moment,
            )
        conditions.append(each)
    for kind in _FROM_KUBELET:
        if kind not in known:
            conditions.append(
                NodeCondition(
                    type=kind,
                    status="Unknown",
                    reason="NodeStatusNeverUpdated",
                    message="Kubelet never posted node status.",
                    lastHeartbeatTime=meta(node).creationTimestamp,
                    lastTransitionTime=moment,
                )
            )
    return conditions


def taints_of(node: Node) -> list[Taint]:
    return list((node.spec.taints if node.spec else None) or ())


def wanted_taints(node: Node, now: datetime, *, evicting: bool) -> list[Taint]:
    """The node's taints as its conditions and `spec.unschedulable` ask for; taints of others stay.

    `evicting` False leaves out NoExecute: when no node is ready, moving pods would help nobody.
    """
    wanted: dict[tuple[str, str], Taint] = {}
    for each in conditions_of(node):
        key = _BY_CONDITION.get((each.type, each.status))
        if key is not None:
            wanted[key, "NoSchedule"] = Taint(key=key, effect="NoSchedule")
            if key in (NOT_READY, UNREACHABLE) and evicting:
                wanted[key, "NoExecute"] = Taint(key=key, effect="NoExecute")
    if node.spec is not None and node.spec.unschedulable:
        wanted[UNSCHEDULABLE, "NoSchedule"] = Taint(key=UNSCHEDULABLE, effect="NoSchedule")
    kept: list[Taint] = []
    for taint in taints_of(node):
        managed = taint.key in _MANAGED and (
            taint.effect == "NoSchedule"
            or (taint.effect == "NoExecute" and taint.key in (NOT_READY, UNREACHABLE))
        )
        if not managed or wanted.pop((taint.key, taint.effect), None) is not None:
            kept.append(taint)
    return kept + [replace(taint, timeAdded=whole_second(now)) for taint in wanted.values()]
