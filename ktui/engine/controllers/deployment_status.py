"""A Deployment's status and conditions, computed from its ReplicaSets: pure functions.

Reasons and messages are the deployment controller's of Kubernetes; `kubectl rollout status` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from lightkube.models.apps_v1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from msgspec.structs import replace

from ktui.engine.controllers.objects import meta, name_of
from ktui.engine.controllers.rollout import available, max_unavailable, total, wanted
from ktui.kube.clock import whole_second

AVAILABLE = "Available"
PROGRESSING = "Progressing"
REPLICA_FAILURE = "ReplicaFailure"

NEW_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"

Conditions = Sequence[DeploymentCondition]


def status_of(deployment: Deployment) -> DeploymentStatus:
    return deployment.status or DeploymentStatus()


def find(conditions: Conditions | None, kind: str) -> DeploymentCondition | None:
    return next((each for each in conditions or () if each.type == kind), None)


def condition(kind: str, status: str, reason: str, message: str, now: datetime) -> DeploymentCondition:
    moment = whole_second(now)
    return DeploymentCondition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        lastUpdateTime=moment,
        lastTransitionTime=moment,
    )


def put(conditions: Conditions | None, new: DeploymentCondition) -> list[DeploymentCondition]:
    """With `new` in the place of the condition of its type; unchanged if status and reason are the same."""
    current = find(conditions, new.type or "")
    if current is not None and current.status == new.status:
        if current.reason == new.reason:
            return list(conditions or ())
        new = replace(new, lastTransitionTime=current.lastTransitionTime)
    return [*without(conditions, new.type or ""), new]


def without(conditions: Conditions | None, kind: str) -> list[DeploymentCondition]:
    return [each for each in conditions or () if each.type != kind]


def deadline(deployment: Deployment) -> int | None:
    """progressDeadlineSeconds; None when there is none (the largest int32 means the same)."""
    seconds = deployment.spec.progressDeadlineSeconds if deployment.spec else None
    return None if seconds == 2**31 - 1 else seconds


def counted(
    deployment: Deployment, every: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """The status as its ReplicaSets have it, with the Available condition brought up to date."""
    ready_enough = sum(map(available, every))
    if ready_enough >= wanted(deployment) - max_unavailable(deployment):
        news = condition(
            AVAILABLE,
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            now,
        )
    else:
        news = condition(
            AVAILABLE,
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
            now,
        )
    return DeploymentStatus(
        observedGeneration=meta(deployment).generation,
        replicas=_actual(every) or None,
        updatedReplicas=(_actual([new]) if new is not None else 0) or None,
        readyReplicas=sum((each.status.readyReplicas or 0) for each in every if each.status) or None,
        availableReplicas=ready_enough or None,
        unavailableReplicas=max(total(every) - ready_enough, 0) or None,
        terminatingReplicas=sum((each.status.terminatingReplicas or 0) for each in every if each.status),
        collisionCount=status_of(deployment).collisionCount,
        conditions=put(status_of(deployment).conditions, news),
    )


def rolled(
    deployment: Deployment, every: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """`counted`, with progress judged: complete, moving on, or out of time."""
    status = counted(deployment, every, new, now)
    conditions: Conditions = status.conditions or ()
    limit = deadline(deployment)
    current = find(status_of(deployment).conditions, PROGRESSING)
    if limit is None:
        conditions = without(conditions, PROGRESSING)
    elif not (
        current is not None
        and current.reason == NEW_AVAILABLE
        and (status.replicas or 0) == (status.updatedReplicas or 0)
    ):
        what = f'ReplicaSet "{name_of(new)}"' if new is not None else f'Deployment "{name_of(deployment)}"'
        if is_complete(deployment, status):
            message = f"{what} has successfully progressed."
            conditions = put(conditions, condition(PROGRESSING, "True", NEW_AVAILABLE, message, now))
        elif has_progressed(deployment, status):
            news = condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{what} is progressing.", now)
            if current is not None and current.status == "True":
                news = replace(news, lastTransitionTime=current.lastTransitionTime)
            conditions = [*without(conditions, PROGRESSING), news]
        elif has_timed_out(current, limit, now):
            message = f"{what} has timed out progressing."
            conditions = put(conditions, condition(PROGRESSING, "False", TIMED_OUT, message, now))
    failure = _replica_failure(([new] if new is not None else []) + list(every))
    conditions = put(conditions, failure) if failure else without(conditions, REPLICA_FAILURE)
    return replace(status, conditions=list(conditions))


def pause_condition(deployment: Deployment, now: datetime) -> DeploymentCondition | None:
    """The Progressing condition to set because the Deployment was paused or resumed, if any."""
    if deadline(deployment) is None:
        return None
    current = find(status_of(deployment).conditions, PROGRESSING)
    if current is not None and current.reason == TIMED_OUT:
        return None
    known = current is not None and current.reason == PAUSED
    paused = bool(deployment.spec and deployment.spec.paused)
    if paused and not known:
        return condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now)
    if not paused and known:
        return condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now)
    return None


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Only new pods, all of them, all available, and this is about the latest generation."""
    replicas = wanted(deployment)
    return (
        (status.updatedReplicas or 0) == replicas
        and (status.replicas or 0) == replicas
        and (status.availableReplicas or 0) == replicas
        and (status.observedGeneration or 0) >= (meta(deployment).generation or 0)
    )


def has_progressed(deployment: Deployment, status: DeploymentStatus) -> bool:
    """More updated, ready or available pods than before, or fewer old ones."""
    before = status_of(deployment)
    return (
        (status.updatedReplicas or 0) > (before.updatedReplicas or 0)
        or _old(status) < _old(before)
        or (status.readyReplicas or 0) > (before.readyReplicas or 0)
        or (status.availableReplicas or 0) > (before.availableReplicas or 0)
    )


def has_timed_out(current: DeploymentCondition | None, limit: int, now: datetime) -> bool:
    """No progress for longer than the deadline. A finished rollout has none to make."""
    if current is None or current.reason == NEW_AVAILABLE:
        return False
    if current.reason == TIMED_OUT:
        return True
    since = current.lastUpdateTime
    return since is not None and since + timedelta(seconds=limit) < now


def deadline_in(deployment: Deployment, status: DeploymentStatus, now: datetime) -> float | None:
    """Seconds until the deadline has to be checked; None when nothing runs against it."""
    limit = deadline(deployment)
    current = find(status.conditions, PROGRESSING)
    if limit is None or current is None or current.lastUpdateTime is None:
        return None
    if current.reason == TIMED_OUT or is_complete(deployment, status):
        return None
    left = (current.lastUpdateTime + timedelta(seconds=limit) - now).total_seconds()
    return max(left, 0.0) + 1.0


def _old(status: DeploymentStatus) -> int:
    return (status.replicas or 0) - (status.updatedReplicas or 0)


def _actual(replica_sets: Iterable[ReplicaSet]) -> int:
    return sum(each.status.replicas for each in replica_sets if each.status)


def _replica_failure(replica_sets: Iterable[ReplicaSet]) -> DeploymentCondition | None:
    """The first ReplicaFailure of a ReplicaSet (the new one is asked first), as the Deployment's own."""
    for each in replica_sets:
        for found in (each.status.conditions if each.status else None) or ():
            if found.type == REPLICA_FAILURE:
                return DeploymentCondition(
                    type=REPLICA_FAILURE,
                    status=found.status,
                    reason=found.reason,
                    message=found.message,
                    lastTransitionTime=found.lastTransitionTime,
                    lastUpdateTime=found.lastTransitionTime,
                )
    return None
