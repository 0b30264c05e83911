"""Deployment: rolls a pod template out over ReplicaSets, one a revision.

In: Deployments, their ReplicaSets, and pods (Recreate waits until the old ones are gone). Out: ReplicaSets
created, sized and cleaned up, and the Deployment's revision and status. `revisions`, `rollout` and
`deployment_status` compute, `deployment_writes` writes. Each reconcile makes one step; the ReplicaSets' changes
wake it for the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightkube.models.apps_v1 import Deployment, ReplicaSet
from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers import deployment_status as statuses
from ktui.engine.controllers import revisions, rollout
from ktui.engine.controllers.deployment_writes import DeploymentWrites, HashCollisionError, with_condition
from ktui.engine.controllers.objects import is_deleting, is_finished, key_of, labels_of, uid_of
from ktui.engine.controllers.ownership import (
    Claims,
    controller_of,
    index_ownership,
    owned_by,
    resolve,
)
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.kinds import DEPLOYMENTS, PODS, REPLICA_SETS
from ktui.kube.resource import ObjectKey
from ktui.kube.selector import Selector


@dataclass(frozen=True, slots=True)
class _Rollout:
    """A Deployment and its ReplicaSets as one reconcile knows them. `new` may have to be created."""

    deployment: Deployment
    new: ReplicaSet | None
    old: Sequence[ReplicaSet]

    @property
    def every(self) -> list[ReplicaSet]:
        return [*self.old, self.new] if self.new is not None else list(self.old)


class DeploymentController(Controller[ObjectKey]):
    """Makes the ReplicaSets follow the Deployment's template, size and strategy."""

    name = "deployment-controller"
    workers = 5

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._claims = Claims(client, DEPLOYMENTS, REPLICA_SETS)
        self._writes = DeploymentWrites(client, recorder, clock)

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._deployments = informers.of(DEPLOYMENTS, Deployment)
        self._replica_sets = informers.of(REPLICA_SETS, ReplicaSet)
        self._pods = informers.of(PODS, Pod)
        index_ownership(self._replica_sets)
        index_ownership(self._pods)
        self._deployments.add_handler(enqueue_object(queue))
        self._replica_sets.add_handler(self._replica_set_changed)
        self._pods.add_handler(self._pod_changed)

    def _replica_set_changed(self, delta: Delta[ReplicaSet]) -> None:
        for replica_set in (delta.old, delta.new):
            if replica_set is None:
                continue
            owner = resolve(self._deployments, DEPLOYMENTS, delta.key.namespace, replica_set)
            if owner is not None:
                self._queue.add(key_of(owner))
        if delta.new is not None and controller_of(delta.new) is None:
            for deployment in self._deployments.list(delta.key.namespace):
                if _selector(deployment).matches(labels_of(delta.new)):
                    self._queue.add(key_of(deployment))

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        """A pod that ended may be the last old one a Recreate waits for."""
        if delta.old is None or not (delta.new is None or is_finished(delta.new)):
            return
        namespace = delta.key.namespace
        replica_set = resolve(self._replica_sets, REPLICA_SETS, namespace, delta.old)
        if replica_set is None:
            return
        owner = resolve(self._deployments, DEPLOYMENTS, namespace, replica_set)
        if owner is not None and not rollout.is_rolling(owner):
            self._queue.add(key_of(owner))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        deployment = self._deployments.get(key)
        if deployment is None:
            return None
        selector = _selector(deployment)
        if selector.empty:
            self._recorder.event(
                deployment,
                "Warning",
                "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.",
            )
            return None
        stored = deployment.status
        replica_sets = await self._claims.claim(deployment, selector, self._replica_sets)
        state = _split(deployment, replica_sets)
        if is_deleting(deployment):
            status = statuses.counted(deployment, state.every, state.new, self._clock.now())
        else:
            pause = statuses.pause_condition(deployment, self._clock.now())
            if pause is not None:
                state = _split(with_condition(deployment, pause), replica_sets)
            resizing = bool(deployment.spec and deployment.spec.paused) or rollout.is_scaling(
                deployment, replica_sets
            )
            try:
                if resizing:
                    state = await self._resize(state)
                elif rollout.is_rolling(deployment):
                    state = await self._roll(state)
                else:
                    state = await self._recreate(state)
            except HashCollisionError:
                return None  # The raised collision count wakes us with another hash.
            judge = statuses.counted if resizing else statuses.rolled
            status = judge(state.deployment, state.every, state.new, self._clock.now())
        if status != stored:
            await self._writes.put_status(state.deployment, status)
        later = statuses.deadline_in(state.deployment, status, self._clock.now())
        return None if later is None else Result(later)

    async def _roll(self, state: _Rollout) -> _Rollout:
        """One step of a rolling update: grow the new ReplicaSet, else shrink the old ones."""
        state = await self._revise(state, create=True)
        if state.new is None:
            return state
        now = rollout.size(state.new)
        grown = rollout.new_size(state.deployment, state.every, now)
        if grown != now:
            return await self._apply(state, [(state.new, grown)])
        shrunk = rollout.shrink_old(state.deployment, state.new, state.old)
        if shrunk:
            return await self._apply(state, shrunk)
        await self._clean_up_when_complete(state)
        return state

    async def _recreate(self, state: _Rollout) -> _Rollout:
        """Old pods go first, all of them; only then come the new ones."""
        state = await self._revise(state, create=False)
        running = rollout.active(state.old)
        if running:
            return await self._apply(state, [(each, 0) for each in running])
        if self._old_pods_run(state):
            return state
        state = await self._revise(state, create=True)
        if state.new is None:
            return state
        if rollout.size(state.new) != rollout.wanted(state.deployment):
            return await self._apply(state, [(state.new, rollout.wanted(state.deployment))])
        await self._clean_up_when_complete(state)
        return state

    async def _resize(self, state: _Rollout) -> _Rollout:
        """Follow `spec.replicas` without rolling on: the Deployment was scaled, or is paused."""
        state = await self._revise(state, create=False)
        state = await self._apply(state, rollout.scale(state.deployment, state.new, state.old))
        if state.deployment.spec and state.deployment.spec.paused:
            await self._writes.clean_up(state.deployment, state.old)
        return state

    async def _revise(self, state: _Rollout, *, create: bool) -> _Rollout:
        """Bring annotations and revision numbers up to date, creating the new ReplicaSet if asked."""
        if state.new is not None:
            deployment, new = await self._writes.annotate(state.deployment, state.new, state.old)
            return _Rollout(deployment, new, state.old)
        if not create:
            return state
        deployment, created = await self._writes.create_new(state.deployment, state.old)
        return _Rollout(deployment, created, state.old)

    async def _apply(self, state: _Rollout, sizes: rollout.Sizes) -> _Rollout:
        resized = {
            uid_of(each): await self._writes.resize(state.deployment, each, replicas)
            for each, replicas in sizes
        }
        return _Rollout(
            state.deployment,
            resized.get(uid_of(state.new), state.new) if state.new is not None else None,
            [resized.get(uid_of(each), each) for each in state.old],
        )

    def _old_pods_run(self, state: _Rollout) -> bool:
        return any(
            (each.status is not None and each.status.replicas > 0)
            or any(not is_finished(pod) for pod in owned_by(self._pods, each))
            for each in state.old
        )

    async def _clean_up_when_complete(self, state: _Rollout) -> None:
        if statuses.is_complete(state.deployment, statuses.status_of(state.deployment)):
            await self._writes.clean_up(state.deployment, state.old)


def _split(deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> _Rollout:
    new = revisions.find_new(deployment, replica_sets)
    return _Rollout(deployment, new, [each for each in replica_sets if each is not new])


def _selector(deployment: Deployment) -> Selector:
    return Selector.of(deployment.spec.selector if deployment.spec else None)
