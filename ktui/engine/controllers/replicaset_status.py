"""A ReplicaSet's status, computed from its pods: a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightkube.models.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from lightkube.models.core_v1 import Pod

from ktui.engine.controllers.objects import available_at, is_ready, labels_of, meta
from ktui.kube.clock import whole_second

REPLICA_FAILURE = "ReplicaFailure"


def replicaset_status(
    replica_set: ReplicaSet,
    active: Sequence[Pod],
    terminating: int,
    failure: tuple[str, str] | None,
    now: datetime,
) -> ReplicaSetStatus:
    """The new status. `failure` is (reason, message) of a creation or deletion that went wrong."""
    assert replica_set.spec is not None
    wanted = labels_of(replica_set.spec.template).items()
    min_ready = replica_set.spec.minReadySeconds or 0
    labeled = ready = available = 0
    for pod in active:
        labeled += wanted <= labels_of(pod).items()
        since = available_at(pod, min_ready)
        if since is not None or is_ready(pod):
            ready += 1
            available += since is not None and since <= now
    return ReplicaSetStatus(
        replicas=len(active),
        fullyLabeledReplicas=labeled or None,
        readyReplicas=ready or None,
        availableReplicas=available or None,
        terminatingReplicas=terminating,
        observedGeneration=meta(replica_set).generation,
        conditions=_conditions(replica_set, failure, now),
    )


def _conditions(
    replica_set: ReplicaSet, failure: tuple[str, str] | None, now: datetime
) -> list[ReplicaSetCondition] | None:
    status = replica_set.status
    current: Sequence[ReplicaSetCondition] = (status.conditions if status else None) or ()
    others = [condition for condition in current if condition.type != REPLICA_FAILURE]
    if failure is None:
        return others or None
    reason, message = failure
    known = next((condition for condition in current if condition.type == REPLICA_FAILURE), None)
    if known is None:
        known = ReplicaSetCondition(
            type=REPLICA_FAILURE,
            status="True",
            reason=reason,
            message=message,
            lastTransitionTime=whole_second(now),
        )
    return [*others, known]
