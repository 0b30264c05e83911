"""A DaemonSet's status, computed from where it wants pods and where it has them: a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from lightkube.models.apps_v1 import DaemonSet, DaemonSetStatus

from ktui.engine.controllers.daemonset_nodes import Placement
from ktui.engine.controllers.daemonset_plan import PodsByNode, is_available, is_new, oldest_first
from ktui.engine.controllers.objects import is_ready, meta


def daemonset_status(
    daemon_set: DaemonSet,
    wanted: Mapping[str, Placement],
    pods: PodsByNode,
    hash_text: str,
    collisions: int | None,
    now: datetime,
) -> DaemonSetStatus:
    """Counts of nodes; of several pods on a node the oldest counts."""
    desired = current = misscheduled = ready = available = updated = 0
    for node, placement in wanted.items():
        there = oldest_first(pods.get(node, ()))
        if not placement.should_run:
            misscheduled += bool(there)
            continue
        desired += 1
        if there:
            current += 1
            updated += is_new(there[0], hash_text)
            if is_ready(there[0]):
                ready += 1
                available += is_available(daemon_set, there[0], now)
    return DaemonSetStatus(
        currentNumberScheduled=current,
        numberMisscheduled=misscheduled,
        desiredNumberScheduled=desired,
        numberReady=ready,
        updatedNumberScheduled=updated or None,
        numberAvailable=available or None,
        numberUnavailable=desired - available or None,
        observedGeneration=meta(daemon_set).generation,
        collisionCount=collisions,
        conditions=daemon_set.status.conditions if daemon_set.status else None,
    )
