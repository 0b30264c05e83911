"""StatefulSet: pods with stable names, one after the other.

In: StatefulSets, pods, ControllerRevisions. Out: pods by ordinal, their claims, the revisions of the template and
the status. Names are given, so a stale cache can't make it create a pod twice.
"""

from __future__ import annotations

from lightkube.models.apps_v1 import ControllerRevision, StatefulSet
from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Informers
from ktui.engine.controllers.controller_revisions import REVISION_LABEL, RevisionHistory
from ktui.engine.controllers.objects import (
    available_at,
    is_deleting,
    key_of,
    labels_of,
    name_of,
    seconds_until,
    with_status,
)
from ktui.engine.controllers.ownership import Claims, index_ownership
from ktui.engine.controllers.pod_owners import PodOwners
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.statefulset_control import StatefulPodControl
from ktui.engine.controllers.statefulset_pods import ordinal_of, selector_of
from ktui.engine.controllers.statefulset_status import statefulset_status
from ktui.engine.controllers.statefulset_update import Step
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.kinds import CONTROLLER_REVISIONS, PODS, STATEFUL_SETS
from ktui.kube.resource import ObjectKey

HASH_LABEL = "controller.kubernetes.io/hash"


class StatefulSetController(Controller[ObjectKey]):
    """Makes pods 0 to n-1, in order, and rolls them to a new template from the last to the first."""

    name = "statefulset-controller"
    workers = 5

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._control = StatefulPodControl(client, recorder)
        self._pod_claims = Claims(client, STATEFUL_SETS, PODS)
        self._revision_claims = Claims(client, STATEFUL_SETS, CONTROLLER_REVISIONS)
        self._history = RevisionHistory(client, STATEFUL_SETS, HASH_LABEL)

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._sets = informers.of(STATEFUL_SETS, StatefulSet)
        self._pods = informers.of(PODS, Pod)
        self._revisions = informers.of(CONTROLLER_REVISIONS, ControllerRevision)
        index_ownership(self._pods)
        index_ownership(self._revisions)
        self._sets.add_handler(enqueue_object(queue))

        def enqueue(stateful_set: StatefulSet) -> None:
            queue.add(key_of(stateful_set))

        self._pods.add_handler(PodOwners(self._sets, STATEFUL_SETS, selector_of, enqueue).pod_changed)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        stateful_set = self._sets.get(key)
        if stateful_set is None:
            return None
        selector = selector_of(stateful_set)
        known = await self._revision_claims.claim(stateful_set, selector, self._revisions)
        pods = await self._pod_claims.claim(
            stateful_set, selector, self._pods, lambda pod: ordinal_of(stateful_set, pod) is not None
        )
        if is_deleting(stateful_set):
            return None
        history = await self._history.sync(stateful_set, known)
        now = self._clock.now()
        status = statefulset_status(stateful_set, history, pods, now)
        if status != stateful_set.status:
            await self._client.update(STATEFUL_SETS, with_status(stateful_set, status), subresource="status")
        await Step(stateful_set, history, status.currentRevision, pods, self._control, now).take()
        live = {status.currentRevision or "", status.updateRevision or ""}
        live |= {labels_of(pod).get(REVISION_LABEL, "") for pod in pods}
        await self._history.truncate(stateful_set, history.revisions, live | {name_of(history.update)})
        min_ready = (stateful_set.spec.minReadySeconds if stateful_set.spec else None) or 0
        later = seconds_until((available_at(pod, min_ready) for pod in pods), now) if min_ready else None
        return None if later is None else Result(later)
