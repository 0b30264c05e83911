"""What a StatefulSet does next: replicas in order, then those beyond the count, then the rolling update.

In: the set, its history and its pods. Out: pods created, repaired or deleted. With OrderedReady one step is taken
at a time and only while everything before it is healthy; with Parallel all replicas move at once. A rolling update
goes from the highest ordinal down to the partition and keeps to `maxUnavailable`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime

from lightkube.models.apps_v1 import RollingUpdateStatefulSetStrategy, StatefulSet
from lightkube.models.core_v1 import Pod

from ktui.engine.controllers.batches import each_of
from ktui.engine.controllers.controller_revisions import REVISION_LABEL, History, template_of_revision
from ktui.engine.controllers.objects import (
    available_at,
    is_deleting,
    is_finished,
    labels_of,
    name_of,
    phase_of,
)
from ktui.engine.controllers.statefulset_control import StatefulPodControl
from ktui.engine.controllers.statefulset_pods import (
    claim_templates,
    first_ordinal,
    identity_matches,
    new_pod,
    ordinal_of,
    wanted_replicas,
)
from ktui.kube.intorstring import scaled


def is_healthy(pod: Pod, min_ready: int, now: datetime) -> bool:
    """Running, ready for long enough, and staying."""
    since = available_at(pod, min_ready)
    return phase_of(pod) == "Running" and not is_deleting(pod) and since is not None and since <= now


class Step:
    """One look at one StatefulSet, and what is done about it."""

    def __init__(
        self,
        stateful_set: StatefulSet,
        history: History,
        current: str | None,
        pods: Sequence[Pod],
        control: StatefulPodControl,
        now: datetime,
    ) -> None:
        assert stateful_set.spec is not None
        self._set = stateful_set
        self._spec = stateful_set.spec
        self._history = history
        self._current = current
        self._control = control
        self._min_ready = stateful_set.spec.minReadySeconds or 0
        self._now = now
        self._in_order = stateful_set.spec.podManagementPolicy != "Parallel"
        self._start = first_ordinal(stateful_set)
        self._stop = self._start + wanted_replicas(stateful_set)
        self._by_ordinal: dict[int, Pod] = {}
        for pod in pods:
            ordinal = ordinal_of(stateful_set, pod)
            if ordinal is not None:
                self._by_ordinal[ordinal] = pod

    async def take(self) -> None:
        """Do what can be done now."""
        condemned = sorted(
            (each for each in self._by_ordinal if not self._start <= each < self._stop), reverse=True
        )
        if await self._replicas() and await self._scale_down(condemned):
            await self._roll()

    async def _replicas(self) -> bool:
        """Whether all replicas are as they should be, as far as the next step needs it."""
        ordinals = range(self._start, self._stop)
        if not self._in_order:
            _raise_first(await each_of(functools.partial(self._replica, ordinal) for ordinal in ordinals))
            return all(
                ordinal in self._by_ordinal and not is_finished(self._by_ordinal[ordinal])
                for ordinal in ordinals
            )
        for ordinal in ordinals:
            await self._replica(ordinal)
            if ordinal not in self._by_ordinal or not self._is_healthy(ordinal):
                return False
        return True

    def _is_healthy(self, ordinal: int) -> bool:
        return is_healthy(self._by_ordinal[ordinal], self._min_ready, self._now)

    async def _replica(self, ordinal: int) -> None:
        pod = self._by_ordinal.get(ordinal)
        if pod is None:
            await self._create(ordinal)
        elif is_finished(pod):
            if not is_deleting(pod):
                self._control.recreating(self._set, pod)
                await self._control.delete(self._set, pod)
        elif not is_deleting(pod):
            if claim_templates(self._set):
                if phase_of(pod) == "Pending":
                    await self._control.claims.create_missing(self._set, ordinal, name_of(pod))
                await self._control.claims.keep_owners(self._set, ordinal, None)
            if not identity_matches(self._set, pod, ordinal):
                await self._control.repair(self._set, pod, ordinal)

    async def _create(self, ordinal: int) -> None:
        current = self._history.named(self._current)
        below = ordinal < self._start + (self._rolling().partition or 0)
        revision = current if below and current is not None else self._history.update
        pod = new_pod(self._set, template_of_revision(revision), name_of(revision), ordinal)
        await self._control.create(self._set, pod, ordinal)

    async def _scale_down(self, condemned: Sequence[int]) -> bool:
        """Whether no pod is beyond the wanted ones any more. In order, a pod that is not healthy is waited for,
        unless all before it are: then it is the one that holds everything up."""
        unhealthy = {each for each in condemned if not self._is_healthy(each)}
        for ordinal in condemned:
            pod = self._by_ordinal[ordinal]
            if self._in_order and ordinal in unhealthy and ordinal != min(unhealthy):
                return False
            if not is_deleting(pod):
                if claim_templates(self._set):
                    await self._control.claims.keep_owners(self._set, ordinal, pod)
                await self._control.delete(self._set, pod)
            if self._in_order:
                return False
        return True

    async def _roll(self) -> None:
        """Delete pods of other revisions, from the highest ordinal down; they come back with the new one."""
        if self._spec.updateStrategy is not None and self._spec.updateStrategy.type == "OnDelete":
            return
        update = name_of(self._history.update)
        most = self._max_unavailable()
        healthy = {ordinal for ordinal in range(self._start, self._stop) if self._is_healthy(ordinal)}
        unavailable = self._stop - self._start - len(healthy)
        waiting = 0
        for ordinal in range(self._stop - 1, self._start + (self._rolling().partition or 0) - 1, -1):
            pod = self._by_ordinal[ordinal]
            outdated = labels_of(pod).get(REVISION_LABEL) != update
            if not outdated or is_deleting(pod):
                waiting += ordinal not in healthy
            elif ordinal not in healthy:
                # It serves nobody: replacing it costs nothing, and may be what repairs the set.
                await self._control.delete(self._set, pod)
                waiting += 1
            elif unavailable < most:
                await self._control.delete(self._set, pod)
                unavailable += 1
                waiting += 1
            if waiting >= most:
                return

    def _rolling(self) -> RollingUpdateStatefulSetStrategy:
        strategy = self._spec.updateStrategy
        return (strategy.rollingUpdate if strategy else None) or RollingUpdateStatefulSetStrategy()

    def _max_unavailable(self) -> int:
        most = self._rolling().maxUnavailable
        if most is None:
            return 1
        return max(1, scaled(most, self._stop - self._start, round_up=False))


def _raise_first(errors: Sequence[BaseException]) -> None:
    if errors:
        raise errors[0]
