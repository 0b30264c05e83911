"""PodDisruptionBudget: how many of a budget's pods are healthy, and how many may be evicted now.

In: budgets and pods. Out: the budget's status, which the eviction subresource asks and takes from. How many
pods there should be is what their controllers (by the scale subresource) want.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from lightkube.models.core_v1 import Pod
from lightkube.models.policy_v1 import PodDisruptionBudget

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import is_deleting, is_finished, is_ready, labels_of, name_of
from ktui.engine.controllers.ownership import controller_of
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, parse_time, rfc3339
from ktui.kube.data import items, mapping, section
from ktui.kube.errors import StatusError
from ktui.kube.intorstring import scaled
from ktui.kube.kinds import POD_DISRUPTION_BUDGETS, PODS
from ktui.kube.resource import GroupVersionKind, Object, ObjectKey
from ktui.kube.selector import Selector

DISRUPTED_SECONDS: Final = 120.0
"""A pod that was to go and is still there after this counts as staying."""


class _NoScaleError(Exception):
    """A pod whose controller doesn't say how many it wants."""


class DisruptionController(Controller[ObjectKey]):
    """Keeps the status of budgets."""

    name = "disruption-controller"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._budgets = informers.of(POD_DISRUPTION_BUDGETS, PodDisruptionBudget)
        self._budgets.add_handler(enqueue_object(queue))
        self._pods = informers.of(PODS, Pod)
        self._pods.add_handler(self._pod_changed)

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        for key, _ in self._budgets.items():
            if key.namespace == delta.key.namespace:
                self._queue.add(key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        found = self._budgets.get(key)
        if found is None or is_deleting(found):
            return None
        budget = await self._client.get(POD_DISRUPTION_BUDGETS, key.name, key.namespace)
        now = self._clock.now()
        selector = section(budget, "spec").get("selector")
        wanted = Selector.of(selector) if selector is not None else None
        pods = [
            pod
            for pod in self._pods.list(key.namespace)
            if wanted is not None and wanted.matches(labels_of(pod)) and not is_finished(pod)
        ]
        before = section(budget, "status")
        try:
            expected, desired = await self._numbers(section(budget, "spec"), pods, key.namespace)
        except _NoScaleError as error:
            status = {**before, "disruptionsAllowed": 0}
            condition = _condition(before, "False", "SyncFailed", str(error), now)
            await self._write(budget, {**status, "conditions": [condition]})
            return None
        disrupted = _still_disrupted(mapping(before, "disruptedPods"), pods, now)
        healthy = sum(
            is_ready(pod) and not is_deleting(pod) and name_of(pod) not in disrupted for pod in pods
        )
        allowed = max(0, healthy - desired) if expected > 0 else 0
        kind = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
        status: Object = {
            "observedGeneration": section(budget, "metadata").get("generation") or 0,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "disruptionsAllowed": allowed,
            "conditions": [_condition(before, *kind, "", now)],
        }
        if disrupted:
            status["disruptedPods"] = disrupted
        await self._write(budget, status)
        return Result(DISRUPTED_SECONDS) if disrupted else None

    async def _write(self, budget: Object, status: Object) -> None:
        if status != section(budget, "status"):
            await self._client.update(
                POD_DISRUPTION_BUDGETS, {**budget, "status": status}, subresource="status"
            )

    async def _numbers(self, spec: Object, pods: Sequence[Pod], namespace: str) -> tuple[int, int]:
        """How many pods there should be, and how many of them healthy."""
        most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
        if most is not None:
            expected = await self._expected(pods, namespace)
            return expected, max(0, expected - scaled(most, expected, round_up=True))
        if isinstance(least, str):
            expected = await self._expected(pods, namespace)
            return expected, scaled(least, expected, round_up=True)
        return len(pods), int(least if least is not None else 1)

    async def _expected(self, pods: Sequence[Pod], namespace: str) -> int:
        """What the controllers of the pods want together."""
        scales: dict[str, int] = {}
        for pod in pods:
            owner = controller_of(pod)
            if owner is None:
                raise _NoScaleError(f'found no controller ref for pod "{name_of(pod)}"')
            if owner.uid not in scales:
                uid, replicas = await self._scale(owner, namespace)
                scales[uid] = replicas
                scales[owner.uid] = replicas if uid == owner.uid else 0
        return sum(scales.values())

    async def _scale(self, owner: Any, namespace: str) -> tuple[str, int]:
        """The uid and replicas of the topmost controller that can be scaled."""
        group, _, version = str(owner.apiVersion).rpartition("/")
        wanted = GroupVersionKind(group, version, owner.kind)
        resource = next((each for each in await self._client.resources() if each.gvk == wanted), None)
        if resource is None or "scale" not in resource.subresources:
            raise _NoScaleError(f"{owner.kind} {owner.name} does not implement the scale subresource")
        try:
            found = await self._client.get(resource, owner.name, namespace)
            above = next(
                (o for o in items(section(found, "metadata"), "ownerReferences") if o.get("controller")), None
            )
            if above is not None and owner.kind == "ReplicaSet" and above.get("kind") == "Deployment":
                deployment = type(owner)(
                    **{name: above[name] for name in ("apiVersion", "kind", "name", "uid")}
                )
                return await self._scale(deployment, namespace)
            scale = await self._client.get(resource, owner.name, namespace, subresource="scale")
        except StatusError as error:
            if error.is_not_found:
                return owner.uid, 0
            raise
        return owner.uid, int(section(scale, "spec").get("replicas") or 0)


def _still_disrupted(disrupted: dict[str, str], pods: Sequence[Pod], now: datetime) -> dict[str, str]:
    """Pods that were to go, are still there, and may yet go."""
    there = {name_of(pod) for pod in pods if not is_deleting(pod)}
    soon = timedelta(seconds=DISRUPTED_SECONDS)
    return {name: at for name, at in disrupted.items() if name in there and parse_time(at) + soon > now}


def _condition(before: Object, status: str, reason: str, message: str, now: datetime) -> Object:
    conditions = items(before, "conditions")
    old = next((each for each in conditions if each.get("type") == "DisruptionAllowed"), None)
    at = rfc3339(now)
    if old is not None and old.get("status") == status:
        at = old.get("lastTransitionTime") or at
    return {
        "type": "DisruptionAllowed",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": at,
    }
