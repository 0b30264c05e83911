"""Which pods of a ReplicaSet go first when it scales down: a pure order over pods.

Kubernetes' order: cheap losses first (unassigned, not running, not ready), then the pod-deletion-cost
annotation, then pods that crowd a node, then younger ones; ages are compared in powers of two, so that among
pods of about the same age chance (the UID) spreads the loss.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from lightkube.models.core_v1 import Container, ContainerStatus, Pod

from ktui.engine.controllers.objects import (
    annotations_of,
    is_active,
    is_ready,
    meta,
    node_of,
    phase_of,
    pod_spec,
    pod_status,
    ready_since,
    uid_of,
)

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def pods_to_delete(pods: Sequence[Pod], related: Iterable[Pod], count: int, now: datetime) -> list[Pod]:
    """The `count` pods to delete first. `related` are the pods of all ReplicaSets of the same owner."""
    if count >= len(pods):
        return list(pods)
    crowd = Counter(node_of(pod) for pod in related if is_active(pod))

    def compare(one: Pod, other: Pod) -> int:
        return _compare(one, other, crowd, now)

    return sorted(pods, key=functools.cmp_to_key(compare))[:count]


def deletion_cost(pod: Pod) -> int:
    """The pod-deletion-cost annotation; 0 when it is missing or no int32 in canonical form."""
    text = annotations_of(pod).get(DELETION_COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if str(cost) == text and -(2**31) <= cost < 2**31 else 0


def _compare(one: Pod, other: Pod, crowd: Counter[str], now: datetime) -> int:
    """Negative when `one` is to be deleted before `other`."""
    for first, second in (
        (bool(node_of(one)), bool(node_of(other))),
        (_PHASES.get(phase_of(one), 0), _PHASES.get(phase_of(other), 0)),
        (is_ready(one), is_ready(other)),
        (deletion_cost(one), deletion_cost(other)),
        (-crowd[node_of(one)], -crowd[node_of(other)]),
    ):
        if first != second:
            return -1 if first < second else 1
    if is_ready(one) and is_ready(other):
        newer = _newer(ready_since(one), ready_since(other), one, other, now)
        if newer:
            return newer
    for first, second in zip(_restarts(one), _restarts(other), strict=True):
        if first != second:
            return -1 if first > second else 1
    return _newer(meta(one).creationTimestamp, meta(other).creationTimestamp, one, other, now)


def _newer(one: datetime | None, other: datetime | None, a: Pod, b: Pod, now: datetime) -> int:
    """Negative when the first moment is later (no moment at all counts as latest)."""
    if one == other:
        return 0
    if one is None or other is None:
        return -1 if one is None else 1
    difference = _magnitude(now - one) - _magnitude(now - other)
    if difference == 0:
        return -1 if uid_of(a) < uid_of(b) else 1
    return difference


def _magnitude(age: timedelta) -> int:
    nanoseconds = age.total_seconds() * 1e9
    return -1 if nanoseconds <= 0 else int(math.log2(nanoseconds))


def _restarts(pod: Pod) -> tuple[int, int]:
    """The most restarts of a container, and of a restartable init container."""
    init: Sequence[Container] = pod_spec(pod).initContainers or ()
    sidecars = {container.name for container in init if container.restartPolicy == "Always"}
    regular: Sequence[ContainerStatus] = pod_status(pod).containerStatuses or ()
    initial: Sequence[ContainerStatus] = pod_status(pod).initContainerStatuses or ()
    return (
        max((status.restartCount for status in regular), default=0),
        max((status.restartCount for status in initial if status.name in sidecars), default=0),
    )
