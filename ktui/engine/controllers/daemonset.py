"""DaemonSet: a pod on every node that fits.

In: DaemonSets, nodes, pods, ControllerRevisions. Out: pods tied to their nodes, created in slow-start batches and
deleted, updated by the set's strategy, the revisions of its template and the status.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Sequence

from lightkube.models.apps_v1 import ControllerRevision, DaemonSet
from lightkube.models.core_v1 import Node, Pod

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.batches import each_of, slow_start
from ktui.engine.controllers.controller_revisions import REVISION_LABEL, RevisionHistory
from ktui.engine.controllers.daemonset_nodes import daemon_pod, placement_on, target_node
from ktui.engine.controllers.daemonset_plan import Plan, plan_placement, plan_update
from ktui.engine.controllers.daemonset_status import daemonset_status
from ktui.engine.controllers.expectations import Expectations
from ktui.engine.controllers.objects import (
    available_at,
    is_deleting,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    phase_of,
    seconds_until,
    uid_of,
    with_status,
)
from ktui.engine.controllers.ownership import Claims, index_ownership
from ktui.engine.controllers.pod_control import PodControl, is_namespace_terminating
from ktui.engine.controllers.pod_owners import PodOwners
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from ktui.kube.resource import ObjectKey
from ktui.kube.selector import Selector

BURST = 250
"""Most pods created or deleted in one reconcile."""
FIRST_BACK_OFF, MOST_BACK_OFF = 1.0, 900.0


class DaemonSetController(Controller[ObjectKey]):
    """Keeps one pod on each node that should have one."""

    name = "daemonset-controller"
    workers = 2

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._pod_control = PodControl(client, recorder)
        self._pod_claims = Claims(client, DAEMON_SETS, PODS)
        self._revision_claims = Claims(client, DAEMON_SETS, CONTROLLER_REVISIONS)
        self._history = RevisionHistory(client, DAEMON_SETS, REVISION_LABEL)
        self._expectations = Expectations(clock)
        self._failed: dict[tuple[ObjectKey, str], tuple[float, float]] = {}
        """When a node's pod may next be replaced after a failure, and the pause that led there."""

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._sets = informers.of(DAEMON_SETS, DaemonSet)
        self._pods = informers.of(PODS, Pod)
        self._nodes = informers.of(NODES, Node)
        self._revisions = informers.of(CONTROLLER_REVISIONS, ControllerRevision)
        index_ownership(self._pods)
        index_ownership(self._revisions)
        self._sets.add_handler(enqueue_object(queue))
        owners = PodOwners(self._sets, DAEMON_SETS, _selector, self._enqueue, self._expectations)
        self._pods.add_handler(owners.pod_changed)
        self._nodes.add_handler(self._node_changed)

    def _enqueue(self, daemon_set: DaemonSet) -> None:
        self._queue.add(key_of(daemon_set))

    def _node_changed(self, delta: Delta[Node]) -> None:
        """Wake the sets that want something else on the node than before."""
        for each in self._sets.list():
            before = placement_on(each, delta.old) if delta.old is not None else None
            after = placement_on(each, delta.new) if delta.new is not None else None
            if before != after:
                self._enqueue(each)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        daemon_set = self._sets.get(key)
        if daemon_set is None:
            self._expectations.forget(key)
            self._failed = {each: value for each, value in self._failed.items() if each[0] != key}
            return None
        satisfied = self._expectations.satisfied(key)
        claimed_revisions = await self._revision_claims.claim(
            daemon_set, _selector(daemon_set), self._revisions
        )
        claimed = await self._pod_claims.claim(daemon_set, _selector(daemon_set), self._pods)
        if is_deleting(daemon_set):
            return None
        history = await self._history.sync(daemon_set, claimed_revisions)
        hash_text = labels_of(history.update).get(REVISION_LABEL, "")
        now = self._clock.now()
        wanted = {name_of(node): placement_on(daemon_set, node) for node in self._nodes.list()}
        pods: dict[str, list[Pod]] = {}
        for pod in claimed:
            pods.setdefault(target_node(pod), []).append(pod)
        error: BaseException | None = None
        waits: float | None = None
        if satisfied:
            plan = plan_placement(daemon_set, wanted, pods, hash_text, now)
            waits = self._take_finished(key, daemon_set, plan)
            if not plan.create and not plan.delete and _rolls(daemon_set):
                plan = plan_update(daemon_set, wanted, pods, hash_text, now)
            error = await self._carry_out(key, daemon_set, plan, hash_text)
        status = daemonset_status(daemon_set, wanted, pods, hash_text, history.collisions, now)
        if status != daemon_set.status:
            await self._client.update(DAEMON_SETS, with_status(daemon_set, status), subresource="status")
        if error is not None:
            raise error
        hashes = {labels_of(pod).get(REVISION_LABEL) for pod in claimed}
        live = {name_of(each) for each in history.revisions if labels_of(each).get(REVISION_LABEL) in hashes}
        await self._history.truncate(daemon_set, history.revisions, live | {name_of(history.update)})
        return self._later(daemon_set, claimed, waits)

    def _later(self, daemon_set: DaemonSet, pods: Iterable[Pod], waits: float | None) -> Result | None:
        min_ready = (daemon_set.spec.minReadySeconds if daemon_set.spec else None) or 0
        moments = (available_at(pod, min_ready) for pod in pods) if min_ready else ()
        ready_in = seconds_until(moments, self._clock.now())
        ahead = [each for each in (waits, ready_in) if each is not None]
        return Result(min(ahead)) if ahead else None

    def _take_finished(self, key: ObjectKey, daemon_set: DaemonSet, plan: Plan) -> float | None:
        """Put pods that ended on the plan, each failed one after its node's pause; the shortest pause left."""
        now = self._clock.monotonic()
        waits: list[float] = []
        for pod in plan.finished:
            node = target_node(pod)
            where = f"{namespace_of(pod)}/{name_of(pod)} on node {node}"
            if phase_of(pod) == "Succeeded":
                message = f"Found succeeded daemon pod {where}, will try to delete it"
                self._recorder.event(daemon_set, "Normal", "SucceededDaemonPod", message)
                plan.delete.append(pod)
                continue
            due, pause = self._failed.get((key, node), (0.0, 0.0))
            if due > now:
                waits.append(due - now)
                continue
            rested = now - due > 2 * MOST_BACK_OFF
            pause = FIRST_BACK_OFF if rested or not pause else min(2 * pause, MOST_BACK_OFF)
            self._failed[key, node] = (now + pause, pause)
            message = f"Found failed daemon pod {where}, will try to kill it"
            self._recorder.event(daemon_set, "Warning", "FailedDaemonPod", message)
            plan.delete.append(pod)
        return min(waits, default=None)

    async def _carry_out(
        self, key: ObjectKey, daemon_set: DaemonSet, plan: Plan, hash_text: str
    ) -> BaseException | None:
        nodes, victims = plan.create[:BURST], plan.delete[:BURST]
        if not nodes and not victims:
            return None
        self._expectations.expect(key, len(nodes), {uid_of(pod) for pod in victims})
        try:
            created = await self._create(key, daemon_set, nodes, hash_text)
            deleted = await each_of(functools.partial(self._delete, key, daemon_set, pod) for pod in victims)
        except asyncio.CancelledError:
            self._expectations.forget(key)
            raise
        return created or next(iter(deleted), None)

    async def _create(
        self, key: ObjectKey, daemon_set: DaemonSet, nodes: Sequence[str], hash_text: str
    ) -> BaseException | None:
        remaining = iter(nodes)

        async def create() -> None:
            try:
                await self._pod_control.create(daemon_pod(daemon_set, next(remaining), hash_text), daemon_set)
            except StatusError as error:
                if not is_namespace_terminating(error):
                    raise
                self._expectations.creation_observed(key)

        done, error = await slow_start(len(nodes), create)
        if done < len(nodes):
            self._expectations.creation_observed(key, len(nodes) - done)
        return error

    async def _delete(self, key: ObjectKey, daemon_set: DaemonSet, pod: Pod) -> None:
        try:
            await self._pod_control.delete(pod, daemon_set)
        except BaseException as error:
            self._expectations.deletion_observed(key, uid_of(pod))
            if not (isinstance(error, StatusError) and error.is_not_found):
                raise


def _rolls(daemon_set: DaemonSet) -> bool:
    strategy = daemon_set.spec.updateStrategy if daemon_set.spec else None
    return strategy is None or strategy.type != "OnDelete"


def _selector(daemon_set: DaemonSet) -> Selector:
    return Selector.of(daemon_set.spec.selector if daemon_set.spec else None)
