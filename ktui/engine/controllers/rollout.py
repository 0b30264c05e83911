"""How many replicas each ReplicaSet of a Deployment gets next: the arithmetic of rollouts, pure.

RollingUpdate lets the total grow to replicas + maxSurge and keeps replicas - maxUnavailable available; scaling
in the middle of a rollout spreads the change over all active ReplicaSets in proportion to their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from lightkube.models.apps_v1 import Deployment, ReplicaSet

from ktui.engine.controllers.objects import created_at, name_of, uid_of
from ktui.engine.controllers.revisions import DESIRED_REPLICAS, MAX_REPLICAS, by_age, number_in
from ktui.kube.intorstring import scaled

Sizes: TypeAlias = list[tuple[ReplicaSet, int]]
"""ReplicaSets with the size each is to get."""


def wanted(deployment: Deployment) -> int:
    replicas = deployment.spec.replicas if deployment.spec else None
    return 1 if replicas is None else replicas


def is_rolling(deployment: Deployment) -> bool:
    strategy = deployment.spec.strategy if deployment.spec else None
    return strategy is None or strategy.type in (None, "RollingUpdate")


def fenceposts(deployment: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods: the surge rounded up, the rest down, never both zero."""
    strategy = deployment.spec.strategy if deployment.spec else None
    rolling = strategy.rollingUpdate if strategy else None
    replicas = wanted(deployment)
    surge = rolling.maxSurge if rolling is not None and rolling.maxSurge is not None else "25%"
    gap = rolling.maxUnavailable if rolling is not None and rolling.maxUnavailable is not None else "25%"
    most, missing = scaled(surge, replicas, round_up=True), scaled(gap, replicas, round_up=False)
    return (most, missing) if most or missing else (0, 1)


def max_surge(deployment: Deployment) -> int:
    return fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Deployment) -> int:
    if not is_rolling(deployment) or wanted(deployment) == 0:
        return 0
    return min(fenceposts(deployment)[1], wanted(deployment))


def size(replica_set: ReplicaSet) -> int:
    replicas = replica_set.spec.replicas if replica_set.spec else None
    return 1 if replicas is None else replicas


def available(replica_set: ReplicaSet) -> int:
    return (replica_set.status.availableReplicas if replica_set.status else None) or 0


def total(replica_sets: Iterable[ReplicaSet]) -> int:
    return sum(map(size, replica_sets))


def active(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    return [each for each in replica_sets if size(each) > 0]


def new_size(deployment: Deployment, every: Sequence[ReplicaSet], new: int) -> int:
    """The next size of the new ReplicaSet, now `new`; `every` are all that count towards the total."""
    replicas = wanted(deployment)
    if not is_rolling(deployment):
        return replicas
    if new >= replicas:
        return replicas
    room = replicas + max_surge(deployment) - total(every)
    return new if room <= 0 else new + min(room, replicas - new)


def shrink_old(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> Sizes:
    """The next sizes of the old ReplicaSets in a rolling update: unhealthy pods first, then what may go."""
    running = active(old)
    every = [*old, new] if new is not None else list(old)
    least = wanted(deployment) - max_unavailable(deployment)
    new_unavailable = size(new) - available(new) if new is not None else 0
    may_go = total(every) - least - new_unavailable
    if not running or may_go <= 0:
        return []
    sizes = {uid_of(each): size(each) for each in running}
    for each in by_age(running):
        unhealthy = min(max(size(each) - available(each), 0), may_go)
        sizes[uid_of(each)] -= unhealthy
        may_go -= unhealthy
    # A status may lag behind: a set sized down to 8 keeps 8 at most, even if 10 are still reported.
    surplus = sum(min(available(each), size(each)) for each in every) - least
    for each in by_age(running):
        going = min(max(surplus, 0), sizes[uid_of(each)])
        sizes[uid_of(each)] -= going
        surplus -= going
    return [(each, sizes[uid_of(each)]) for each in running if sizes[uid_of(each)] != size(each)]


def is_scaling(deployment: Deployment, replica_sets: Iterable[ReplicaSet]) -> bool:
    """Whether the Deployment was resized since its ReplicaSets were last sized."""
    return any(
        desired is not None and desired != wanted(deployment)
        for desired in (number_in(each, DESIRED_REPLICAS) for each in active(replica_sets))
    )


def scale(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> Sizes:
    """Sizes after a resize of the Deployment (or while it is paused), without rolling any further."""
    alone = _active_or_latest(new, old)
    if alone is not None:
        return [(alone, wanted(deployment))]
    if new is not None and is_saturated(deployment, new):
        return [(each, 0) for each in active(old)]
    running = active([*old, new] if new is not None else old)
    if not is_rolling(deployment):
        return [(each, size(each)) for each in running]
    return _proportional(deployment, running)


def is_saturated(deployment: Deployment, replica_set: ReplicaSet) -> bool:
    """The ReplicaSet has all of the Deployment's replicas, available, and was sized for just that."""
    replicas = wanted(deployment)
    return (
        size(replica_set) == replicas
        and number_in(replica_set, DESIRED_REPLICAS) == replicas
        and available(replica_set) == replicas
    )


def _active_or_latest(new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> ReplicaSet | None:
    running = active([*old, new] if new is not None else old)
    if len(running) > 1:
        return None
    if running:
        return running[0]
    return new if new is not None else (by_age(old)[-1] if old else None)


def _proportional(deployment: Deployment, running: list[ReplicaSet]) -> Sizes:
    replicas = wanted(deployment)
    allowed = replicas + max_surge(deployment) if replicas > 0 else 0
    to_add = allowed - total(running)
    # The largest first; among equals growth goes to the newest, shrinking hits the oldest.
    ordered = sorted(running, key=lambda each: (created_at(each), name_of(each)), reverse=to_add > 0)
    ordered.sort(key=size, reverse=True)
    added = 0
    sizes: Sizes = []
    for each in ordered:
        share = _share(deployment, each, to_add, added)
        sizes.append((each, size(each) + share))
        added += share
    if sizes and to_add:
        largest, planned = sizes[0]
        sizes[0] = (largest, max(planned + to_add - added, 0))
    return sizes


def _share(deployment: Deployment, replica_set: ReplicaSet, to_add: int, added: int) -> int:
    if to_add == added:
        return 0
    fraction = _fraction(deployment, replica_set)
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(deployment: Deployment, replica_set: ReplicaSet) -> int:
    """By how much the ReplicaSet would change to keep its share of the Deployment's most replicas."""
    if wanted(deployment) == 0:
        return -size(replica_set)
    most = wanted(deployment) + max_surge(deployment)
    before = number_in(replica_set, MAX_REPLICAS) or 0
    if before == 0:
        before = (deployment.status.replicas if deployment.status else None) or 0
    if before == 0:
        return 0
    # Half away from zero, as Go rounds; sizes are never negative.
    return (2 * size(replica_set) * most + before) // (2 * before) - size(replica_set)
