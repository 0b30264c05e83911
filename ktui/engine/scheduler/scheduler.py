"""The scheduler: watches for pods without a node, finds each one, and binds it through the API.

In: pods, nodes and namespaces from informers. Out: bindings, the PodScheduled condition, events, preempted
pods and decisions. One task takes pods off the queue one at a time and decides synchronously; everything
that talks to the API happens in bounded tasks beside it, on assumed pods, so that deciding never waits.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any, Final, Literal, Protocol

from lightkube.models.core_v1 import Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod
from lightkube.models.policy_v1 import PodDisruptionBudget
from lightkube.models.storage_v1 import CSIDriver, CSIStorageCapacity, StorageClass

from ktui.client.base import Client, DeleteOptions, PatchType
from ktui.client.informer import Informer, Informers
from ktui.engine.scheduler.algorithm import Algorithm, Placement, Unfit
from ktui.engine.scheduler.budgets import Budgets
from ktui.engine.scheduler.cache import Cache
from ktui.engine.scheduler.conditions import Reason, disruption_target, nomination, not_scheduled
from ktui.engine.scheduler.decisions import NODES_RECORDED, Decision, Decisions
from ktui.engine.scheduler.events import EVERY_EVENT, ClusterEvent
from ktui.engine.scheduler.framework import Profile
from ktui.engine.scheduler.intake import Intake
from ktui.engine.scheduler.nominations import Nominations
from ktui.engine.scheduler.plugins import default_profile
from ktui.engine.scheduler.podinfo import DEFAULT_SCHEDULER, PodInfo
from ktui.engine.scheduler.preemption import Preemption, Room
from ktui.engine.scheduler.queue import QueuedPod, SchedulingQueue
from ktui.engine.scheduler.snapshot import Snapshot
from ktui.engine.scheduler.volume_binder import VolumeBinder, VolumesUnbound
from ktui.engine.scheduler.volume_plan import VolumePlan
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    CSI_DRIVERS,
    CSI_STORAGE_CAPACITIES,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    STORAGE_CLASSES,
)
from ktui.kube.resource import Object, ObjectKey

log = logging.getLogger(__name__)

CONCURRENT_WRITES: Final = 64
GATED: Final = "Scheduling is blocked due to non-empty scheduling gates"


class Recorder(Protocol):
    """What the scheduler needs of an event recorder (`ktui.client.events.EventRecorder`)."""

    def event(self, obj: Any, kind: Literal["Normal", "Warning"], reason: str, message: str, /) -> None: ...


class Scheduler:
    """Schedules the pods of `default-scheduler` while `run` runs. `chance` breaks ties between nodes."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        clock: Clock,
        recorder: Recorder | None = None,
        *,
        profile: Profile | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._profile = profile or default_profile()
        self._algorithm = Algorithm(self._profile, chance or random.Random())
        self._preemption = Preemption(
            self._algorithm, lambda key: self._pods.get(key), lambda: Budgets(self._disruption_budgets.list())
        )
        self._decisions = Decisions(client)
        self._binder = VolumeBinder(client, clock, self._is_there)
        self._begin()
        self._pods = informers.of(PODS, Pod)
        self._nodes = informers.of(NODES, Node)
        self._namespaces = informers.of(NAMESPACES, Namespace)
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIMS, PersistentVolumeClaim)
        self._volumes = informers.of(PERSISTENT_VOLUMES, PersistentVolume)
        self._disruption_budgets = informers.of(POD_DISRUPTION_BUDGETS, PodDisruptionBudget)
        self._classes = informers.of(STORAGE_CLASSES, StorageClass)
        self._drivers = informers.of(CSI_DRIVERS, CSIDriver)
        self._capacities = informers.of(CSI_STORAGE_CAPACITIES, CSIStorageCapacity)
        self._writes = asyncio.Semaphore(CONCURRENT_WRITES)
        self._group: asyncio.TaskGroup | None = None

    @property
    def pending(self) -> dict[str, int]:
        """How many pods wait in the active queue, the back-off, the unschedulable pool, for their gates."""
        return dict(self._queue.pending)

    def decision(self, key: ObjectKey) -> Decision | None:
        """The last decision on a pod, if it is still in the ring."""
        return self._decisions.get(key)

    def _begin(self) -> None:
        """Know nothing yet: the informers tell it all to new handlers."""
        self._cache = Cache()
        self._queue = SchedulingQueue(self._clock, self._profile.gate, self._profile.wakes_on)
        self._nominations = Nominations()

    async def run(self) -> None:
        """Schedule until cancelled; may be called again after that."""
        self._begin()
        intake = Intake(self._cache, self._queue, self._nominations, self._decisions, self._gated)
        async with asyncio.TaskGroup() as group:
            self._group = group
            # Nodes come first: pods that are bound already find the node they count on.
            handlers: list[tuple[Informer[Any], Any]] = [
                (self._namespaces, intake.namespace),
                (self._nodes, intake.node),
                (self._classes, intake.storage_class),
                (self._drivers, intake.driver),
                (self._capacities, intake.capacity),
                (self._volumes, intake.volume),
                (self._claims, intake.claim),
                (self._pods, intake.pod),
            ]
            for informer, handler in handlers:
                informer.add_handler(handler)
            try:
                for informer, _ in handlers:
                    await informer.wait_synced()
                await self._disruption_budgets.wait_synced()
                group.create_task(self._decisions.run(), name="scheduling decisions")
                await self._loop()
            finally:
                for informer, handler in handlers:
                    informer.remove_handler(handler)

    async def _loop(self) -> None:
        while True:
            entry = await self._queue.pop()
            try:
                await self._schedule(entry)
            except Exception as error:
                log.exception("scheduling %s failed", entry.info.key)
                self._queue.retry(entry)
                message = f"{type(error).__name__}: {error}"
                await self._spawn(self._report(entry.info, "SchedulerError", message))
            await asyncio.sleep(0)

    async def _schedule(self, entry: QueuedPod) -> None:
        pod = entry.info
        started = self._clock.monotonic()
        snapshot = self._cache.snapshot()
        nominated = self._nominations.node_of(pod.key)
        outcome = self._algorithm.schedule(pod, snapshot, self._nominations, nominated)
        seconds = self._clock.monotonic() - started
        if isinstance(outcome, Unfit):
            await self._unschedulable(entry, outcome, snapshot, seconds)
            return
        plan = self._binder.reserve(pod, snapshot.nodes[outcome.node], snapshot.volumes)
        self._cache.assume(pod, outcome.node)
        self._nominations.remove(pod.key)
        self._queue.done(entry)
        if plan and self._group is not None:
            # Beside the writes that are counted: a provisioner may take minutes.
            self._group.create_task(self._bind_volumes(entry, outcome, seconds, plan, snapshot))
        else:
            await self._spawn(self._bind(entry, outcome, seconds))

    async def _bind_volumes(
        self, entry: QueuedPod, placement: Placement, seconds: float, plan: VolumePlan, snapshot: Snapshot
    ) -> None:
        """Bind the pod when its volumes are bound; when they can't be, it is scheduled anew."""
        pod = entry.info
        try:
            await self._binder.bind(pod, placement.node, plan, snapshot)
        except (VolumesUnbound, StatusError, OSError, TimeoutError) as error:
            snapshot.volumes.forget(plan.claims, plan.volumes)
            self._cache.forget(pod)
            self._queue.move(ClusterEvent.POD_RELEASED)
            why = f"binding volumes: {error}" if isinstance(error, VolumesUnbound) else str(error)
            await self._report(pod, "SchedulerError", f'running PreBind plugin "VolumeBinding": {why}')
            self._take_back(entry)
            return
        await self._spawn(self._bind(entry, placement, seconds))

    def _is_there(self, pod: PodInfo) -> bool:
        current = self._pods.get(pod.key)
        if current is None or current.metadata is None or current.metadata.uid != pod.uid:
            return False
        return current.metadata.deletionTimestamp is None

    async def _bind(self, entry: QueuedPod, placement: Placement, seconds: float) -> None:
        pod, node = entry.info, placement.node
        key = pod.key
        binding: Object = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": pod.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._client.create(PODS, binding, key.namespace, name=key.name, subresource="binding")
        except (StatusError, OSError, TimeoutError) as error:
            self._cache.forget(pod)
            self._queue.move(ClusterEvent.POD_RELEASED)
            if isinstance(error, StatusError) and (error.is_not_found or error.is_conflict):
                self._take_back(entry)
                return  # It is gone or bound already; the informer says which.
            message = f"binding rejected: {error}"
            await self._report(pod, "SchedulerError", message)
            self._take_back(entry)
            return
        message = f"Successfully assigned {key} to {node}"
        self._event(pod, "Normal", "Scheduled", message)
        self._decisions.record(
            Decision(pod, "Scheduled", message, self._clock.now(), entry.attempts, seconds, placement)
        )

    def _take_back(self, entry: QueuedPod) -> None:
        """Queue a pod whose binding failed, as the informer knows it now."""
        current = self._pods.get(entry.info.key)
        if current is None or current.spec is None or current.spec.nodeName:
            return
        if current.metadata is not None and current.metadata.deletionTimestamp is None:
            self._queue.readmit(PodInfo(current), entry.attempts)

    async def _unschedulable(
        self, entry: QueuedPod, unfit: Unfit, snapshot: Snapshot, seconds: float
    ) -> None:
        pod = entry.info
        nominated = self._nominations.node_of(pod.key)
        names = list(unfit.refused or snapshot.nodes)[:NODES_RECORDED]
        refusals = self._algorithm.verdicts(pod, names, snapshot)
        room = Room()
        if unfit.nodes:
            room = await self._preemption.make_room(pod, unfit, snapshot, self._nominations, nominated)
            if not self._queue.is_in_flight(entry):
                return  # Nobody is evicted for a pod that is gone.
        message = unfit.message(room.message)
        if not room.keeps_nomination:
            self._nominations.nominate(pod, room.node)
            nominated = room.node
        self._decisions.record(
            Decision(
                pod,
                "Unschedulable",
                message,
                self._clock.now(),
                entry.attempts,
                seconds,
                refusals=refusals,
                nominated_node=nominated,
                wakes_on=self._wakes_on(unfit),
            )
        )
        # Without nodes no plugin refused: any event must do.
        self._queue.retry(entry, unfit.plugins or frozenset(("",)))
        await self._spawn(self._report(pod, "Unschedulable", message, nominated))
        if room.node:
            await self._preempt(pod, room)

    async def _preempt(self, pod: PodInfo, room: Room) -> None:
        """Evict the victims, and let less important pods that waited for the node look elsewhere."""
        for victim in room.victims:
            if not victim.terminating:
                await self._spawn(self._evict(victim, pod, room.node))
        for other in self._nominations.get(room.node, ()):
            if other.priority < pod.priority:
                self._nominations.remove(other.key)
                current = self._pods.get(other.key)
                if current is not None:
                    await self._spawn(self._patch_status(other, nomination(current, "")))

    async def _evict(self, victim: PodInfo, preemptor: PodInfo, node: str) -> None:
        key = victim.key
        scheduler = preemptor.spec.schedulerName or DEFAULT_SCHEDULER
        await self._patch_status(victim, disruption_target(victim.pod, scheduler, self._clock.now()))
        try:
            await self._client.delete(PODS, key.name, key.namespace, options=DeleteOptions(uid=victim.uid))
        except (StatusError, OSError, TimeoutError) as error:
            if isinstance(error, StatusError) and (error.is_not_found or error.is_conflict):
                return  # Gone already.
            log.warning("pod %s could not be preempted: %s", key, error)
            return
        self._event(victim, "Normal", "Preempted", f"Preempted by pod {preemptor.uid} on node {node}")

    def _wakes_on(self, unfit: Unfit) -> frozenset[ClusterEvent]:
        wakes = [self._profile.wakes_on.get(plugin, EVERY_EVENT) for plugin in unfit.plugins]
        return frozenset[ClusterEvent]().union(*wakes) if wakes else EVERY_EVENT

    async def _report(
        self, pod: PodInfo, reason: Reason, message: str, nominated_node: str | None = None
    ) -> None:
        """Tell the pod's readers why it has no node."""
        current = self._pods.get(pod.key)
        if current is None or current.metadata is None or current.metadata.uid != pod.uid:
            return
        self._event(pod, "Warning", "FailedScheduling", message)
        if not self._cache.is_assumed(pod.key, pod.uid):
            await self._patch_status(
                pod, not_scheduled(current, reason, message, self._clock.now(), nominated_node)
            )

    def _gated(self, pod: PodInfo) -> None:
        patch = not_scheduled(pod.pod, "SchedulingGated", GATED, self._clock.now())
        if patch is not None and self._group is not None:
            self._group.create_task(self._patch_status(pod, patch))

    async def _patch_status(self, pod: PodInfo, patch: Object | None) -> None:
        if patch is None:
            return
        key = pod.key
        try:
            await self._client.patch(
                PODS, key.name, patch, key.namespace, patch_type=PatchType.STRATEGIC, subresource="status"
            )
        except (StatusError, OSError, TimeoutError) as error:
            if not (isinstance(error, StatusError) and (error.is_not_found or error.is_conflict)):
                log.warning("status of pod %s not written: %s", key, error)

    def _event(self, pod: PodInfo, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        if self._recorder is not None:
            self._recorder.event(pod.pod, kind, reason, message)

    async def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run an API call beside the loop; waits when too many are under way already."""
        assert self._group is not None, "only run() leads here"
        await self._writes.acquire()
        task = self._group.create_task(work)
        task.add_done_callback(lambda _: self._writes.release())
