"""Which pods of a ReplicaSet go first when it scales down: a pure order over pods.

Kubernetes' order: cheap losses first (unassigned, not running, not ready), then the pod-deletion-cost
annotation, then pods that crowd a node, then younger ones; ages are compared in powers of two, so that among
pods of about the same age chance (the UID) spreads the loss.
"""

from __future__ import annotations

import functools
import heapq
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

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

    def compare(one: _Facts, other: _Facts) -> int:
        return _compare(one, other, now)

    facts = [_facts(pod, crowd) for pod in pods]
    return [each.pod for each in heapq.nsmallest(count, facts, key=functools.cmp_to_key(compare))]


class _Facts(NamedTuple):
    """What is compared, read from a pod once."""

    pod: Pod
    uid: str
    worth: tuple[bool, int, bool, int, int]
    """The lower, the sooner it goes: assigned, phase, ready, deletion cost, company on its node."""
    ready_since: datetime | None
    restarts: tuple[int, int]
    created: datetime | None


def _facts(pod: Pod, crowd: Counter[str]) -> _Facts:
    ready = is_ready(pod)
    node = node_of(pod)
    worth = (bool(node), _PHASES.get(phase_of(pod), 0), ready, deletion_cost(pod), -crowd[node])
    since = ready_since(pod) if ready else None
    return _Facts(pod, uid_of(pod), worth, since, _restarts(pod), meta(pod).creationTimestamp)


def deletion_cost(pod: Pod) -> int:
    """The pod-deletion-cost annotation; 0 when it is missing or no int32 in canonical form."""
    text = annotations_of(pod).get(DELETION_COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if str(cost) == text and -(2**31) <= cost < 2**31 else 0


def _compare(one: _Facts, other: _Facts, now: datetime) -> int:
    """Negative when `one` is to be deleted before `other`."""
    if one.worth != other.worth:
        return -1 if one.worth < other.worth else 1
    if one.worth[2] and one.ready_since != other.ready_since:
        return _newer(one.ready_since, other.ready_since, one, other, now)
    if one.restarts != other.restarts:
        return -1 if one.restarts > other.restarts else 1
    if one.created != other.created:
        return _newer(one.created, other.created, one, other, now)
    return 0


def _newer(a: datetime | None, b: datetime | None, one: _Facts, other: _Facts, now: datetime) -> int:
    """Negative when the first of two different moments is later (none at all counts as latest)."""
    if a is None or b is None:
        return -1 if a is None else 1
    difference = _magnitude(now - a) - _magnitude(now - b)
    return difference or (-1 if one.uid < other.uid else 1)


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
