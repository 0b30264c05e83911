"""Turns what the informers see into the scheduler's picture: cache, queue, nominations, wake-up events.

A pod is ours to place when it has no node, names this scheduler and is not on its way out; a pod with a node
counts on it until it is finished or deleted.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# (lightkube-models types maps as a bare dict)

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from lightkube.models.core_v1 import Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod
from lightkube.models.storage_v1 import CSIDriver, CSIStorageCapacity, StorageClass
from msgspec import Struct

from ktui.client.informer import Delta
from ktui.engine.scheduler.cache import Cache
from ktui.engine.scheduler.conditions import nominated_node_of
from ktui.engine.scheduler.decisions import Decisions
from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.nominations import Nominations
from ktui.engine.scheduler.podinfo import DEFAULT_SCHEDULER, PodInfo
from ktui.engine.scheduler.queue import SchedulingQueue
from ktui.kube.resource import Object, ObjectKey

_FINISHED: Final = ("Succeeded", "Failed")


class Intake:
    """The informer handlers. `on_gated` is told of each pod that waits for scheduling gates."""

    def __init__(
        self,
        cache: Cache,
        queue: SchedulingQueue,
        nominations: Nominations,
        decisions: Decisions,
        on_gated: Callable[[PodInfo], None],
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._nominations = nominations
        self._decisions = decisions
        self._on_gated = on_gated

    def pod(self, delta: Delta[Pod]) -> None:
        old, new = delta.old, delta.new
        if new is None or (old is not None and _uid(old) != _uid(new)):
            self._pod_gone(delta.key, old)
            old = None
        if new is None:
            return
        if _node_of(new):
            self._pod_placed(delta.key, old, new)
        elif _is_ours(new):
            self._pod_pending(delta.key, new)
        else:
            self._queue.remove(delta.key)
            self._nominations.remove(delta.key)

    def node(self, delta: Delta[Node]) -> None:
        name = delta.key.name
        if delta.new is None:
            self._cache.remove_node(name)
            self._cache.volumes.wake()
            return
        self._cache.set_node(name, delta.new)
        if delta.old is None:
            self._queue.move(ClusterEvent.NODE_ADDED)
            return
        for event in _node_changes(delta.old, delta.new):
            self._queue.move(event)

    def namespace(self, delta: Delta[Namespace]) -> None:
        old = _labels(delta.old)
        new = _labels(delta.new)
        self._cache.set_namespace(delta.key.name, new)
        if new is not None and old != new:
            self._queue.move(ClusterEvent.NAMESPACE_LABELS)

    def claim(self, delta: Delta[PersistentVolumeClaim]) -> None:
        self._cache.volumes.set_claim(delta.key, _plain(delta.new))
        if delta.new is not None:
            self._queue.move(ClusterEvent.CLAIM)

    def volume(self, delta: Delta[PersistentVolume]) -> None:
        self._cache.volumes.set_volume(delta.key.name, _plain(delta.new))
        if delta.new is not None:
            self._queue.move(ClusterEvent.VOLUME)

    def storage_class(self, delta: Delta[StorageClass]) -> None:
        self._cache.volumes.set_class(delta.key.name, _plain(delta.new))
        if delta.new is not None:
            self._queue.move(ClusterEvent.STORAGE_CLASS)

    def driver(self, delta: Delta[CSIDriver]) -> None:
        self._cache.volumes.set_driver(delta.key.name, _plain(delta.new))
        self._queue.move(ClusterEvent.STORAGE_DRIVER)

    def capacity(self, delta: Delta[CSIStorageCapacity]) -> None:
        self._cache.volumes.set_capacity(delta.key, _plain(delta.new))
        if delta.new is not None:
            self._queue.move(ClusterEvent.STORAGE_CAPACITY)

    def _pod_pending(self, key: ObjectKey, pod: Pod) -> None:
        uid = _uid(pod)
        if self._cache.is_assumed(key, uid):
            return  # An echo from before its binding.
        info = PodInfo(pod)
        nominated = nominated_node_of(pod)
        if nominated:
            self._nominations.nominate(info, nominated)
        if self._queue.put(info):
            self._on_gated(info)

    def _pod_placed(self, key: ObjectKey, old: Pod | None, pod: Pod) -> None:
        self._queue.remove(key)
        self._nominations.remove(key)
        if _is_finished(pod):
            self._cache.remove_pod(key)
            if old is not None and not _is_finished(old):
                self._queue.move(ClusterEvent.POD_RELEASED)
            return
        if old is not None and _node_of(old) and _is_same_to_filters(old, pod):
            return
        if (
            old is not None
            and _is_only_bound(old, pod)
            and self._cache.confirm(key, _uid(pod), _node_of(pod))
        ):
            self._queue.move(ClusterEvent.POD_PLACED)
            return
        info = PodInfo(pod)
        before = self._cache.set_pod(info, _node_of(pod))
        if before is None:
            self._queue.move(ClusterEvent.POD_PLACED)
            return
        if before.labels != info.labels:
            self._queue.move(ClusterEvent.POD_LABELS)
        if any(info.requests.get(name, 0) < value for name, value in before.requests.items()):
            self._queue.move(ClusterEvent.POD_RELEASED)

    def _pod_gone(self, key: ObjectKey, old: Pod | None) -> None:
        self._queue.remove(key)
        self._nominations.remove(key)
        self._decisions.forget(key)
        self._cache.volumes.wake()
        if self._cache.remove_pod(key) or (old is not None and nominated_node_of(old)):
            self._queue.move(ClusterEvent.POD_RELEASED)


def _plain(obj: Struct | None) -> Object | None:
    return None if obj is None else msgspec.to_builtins(obj)


def _is_ours(pod: Pod) -> bool:
    if pod.spec is None or pod.metadata is None or pod.metadata.deletionTimestamp is not None:
        return False
    return (pod.spec.schedulerName or DEFAULT_SCHEDULER) == DEFAULT_SCHEDULER and not _is_finished(pod)


def _is_finished(pod: Pod) -> bool:
    return pod.status is not None and pod.status.phase in _FINISHED


def _is_same_to_filters(old: Pod, new: Pod) -> bool:
    """Whether only the status changed, which happens far more often than anything else."""
    return not _is_finished(old) and old.spec == new.spec and _has_same_metadata(old, new)


def _is_only_bound(old: Pod, new: Pod) -> bool:
    """Whether nothing but the node was added, as by a binding."""
    if old.spec is None or new.spec is None:
        return False
    return old.spec == msgspec.structs.replace(new.spec, nodeName=old.spec.nodeName) and _has_same_metadata(
        old, new
    )


def _has_same_metadata(old: Pod, new: Pod) -> bool:
    if old.metadata is None or new.metadata is None:
        return False
    return (
        old.metadata.labels == new.metadata.labels
        and old.metadata.deletionTimestamp == new.metadata.deletionTimestamp
    )


def _node_changes(old: Node, new: Node) -> list[ClusterEvent]:
    changes: list[ClusterEvent] = []
    if old.status is None or new.status is None or old.status.allocatable != new.status.allocatable:
        changes.append(ClusterEvent.NODE_ALLOCATABLE)
    if old.metadata is None or new.metadata is None or old.metadata.labels != new.metadata.labels:
        changes.append(ClusterEvent.NODE_LABELS)
    if old.spec != new.spec:
        changes.append(ClusterEvent.NODE_TAINTS)
    return changes


def _uid(pod: Pod) -> str:
    return (pod.metadata.uid if pod.metadata is not None else None) or ""


def _node_of(pod: Pod) -> str:
    return (pod.spec.nodeName if pod.spec is not None else None) or ""


def _labels(namespace: Namespace | None) -> dict[str, str] | None:
    if namespace is None or namespace.metadata is None:
        return None
    return namespace.metadata.labels or {}
