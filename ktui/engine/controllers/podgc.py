"""Pod GC: clears away pods that nobody else will.

Every 20 seconds: pods bound to a node that has been gone for 40 seconds, pods in deletion that were never
scheduled or whose node is out of service, and the oldest finished pods beyond a threshold. What had not ended
is marked Failed before it goes: who counts ends (a Job that replaces failed pods only) sees one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lightkube.models.core_v1 import Node, Pod, PodCondition

from ktui.client.base import Client, DeleteOptions
from ktui.client.informer import Informers
from ktui.engine.controllers.node_health import ready_status
from ktui.engine.controllers.objects import (
    created_at,
    disrupted,
    is_deleting,
    is_finished,
    name_of,
    namespace_of,
    node_of,
    plain,
    pod_status,
    uid_of,
)
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NODES, PODS
from ktui.kube.resource import Object, ObjectKey

INTERVAL = 20.0
QUARANTINE = 40.0
"""How long a node has to be gone before its pods are: it may come back under its name."""
TERMINATED_THRESHOLD = 12_500
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
_EVERYTHING = ObjectKey("", "")


class PodGarbageCollector(Controller[ObjectKey]):
    """One key, looked at again and again."""

    name = "pod-garbage-collector-controller"

    def __init__(self, client: Client, clock: Clock, threshold: int = TERMINATED_THRESHOLD) -> None:
        self._client = client
        self._clock = clock
        self._threshold = threshold
        self._gone_since: dict[str, float] = {}

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._pods = informers.of(PODS, Pod)
        self._nodes = informers.of(NODES, Node)
        queue.add(_EVERYTHING)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        pods = self._pods.list()
        for pod in pods:
            if is_deleting(pod) and (not node_of(pod) or self._is_out_of_service(node_of(pod))):
                await self._fail(pod)
                await self._delete(pod)
        for pod in self._orphaned(pods):
            now = self._clock.now()
            await self._fail(pod, disrupted(pod, "DeletionByPodGC", "PodGC: node no longer exists", now))
            await self._delete(pod)
        for pod in excess_finished(pods, self._threshold):
            await self._delete(pod)
        return Result(INTERVAL)

    def _orphaned(self, pods: Iterable[Pod]) -> list[Pod]:
        """Pods of nodes that have been gone through the whole quarantine."""
        missing = {
            node for node in map(node_of, pods) if node and self._nodes.get(ObjectKey("", node)) is None
        }
        now = self._clock.monotonic()
        self._gone_since = {node: self._gone_since.get(node, now) for node in missing}
        gone = {node for node, since in self._gone_since.items() if now - since >= QUARANTINE}
        return [pod for pod in pods if node_of(pod) in gone]

    def _is_out_of_service(self, name: str) -> bool:
        """Somebody has said that the node is down and will not come back with what ran on it."""
        node = self._nodes.get(ObjectKey("", name))
        if node is None or ready_status(node) == "True":
            return False
        return any(taint.key == OUT_OF_SERVICE for taint in (node.spec.taints if node.spec else None) or ())

    async def _fail(self, pod: Pod, conditions: Sequence[PodCondition] = ()) -> None:
        """Let whoever waits for the pod see an end: phase Failed, and why where there is more to say."""
        if is_finished(pod):
            return
        status: Object = {"phase": "Failed"}
        if conditions:
            status["conditions"] = [plain(each) for each in conditions]
        patch: Object = {"metadata": {"uid": uid_of(pod)}, "status": status}
        try:
            await self._client.patch(PODS, name_of(pod), patch, namespace_of(pod), subresource="status")
        except StatusError as error:
            if not error.is_not_found:
                raise

    async def _delete(self, pod: Pod) -> None:
        options = DeleteOptions(grace_period_seconds=0, uid=uid_of(pod))
        try:
            await self._client.delete(PODS, name_of(pod), namespace_of(pod), options=options)
        except StatusError as error:
            if not (error.is_not_found or error.is_conflict):
                raise


def excess_finished(pods: Iterable[Pod], threshold: int) -> list[Pod]:
    """The oldest finished pods beyond the threshold (0 or less: no limit), evicted ones first."""
    finished = sorted(
        (pod for pod in pods if is_finished(pod) and not is_deleting(pod)),
        key=lambda pod: (pod_status(pod).reason != "Evicted", created_at(pod), name_of(pod)),
    )
    return finished[: max(len(finished) - threshold, 0)] if threshold > 0 else []
