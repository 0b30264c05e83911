"""What a DaemonSet has to do: pods that nodes miss, pods too many, and the next ones to update. Pure functions.

In: the set, its pods by node, where it wants pods, the hash of the present template. Out: nodes to create pods on
and pods to delete. Broken and excess pods go at once; a rolling update keeps to maxUnavailable, or first makes
new pods beside old ones when maxSurge allows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lightkube.models.apps_v1 import DaemonSet, RollingUpdateDaemonSet
from lightkube.models.core_v1 import Pod

from ktui.engine.controllers.controller_revisions import REVISION_LABEL
from ktui.engine.controllers.daemonset_nodes import NOWHERE, Placement
from ktui.engine.controllers.objects import (
    available_at,
    created_at,
    is_deleting,
    is_finished,
    is_ready,
    labels_of,
    name_of,
    phase_of,
)
from ktui.kube.intorstring import scaled

PodsByNode = Mapping[str, Sequence[Pod]]


@dataclass(slots=True)
class Plan:
    """Nodes that get a pod, pods that go, and pods that ended and make room for a new one."""

    create: list[str] = field(default_factory=list[str])
    delete: list[Pod] = field(default_factory=list[Pod])
    finished: list[Pod] = field(default_factory=list[Pod])


def is_available(daemon_set: DaemonSet, pod: Pod, now: datetime) -> bool:
    """Ready for at least minReadySeconds."""
    since = available_at(pod, (daemon_set.spec.minReadySeconds if daemon_set.spec else None) or 0)
    return since is not None and since <= now


def is_new(pod: Pod, hash_text: str) -> bool:
    """Made from the present template."""
    return labels_of(pod).get(REVISION_LABEL) == hash_text


def oldest_first(pods: Sequence[Pod]) -> list[Pod]:
    """Pods that run before pods that don't, then by age."""
    return sorted(pods, key=lambda pod: (phase_of(pod) == "Pending", created_at(pod), name_of(pod)))


def plan_placement(
    daemon_set: DaemonSet,
    wanted: Mapping[str, Placement],
    pods: PodsByNode,
    hash_text: str,
    now: datetime,
) -> Plan:
    """Pods where there should be some and none where there shouldn't."""
    plan = Plan()
    surges = max_surge(daemon_set, len(wanted)) > 0
    for node, placement in wanted.items():
        there = pods.get(node, ())
        if placement.should_run and not there:
            plan.create.append(node)
        elif placement.may_stay:
            plan.finished += [pod for pod in there if is_finished(pod) and not is_deleting(pod)]
            alive = oldest_first([pod for pod in there if not is_finished(pod) and not is_deleting(pod)])
            plan.delete += _excess_surging(daemon_set, alive, hash_text, now) if surges else alive[1:]
        else:
            plan.delete += [pod for pod in there if not is_deleting(pod)]
    for node, there in pods.items():
        if node not in wanted:
            plan.delete += [pod for pod in there if not is_deleting(pod) and not is_scheduled(pod)]
    return plan


def is_scheduled(pod: Pod) -> bool:
    """Bound to a node: one that waits for a node that is gone would wait for ever."""
    return bool(pod.spec and pod.spec.nodeName)


def _excess_surging(
    daemon_set: DaemonSet, alive: Sequence[Pod], hash_text: str, now: datetime
) -> Iterator[Pod]:
    """While surging a node may have one old and one new pod, until the new one is available."""
    new = [pod for pod in alive if is_new(pod, hash_text)]
    old = [pod for pod in alive if not is_new(pod, hash_text)]
    yield from new[1:]
    yield from old[1:]
    if new and old and (not is_ready(old[0]) or is_available(daemon_set, new[0], now)):
        yield old[0]


def plan_update(
    daemon_set: DaemonSet,
    wanted: Mapping[str, Placement],
    pods: PodsByNode,
    hash_text: str,
    now: datetime,
) -> Plan:
    """The next pods to replace with ones of the present template."""
    desired = sum(each.should_run for each in wanted.values())
    surge = max_surge(daemon_set, desired)
    candidates: list[tuple[str, Pod]] = []
    plan = Plan()
    used = 0
    nodes = [node for node in wanted if wanted[node].should_run or pods.get(node)]
    for node in nodes:
        alive = [pod for pod in pods.get(node, ()) if not is_deleting(pod)]
        new = [pod for pod in alive if is_new(pod, hash_text)]
        old = [pod for pod in alive if not is_new(pod, hash_text)]
        if len(new) > 1 or len(old) > 1:
            used += 1
        elif not old:
            used += not surge and (not new or not is_available(daemon_set, new[0], now))
        elif new:
            used += 1
        elif not is_available(daemon_set, old[0], now):
            # It serves nobody, so its replacement costs nothing.
            _replace(plan, node, old[0], surge)
            used += not surge
        elif wanted.get(node, NOWHERE).should_run or not surge:
            candidates.append((node, old[0]))
    allowed = surge or _max_unavailable(daemon_set, desired)
    for node, pod in candidates[: max(0, allowed - used)]:
        _replace(plan, node, pod, surge)
    return plan


def _replace(plan: Plan, node: str, pod: Pod, surge: int) -> None:
    if surge:
        plan.create.append(node)
    else:
        plan.delete.append(pod)


def _rolling(daemon_set: DaemonSet) -> RollingUpdateDaemonSet | None:
    strategy = daemon_set.spec.updateStrategy if daemon_set.spec else None
    return strategy.rollingUpdate if strategy else None


def max_surge(daemon_set: DaemonSet, desired: int) -> int:
    """How many nodes may have a second pod during an update; 0: old pods go before new ones come."""
    rolling = _rolling(daemon_set)
    if rolling is None or rolling.maxSurge is None:
        return 0
    return scaled(rolling.maxSurge, desired, round_up=True)


def _max_unavailable(daemon_set: DaemonSet, desired: int) -> int:
    rolling = _rolling(daemon_set)
    if rolling is None or rolling.maxUnavailable is None:
        return 1
    return max(1, scaled(rolling.maxUnavailable, desired, round_up=True))
