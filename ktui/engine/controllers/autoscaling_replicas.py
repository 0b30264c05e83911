"""How many replicas a metric asks for: Kubernetes' arithmetic of the HorizontalPodAutoscaler, and nothing else.

In: the pods of a workload, what they use, and a target. Out: a `Proposal`. The ratio of usage to target times
the pods that count is the wish; pods that are not ready yet or say nothing pull it towards what there is, and
never past it. Amounts are thousandths (of a core, of a byte), as in Kubernetes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.controllers.autoscaling_usage import MetricError, Usage
from ktui.engine.controllers.objects import (
    condition_of,
    is_deleting,
    is_ready,
    name_of,
    phase_of,
    plain,
    pod_spec,
    pod_status,
)
from ktui.kube.data import mapping, section
from ktui.kube.quantity import parse_quantity
from ktui.kube.quota import pod_amounts

CPU_INITIALIZATION: Final = timedelta(minutes=5)
"""For so long after its start a pod's CPU counts only once it is ready and was for a whole window."""
INITIAL_READINESS_DELAY: Final = timedelta(seconds=30)
"""A pod that became unready so soon after its start never was ready."""

_MOST: Final = 2**31 - 1
"""More replicas the API can't say."""


class Tolerances(NamedTuple):
    """How far usage may be from its target without anything being done about it."""

    down: float = 0.1
    up: float = 0.1

    def accept(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Proposal(NamedTuple):
    """Replicas that one metric asks for, and the average that it was computed from."""

    replicas: int
    average_millis: int
    utilization: int | None = None
    """Percent of what pods request; None when the target is an amount."""


@dataclass(slots=True)
class PodGroups:
    """Pods (by name) by what their metrics are worth."""

    counted: int = 0
    unready: set[str] = field(default_factory=set[str])
    missing: set[str] = field(default_factory=set[str])
    ignored: set[str] = field(default_factory=set[str])


def group_pods(pods: Sequence[Pod], usages: Mapping[str, Usage], resource: str, now: datetime) -> PodGroups:
    """Sort pods: gone or failed, not ready yet, without metrics; the rest counts."""
    groups = PodGroups()
    for pod in pods:
        name, phase = name_of(pod), phase_of(pod)
        if is_deleting(pod) or phase == "Failed":
            groups.ignored.add(name)
        elif phase == "Pending":
            groups.unready.add(name)
        elif name not in usages:
            groups.missing.add(name)
        elif resource == "cpu" and _is_starting(pod, usages[name], now):
            groups.unready.add(name)
        else:
            groups.counted += 1
    return groups


def _is_starting(pod: Pod, usage: Usage, now: datetime) -> bool:
    """What a pod uses to start up says nothing about its load."""
    ready, started = condition_of(pod, "Ready"), pod_status(pod).startTime
    if ready is None or started is None or ready.lastTransitionTime is None:
        return True
    since, is_unready = ready.lastTransitionTime, ready.status == "False"
    if started + CPU_INITIALIZATION > now:
        return is_unready or usage.at < since + usage.window
    return is_unready and started + INITIAL_READINESS_DELAY > since


def requests_of(pods: Sequence[Pod], resource: str, container: str) -> dict[str, int]:
    """What each pod (or one of its containers) requests; MetricError when one does not say."""
    return {name_of(pod): _request(pod, resource, container) for pod in pods}


def _request(pod: Pod, resource: str, container: str) -> int:
    spec, name = pod_spec(pod), name_of(pod)
    whole = plain(spec) if spec.resources else {}
    if section(whole, "resources", "requests") and not container:
        amount = pod_amounts(whole, "requests").get(resource)
        if amount is None:
            raise MetricError(f"missing pod-level request for {resource} in Pod {name}")
        return amount.millis
    wanted = [each for each in _long_running(pod) if container in ("", each.name)]
    if container and not wanted:
        raise MetricError(f"container {container} not found in Pod {name}")
    return sum(_container_request(each, resource, name) for each in wanted)


def _long_running(pod: Pod) -> list[Container]:
    """Containers, and init containers that run beside them."""
    spec = pod_spec(pod)
    sidecars = [each for each in spec.initContainers or () if each.restartPolicy == "Always"]
    return [*spec.containers, *sidecars]


def _container_request(container: Container, resource: str, pod: str) -> int:
    amount = mapping(section(plain(container), "resources"), "requests").get(resource)
    if amount is None:
        raise MetricError(f"missing request for {resource} in container {container.name} of Pod {pod}")
    return parse_quantity(amount).millis


def by_utilization(
    current: int,
    target: int,
    pods: Sequence[Pod],
    usages: Mapping[str, Usage],
    resource: str,
    container: str,
    tolerances: Tolerances,
    now: datetime,
) -> Proposal:
    """Replicas at which pods use `target` percent of what they request."""
    groups, amounts = _countable(pods, usages, resource, now)
    requests = requests_of(pods, resource, container)

    def utilization(found: Mapping[str, int]) -> int:
        requested = sum(requests[name] for name in found if name in requests)
        if not requested:
            raise MetricError("no metrics returned matched known pods")
        return sum(millis for name, millis in found.items() if name in requests) * 100 // requested

    now_used = utilization(amounts)
    known = [millis for name, millis in amounts.items() if name in requests]
    replicas = _proposed(
        current,
        groups,
        amounts,
        lambda found: utilization(found) / target,
        lambda name: requests[name] * max(100, target) // 100,
        tolerances,
    )
    return Proposal(replicas, sum(known) // len(known), now_used)


def by_average(
    current: int,
    target_millis: int,
    pods: Sequence[Pod],
    usages: Mapping[str, Usage],
    resource: str,
    tolerances: Tolerances,
    now: datetime,
) -> Proposal:
    """Replicas at which each pod uses `target_millis` on average."""
    groups, amounts = _countable(pods, usages, resource, now)

    def average(found: Mapping[str, int]) -> int:
        return sum(found.values()) // len(found)

    used = average(amounts)
    replicas = _proposed(
        current,
        groups,
        amounts,
        lambda found: average(found) / target_millis,
        lambda _: target_millis,
        tolerances,
    )
    return Proposal(replicas, used)


def by_ratio(current: int, ratio: float, pods: Sequence[Pod], tolerances: Tolerances) -> int:
    """Replicas for a metric that is not the pods' own; with none at all the ratio is their number."""
    if current == 0:
        return math.ceil(ratio)
    if tolerances.accept(ratio):
        return current
    if not pods:
        why = "no pods returned by selector while calculating replica count"
        raise MetricError(f"unable to calculate ready pods: {why}")
    return min(math.ceil(ratio * sum(phase_of(pod) == "Running" and is_ready(pod) for pod in pods)), _MOST)


def by_shares(present: int, total_millis: int, target_millis: int, tolerances: Tolerances) -> Proposal:
    """Replicas for a metric of which each pod should have `target_millis`; `present` is how many there are."""
    share = total_millis / present if present else math.inf
    if present and tolerances.accept(share / target_millis):
        replicas = present
    else:
        replicas = min(math.ceil(total_millis / target_millis), _MOST)
    return Proposal(replicas, math.ceil(share) if present else 0)


def _countable(
    pods: Sequence[Pod], usages: Mapping[str, Usage], resource: str, now: datetime
) -> tuple[PodGroups, dict[str, int]]:
    if not pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    groups = group_pods(pods, usages, resource, now)
    left_out = groups.ignored | groups.unready
    amounts = {name: usage.millis for name, usage in usages.items() if name not in left_out}
    if not amounts:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    return groups, amounts


def _proposed(
    current: int,
    groups: PodGroups,
    amounts: Mapping[str, int],
    ratio_of: Callable[[Mapping[str, int]], float],
    when_missing: Callable[[str], int],
    tolerances: Tolerances,
) -> int:
    """The replicas for a ratio; pods that say nothing are assumed to need what makes the change smaller."""
    ratio = ratio_of(amounts)
    unready = groups.unready if ratio > 1.0 else set[str]()
    if not unready and not groups.missing:
        return current if tolerances.accept(ratio) else math.ceil(ratio * groups.counted)
    assumed = dict(amounts)
    if ratio < 1.0:
        assumed |= {name: when_missing(name) for name in groups.missing}
    elif ratio > 1.0:
        assumed |= dict.fromkeys(groups.missing | unready, 0)
    cautious = ratio_of(assumed)
    if tolerances.accept(cautious) or (ratio < 1.0 < cautious) or (cautious < 1.0 < ratio):
        return current
    replicas = math.ceil(cautious * len(assumed))
    turns = (cautious < 1.0 and replicas > current) or (cautious > 1.0 and replicas < current)
    return current if turns else replicas
