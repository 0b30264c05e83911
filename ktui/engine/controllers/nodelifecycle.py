"""Node life cycle: notices nodes whose kubelet has gone quiet, and taints nodes by their conditions.

In: nodes and the Leases their kubelets renew. Out: conditions set to Unknown after the grace period, taints
(`not-ready`, `unreachable`, pressures, `unschedulable`), and pods of quiet nodes marked not ready.
Silence is measured on our own clock from when a renewal was last *seen*, so a node's clock may be wrong.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from lightkube.models.coordination_v1 import Lease
from lightkube.models.core_v1 import Node, NodeStatus, Pod
from msgspec.structs import replace

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.node_health import (
    conditions_of,
    ready_status,
    silent,
    taints_of,
    wanted_taints,
)
from ktui.engine.controllers.objects import (
    is_ready,
    meta,
    name_of,
    namespace_of,
    plain,
    pod_status,
    uid_of,
    with_status,
)
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.tainteviction import BY_NODE, node_index
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, whole_second
from ktui.kube.errors import StatusError
from ktui.kube.kinds import LEASES, NODES, PODS
from ktui.kube.resource import Object, ObjectKey

LEASE_NAMESPACE = "kube-node-lease"
GRACE = 40.0
"""Seconds without a renewed Lease (or heartbeat) after which a node counts as unknown."""
STARTUP_GRACE = 60.0
"""The same for a node that has never reported."""


class NodeLifecycleController(Controller[ObjectKey]):
    """One key a node."""

    name = "node-lifecycle-controller"
    workers = 2

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock, grace: float = GRACE) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._grace = grace
        self._seen: dict[str, float] = {}
        self._registered: set[str] = set()

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._nodes = informers.of(NODES, Node)
        self._pods = informers.of(PODS, Pod)
        self._pods.add_index(BY_NODE, node_index)
        self._nodes.add_handler(self._node_changed)
        informers.of(LEASES, Lease).add_handler(self._lease_changed)

    def _node_changed(self, delta: Delta[Node]) -> None:
        old, new = delta.old, delta.new
        if new is None:
            self._seen.pop(delta.key.name, None)
        elif old is None or _heartbeat(old) != _heartbeat(new):
            self._seen[delta.key.name] = self._clock.monotonic()
        self._queue.add(delta.key)
        if old is None or new is None or ready_status(old) != ready_status(new):
            # Whether pods may be evicted depends on whether any node at all is ready.
            for key, _ in self._nodes.items():
                self._queue.add(key)

    def _lease_changed(self, delta: Delta[Lease]) -> None:
        if delta.new is not None and delta.key.namespace == LEASE_NAMESPACE:
            self._seen[delta.key.name] = self._clock.monotonic()

    async def reconcile(self, key: ObjectKey) -> Result | None:
        node = self._nodes.get(key)
        if node is None:
            self._seen.pop(key.name, None)
            if key.name in self._registered:
                self._registered.discard(key.name)
                self._event(key.name, "RemovingNode", f"Removing Node {key.name} from Controller")
            return None
        if key.name not in self._registered:
            self._registered.add(key.name)
            self._event(key.name, "RegisteredNode", f"Registered Node {key.name} in Controller", node)
        grace = self._grace if conditions_of(node) else max(STARTUP_GRACE, self._grace)
        left = self._seen.setdefault(key.name, self._clock.monotonic()) + grace - self._clock.monotonic()
        if left <= 0:
            node = await self._mark_silent(node)
        await self._taint(node)
        if ready_status(node) == "Unknown":
            await self._mark_pods_not_ready(key.name)
        return Result(left) if left > 0 else None

    async def _mark_silent(self, node: Node) -> Node:
        conditions = silent(node, self._clock.now())
        if conditions == list(conditions_of(node)):
            return node
        was = ready_status(node)
        status = replace(node.status or NodeStatus(), conditions=conditions)
        written = await self._client.update(NODES, with_status(node, status), subresource="status")
        if was == "True":
            self._recorder.event(
                node, "Normal", "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady"
            )
        return msgspec.convert(written, Node)

    async def _taint(self, node: Node) -> None:
        ready = any(ready_status(each) == "True" for each in self._nodes.list())
        taints = wanted_taints(node, self._clock.now(), evicting=ready)
        if taints == taints_of(node):
            return
        patch: Object = {
            "metadata": {"uid": uid_of(node), "resourceVersion": meta(node).resourceVersion},
            "spec": {"taints": [plain(taint) for taint in taints] or None},
        }
        await self._client.patch(NODES, name_of(node), patch)

    async def _mark_pods_not_ready(self, node: str) -> None:
        """Nobody knows whether these pods still answer: they must not count as ready."""
        for pod in self._pods.by_index(BY_NODE, node):
            if not is_ready(pod):
                continue
            moment = whole_second(self._clock.now())
            conditions = [
                replace(each, status="False", lastTransitionTime=moment) if each.type == "Ready" else each
                for each in pod_status(pod).conditions or ()
            ]
            patch: Object = {
                "metadata": {"uid": uid_of(pod), "resourceVersion": meta(pod).resourceVersion},
                "status": {"conditions": [plain(each) for each in conditions]},
            }
            try:
                await self._client.patch(PODS, name_of(pod), patch, namespace_of(pod), subresource="status")
            except StatusError as error:
                if not error.is_not_found:
                    raise
            self._recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    def _event(self, name: str, reason: str, what: str, node: Node | None = None) -> None:
        involved: Object = {"apiVersion": "v1", "kind": "Node", "name": name}
        if node is not None:
            involved["uid"] = uid_of(node)
        self._recorder.event(involved, "Normal", reason, f"Node {name} event: {what}")


def _heartbeat(node: Node) -> list[datetime | None]:
    return [each.lastHeartbeatTime for each in conditions_of(node)]
