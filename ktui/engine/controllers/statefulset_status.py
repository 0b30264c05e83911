"""A StatefulSet's status, computed from its pods and its history: a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightkube.models.apps_v1 import StatefulSet, StatefulSetStatus
from lightkube.models.core_v1 import Pod

from ktui.engine.controllers.controller_revisions import REVISION_LABEL, History
from ktui.engine.controllers.objects import (
    available_at,
    is_deleting,
    is_ready,
    labels_of,
    meta,
    name_of,
    phase_of,
)
from ktui.engine.controllers.statefulset_pods import wanted_replicas


def statefulset_status(
    stateful_set: StatefulSet, history: History, pods: Sequence[Pod], now: datetime
) -> StatefulSetStatus:
    """The new status; a rolling update that has reached every pod makes its revision the current one."""
    assert stateful_set.spec is not None
    old = stateful_set.status
    update = name_of(history.update)
    known = history.named(old.currentRevision if old else None)
    current = name_of(known) if known is not None else update
    min_ready = stateful_set.spec.minReadySeconds or 0
    ready = available = of_current = of_update = 0
    for pod in pods:
        revision = labels_of(pod).get(REVISION_LABEL)
        if phase_of(pod) == "Running" and is_ready(pod):
            ready += 1
            since = available_at(pod, min_ready)
            available += since is not None and since <= now
        if not is_deleting(pod):
            of_current += revision == current
            of_update += revision == update
    strategy = stateful_set.spec.updateStrategy
    rolled = strategy is None or strategy.type == "RollingUpdate"
    wanted = wanted_replicas(stateful_set)
    if rolled and of_update == ready == len(pods) == wanted:
        current, of_current = update, of_update
    return StatefulSetStatus(
        replicas=len(pods),
        readyReplicas=ready or None,
        availableReplicas=available,
        currentReplicas=of_current or None,
        updatedReplicas=of_update or None,
        currentRevision=current,
        updateRevision=update,
        observedGeneration=meta(stateful_set).generation,
        collisionCount=history.collisions if history.collisions is not None else 0,
        conditions=old.conditions if old else None,
    )
