"""Taint eviction: pods leave a node whose NoExecute taints they don't tolerate, or no longer.

In: nodes' taints, pods' tolerations. Out: pods deleted, at once or when their tolerationSeconds have passed
since the taints were first seen to matter to them.
"""

from __future__ import annotations

from collections.abc import Iterable

from lightkube.models.core_v1 import Node, Pod

from ktui.client.base import Client, DeleteOptions
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import (
    disrupted,
    is_deleting,
    is_finished,
    name_of,
    namespace_of,
    node_of,
    plain,
    pod_spec,
    uid_of,
)
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.tolerations import no_execute_taints, seconds_tolerated
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NODES, PODS
from ktui.kube.resource import Object, ObjectKey

BY_NODE = "node"


def node_index(pod: Pod) -> Iterable[str]:
    """Index function: the node a pod is bound to."""
    node = node_of(pod)
    return (node,) if node else ()


class TaintEvictionController(Controller[ObjectKey]):
    """Works through pods; a node's change enqueues those on it."""

    name = "taint-eviction-controller"
    workers = 4

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._since: dict[ObjectKey, tuple[str, float]] = {}
        """Pods on their way out: UID, and from when on their toleration runs."""

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._nodes = informers.of(NODES, Node)
        self._pods = informers.of(PODS, Pod)
        self._pods.add_index(BY_NODE, node_index)
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)

    def _node_changed(self, delta: Delta[Node]) -> None:
        if no_execute_taints(delta.old) == no_execute_taints(delta.new):
            return
        for pod in self._pods.by_index(BY_NODE, delta.key.name):
            self._queue.add(ObjectKey(namespace_of(pod), name_of(pod)))

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        old, new = delta.old, delta.new
        if (
            old is None
            or new is None
            or uid_of(old) != uid_of(new)
            or node_of(old) != node_of(new)
            or pod_spec(old).tolerations != pod_spec(new).tolerations
        ):
            self._queue.add(delta.key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        pod = self._pods.get(key)
        if pod is None or is_deleting(pod) or is_finished(pod):
            self._since.pop(key, None)
            return None
        node = self._nodes.get(ObjectKey("", node_of(pod))) if node_of(pod) else None
        taints = no_execute_taints(node)
        tolerated, seconds = seconds_tolerated(taints, pod_spec(pod).tolerations or ())
        if tolerated and seconds is None:
            if self._since.pop(key, None) is not None:
                self._recorder.event(
                    pod, "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {key}"
                )
            return None
        now = self._clock.monotonic()
        uid, since = self._since.get(key, ("", now))
        if uid != uid_of(pod):
            since = now
        self._since[key] = (uid_of(pod), since)
        left = since + (seconds or 0.0) - now
        if left > 0:
            return Result(left)
        await self._evict(pod, key)
        self._since.pop(key, None)
        return None

    async def _evict(self, pod: Pod, key: ObjectKey) -> None:
        self._recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key}")
        conditions = disrupted(
            pod,
            "DeletionByTaintManager",
            "Taint manager: deleting due to NoExecute taint",
            self._clock.now(),
        )
        patch: Object = {
            "metadata": {"uid": uid_of(pod)},
            "status": {"conditions": [plain(condition) for condition in conditions]},
        }
        try:
            await self._client.patch(PODS, key.name, patch, key.namespace, subresource="status")
            await self._client.delete(PODS, key.name, key.namespace, options=DeleteOptions(uid=uid_of(pod)))
        except StatusError as error:
            if not error.is_not_found:
                raise
