"""A ReplicaSet's status, computed from its pods: a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightkube.models.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from lightkube.models.core_v1 import Pod

from ktui.engine.controllers.objects import available_at, is_ready, labels_of, meta
from ktui.kube.clock import whole_second
from ktui.kube.selector import Selector

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
    template = Selector.of_labels(labels_of(replica_set.spec.template))
    min_ready = replica_set.spec.minReadySeconds or 0
    availabilities = (available_at(pod, min_ready) for pod in active)
    return ReplicaSetStatus(
        replicas=len(active),
        fullyLabeledReplicas=sum(template.matches(labels_of(pod)) for pod in active) or None,
        readyReplicas=sum(is_ready(pod) for pod in active) or None,
        availableReplicas=sum(moment is not None and moment <= now for moment in availabilities) or None,
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
