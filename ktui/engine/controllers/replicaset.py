"""ReplicaSet: keeps a number of identical pods.

In: ReplicaSets and pods. Out: pods created in slow-start batches or deleted in Kubernetes' order, pods adopted
and released, and the status. What it has just done but not yet seen is kept as expectations, so a stale cache
never makes it create twice.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Any, ClassVar

from lightkube.models.apps_v1 import ReplicaSet, ReplicaSetStatus
from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Informer, Informers
from ktui.engine.controllers.batches import each_of, slow_start
from ktui.engine.controllers.deletion_order import pods_to_delete
from ktui.engine.controllers.expectations import Expectations
from ktui.engine.controllers.objects import (
    available_at,
    is_active,
    is_deleting,
    is_finished,
    key_of,
    seconds_until,
    uid_of,
    with_status,
)
from ktui.engine.controllers.ownership import (
    Claims,
    controller_of,
    index_ownership,
    owned_by,
)
from ktui.engine.controllers.pod_control import PodControl, is_namespace_terminating, pod_from_template
from ktui.engine.controllers.pod_owners import PodOwners
from ktui.engine.controllers.replicaset_status import replicaset_status
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS, REPLICA_SETS
from ktui.kube.resource import ObjectKey, Resource
from ktui.kube.selector import Selector

BURST = 500
"""Most pods created or deleted in one reconcile."""
LARGE = 100
GATHERING_SECONDS = 0.05


class ReplicaSetController(Controller[ObjectKey]):
    """Makes the number of pods match `spec.replicas`."""

    name = "replicaset-controller"
    workers = 5
    resource: ClassVar[Resource] = REPLICA_SETS
    model: ClassVar[type[Any]] = ReplicaSet
    """What owners are decoded to: a ReplicaSet, or what has the same fields."""

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._pod_control = PodControl(client, recorder)
        self._claims = Claims(client, self.resource, PODS)
        self._expectations = Expectations(clock)

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._replica_sets: Informer[ReplicaSet] = informers.of(self.resource, self.model)
        self._pods = informers.of(PODS, Pod)
        index_ownership(self._pods)
        index_ownership(self._replica_sets)
        self._replica_sets.add_handler(enqueue_object(queue))
        owners = PodOwners(
            self._replica_sets, self.resource, self.selector, self._enqueue, self._expectations
        )
        self._pods.add_handler(owners.pod_changed)

    @staticmethod
    def selector(replica_set: ReplicaSet) -> Selector:
        """Which pods are its own."""
        return Selector.of(replica_set.spec.selector)

    @staticmethod
    def shown(status: ReplicaSetStatus) -> ReplicaSetStatus:
        """What of the status the kind has."""
        return status

    def _enqueue(self, owner: ReplicaSet) -> None:
        """Look at the owner of a pod that changed. A reconcile looks at all pods, so a large one waits for
        more changes to come."""
        pods = owner.status.replicas if owner.status else 0
        self._queue.add_after(key_of(owner), GATHERING_SECONDS if pods > LARGE else 0)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        replica_set = self._replica_sets.get(key)
        if replica_set is None:
            self._expectations.forget(key)
            return None
        satisfied = self._expectations.satisfied(key)
        claimed = await self._claims.claim(
            replica_set, self.selector(replica_set), self._pods, lambda pod: not is_finished(pod)
        )
        active = [pod for pod in claimed if is_active(pod)]
        terminating = sum(is_deleting(pod) and not is_finished(pod) for pod in claimed)
        failure: tuple[str, str] | None = None
        error: BaseException | None = None
        if satisfied and not is_deleting(replica_set):
            failure, error = await self._scale(key, replica_set, active)
        now = self._clock.now()
        status = self.shown(replicaset_status(replica_set, active, terminating, failure, now))
        if status != replica_set.status:
            await self._client.update(self.resource, with_status(replica_set, status), subresource="status")
        if error is not None:
            raise error
        min_ready = replica_set.spec.minReadySeconds or 0
        if not min_ready:
            return None
        later = seconds_until((available_at(pod, min_ready) for pod in active), now)
        return None if later is None else Result(later)

    async def _scale(
        self, key: ObjectKey, replica_set: ReplicaSet, active: Sequence[Pod]
    ) -> tuple[tuple[str, str] | None, BaseException | None]:
        """Create or delete the difference; what failed, for the condition, and the error to retry on."""
        wanted = _wanted(replica_set)
        missing = wanted - len(active)
        if missing > 0:
            error = await self._create(key, replica_set, min(missing, BURST))
            return (("FailedCreate", str(error)) if error else None), error
        if missing < 0:
            related = [
                pod for sibling in self._siblings(replica_set) for pod in owned_by(self._pods, sibling)
            ]
            victims = pods_to_delete(active, related, min(-missing, BURST), self._clock.now())
            error = await self._delete(key, replica_set, victims)
            return (("FailedDelete", str(error)) if error else None), error
        return None, None

    def _siblings(self, replica_set: ReplicaSet) -> list[ReplicaSet]:
        reference = controller_of(replica_set)
        if reference is None:
            return [replica_set]
        return self._replica_sets.by_index("controller", reference.uid)

    async def _create(self, key: ObjectKey, replica_set: ReplicaSet, count: int) -> BaseException | None:
        assert replica_set.spec.template is not None
        pod = pod_from_template(replica_set.spec.template, replica_set, self.resource)
        self._expectations.expect_creations(key, count)

        async def create() -> None:
            try:
                await self._pod_control.create(pod, replica_set)
            except StatusError as error:
                if not is_namespace_terminating(error):
                    raise

        try:
            done, error = await slow_start(count, create)
        except asyncio.CancelledError:
            self._expectations.forget(key)
            raise
        if done < count:
            self._expectations.creation_observed(key, count - done)
        return error

    async def _delete(
        self, key: ObjectKey, replica_set: ReplicaSet, victims: Sequence[Pod]
    ) -> BaseException | None:
        self._expectations.expect_deletions(key, {uid_of(pod) for pod in victims})

        async def delete(pod: Pod) -> None:
            try:
                await self._pod_control.delete(pod, replica_set)
            except BaseException as error:
                self._expectations.deletion_observed(key, uid_of(pod))
                if not (isinstance(error, StatusError) and error.is_not_found):
                    raise

        errors = await each_of(functools.partial(delete, pod) for pod in victims)
        return errors[0] if errors else None


def _wanted(replica_set: ReplicaSet) -> int:
    replicas = replica_set.spec.replicas
    return 1 if replicas is None else replicas
