"""The part of a pod's status the scheduler writes: the PodScheduled condition and the nominated node."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from lightkube.models.core_v1 import Pod, PodCondition

from ktui.kube.clock import rfc3339
from ktui.kube.resource import Object

Reason = Literal["Unschedulable", "SchedulingGated", "SchedulerError"]


def not_scheduled(
    pod: Pod, reason: Reason, message: str, now: datetime, nominated_node: str | None = None
) -> Object | None:
    """A strategic merge patch of the status that says why the pod has no node; None if it says so already.

    `nominated_node` None leaves that field as it is, "" clears it.
    """
    status: Object = {}
    old = condition(pod, "PodScheduled")
    if old is None or (old.status, old.reason, old.message) != ("False", reason, message):
        changed: Object = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
        if pod.metadata is not None and pod.metadata.generation:
            changed["observedGeneration"] = pod.metadata.generation
        unchanged_since = old.lastTransitionTime if old is not None and old.status == "False" else None
        changed["lastTransitionTime"] = rfc3339(unchanged_since or now)
        status["conditions"] = [changed]
    if nominated_node is not None and nominated_node != nominated_node_of(pod):
        status["nominatedNodeName"] = nominated_node or None
    return _patch(pod, status)


def disruption_target(pod: Pod, scheduler_name: str, now: datetime) -> Object | None:
    """A patch that marks a victim of preemption."""
    message = f"{scheduler_name}: preempting to accommodate a higher priority pod"
    marked: Object = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": message,
        "lastTransitionTime": rfc3339(now),
    }
    return _patch(pod, {"conditions": [marked]})


def nomination(pod: Pod, node: str) -> Object | None:
    """A patch of the nominated node alone; None if it is that already."""
    if nominated_node_of(pod) == node:
        return None
    return _patch(pod, {"nominatedNodeName": node or None})


def condition(pod: Pod, kind: str) -> PodCondition | None:
    """The pod's condition of that type."""
    conditions = (pod.status.conditions if pod.status is not None else None) or ()
    return next((found for found in conditions if found.type == kind), None)


def nominated_node_of(pod: Pod) -> str:
    """`status.nominatedNodeName`, or ""."""
    return (pod.status.nominatedNodeName if pod.status is not None else None) or ""


def _patch(pod: Pod, status: Object) -> Object | None:
    """The uid makes the patch miss a pod that was deleted and made anew under the same name."""
    if not status:
        return None
    uid = pod.metadata.uid if pod.metadata is not None else None
    return {"metadata": {"uid": uid}, "status": status} if uid else {"status": status}
