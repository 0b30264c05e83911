"""Reading typed objects: metadata, pods' states, and how a changed one is written.

lightkube's models mark everything optional; these functions give what a controller can rely on (the API server
sets names and UIDs) and what Kubernetes means by an active, ready or available pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from lightkube.models.core_v1 import Pod, PodCondition, PodSpec, PodStatus
from lightkube.models.meta_v1 import ObjectMeta

from ktui.kube.clock import whole_second
from ktui.kube.resource import Object, ObjectKey


def meta(obj: Any) -> ObjectMeta:
    """The object's metadata, never None."""
    found: ObjectMeta | None = obj.metadata
    return found if found is not None else _NO_METADATA


_NO_METADATA = ObjectMeta()


def uid_of(obj: Any) -> str:
    return meta(obj).uid or ""


def name_of(obj: Any) -> str:
    return meta(obj).name or ""


def namespace_of(obj: Any) -> str:
    return meta(obj).namespace or ""


def key_of(obj: Any) -> ObjectKey:
    return ObjectKey(namespace_of(obj), name_of(obj))


def labels_of(obj: Any) -> dict[str, str]:
    return cast("dict[str, str]", meta(obj).labels or {})  # pyright: ignore[reportUnknownMemberType] - a bare dict in lightkube


def annotations_of(obj: Any) -> dict[str, str]:
    return cast("dict[str, str]", meta(obj).annotations or {})  # pyright: ignore[reportUnknownMemberType] - a bare dict in lightkube


def is_deleting(obj: Any) -> bool:
    return meta(obj).deletionTimestamp is not None


def created_at(obj: Any) -> datetime:
    """When it was created; for sorting, so never None."""
    return meta(obj).creationTimestamp or _NEVER


_NEVER = datetime.fromisoformat("0001-01-01T00:00:00Z")


def plain(obj: Any) -> Object:
    """A typed object as JSON data."""
    return cast(Object, msgspec.to_builtins(obj))


def with_status(obj: Any, status: Any) -> Object:
    """The object with a new status, as an update of the status subresource wants it."""
    return plain(msgspec.structs.replace(obj, status=status))


def pod_status(pod: Pod) -> PodStatus:
    return pod.status or _NO_STATUS


_NO_STATUS = PodStatus()


def pod_spec(pod: Pod) -> PodSpec:
    return pod.spec or _NO_SPEC


_NO_SPEC = PodSpec(containers=[])


def phase_of(pod: Pod) -> str:
    return pod_status(pod).phase or "Pending"


def node_of(pod: Pod) -> str:
    return pod_spec(pod).nodeName or ""


def is_finished(pod: Pod) -> bool:
    """Succeeded or Failed: its containers never run again."""
    return phase_of(pod) in ("Succeeded", "Failed")


def is_active(pod: Pod) -> bool:
    """Counts as a replica: neither finished nor going away."""
    return not is_finished(pod) and not is_deleting(pod)


def condition_of(pod: Pod, kind: str) -> PodCondition | None:
    conditions: Sequence[PodCondition] = pod_status(pod).conditions or ()
    return next((condition for condition in conditions if condition.type == kind), None)


def is_ready(pod: Pod) -> bool:
    condition = condition_of(pod, "Ready")
    return condition is not None and condition.status == "True"


def ready_since(pod: Pod) -> datetime | None:
    """When the pod became ready; None while it is not (or doesn't say)."""
    condition = condition_of(pod, "Ready")
    return condition.lastTransitionTime if condition is not None and condition.status == "True" else None


def available_at(pod: Pod, min_ready_seconds: int) -> datetime | None:
    """The moment from which a ready pod counts as available; None while it isn't ready."""
    if not is_ready(pod):
        return None
    if min_ready_seconds == 0:
        return _NEVER
    since = ready_since(pod)
    return since + timedelta(seconds=min_ready_seconds) if since is not None else None


def seconds_until(moments: Iterable[datetime | None], now: datetime) -> float | None:
    """How long until the first of those moments that lie ahead; None when none does."""
    ahead = [(moment - now).total_seconds() for moment in moments if moment is not None and moment > now]
    return min(ahead, default=None)


def disrupted(pod: Pod, reason: str, message: str, now: datetime) -> list[PodCondition]:
    """The pod's conditions with DisruptionTarget, which says that the cluster ended it, and why."""
    others = [
        condition for condition in pod_status(pod).conditions or () if condition.type != "DisruptionTarget"
    ]
    target = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason=reason,
        message=message,
        lastTransitionTime=whole_second(now),
    )
    return [*others, target]
