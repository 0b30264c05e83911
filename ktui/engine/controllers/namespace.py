"""Namespace: empties a namespace that is being deleted, then lets it go.

In: Namespaces in deletion. Out: a deletecollection on every namespaced resource type, conditions that say what
is left and why, and, once nothing is left, the `kubernetes` finalizer taken off, which removes the namespace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from lightkube.models.core_v1 import Namespace, NamespaceCondition, NamespaceStatus, Pod
from msgspec.structs import replace

from ktui.client.base import Client, DeleteOptions
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import is_deleting, plain, with_status
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, whole_second
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NAMESPACES, PODS
from ktui.kube.resource import Object, ObjectKey, Resource

FINALIZER = "kubernetes"
RETRY_SECONDS = 1.0
_VERBS = {"list", "delete"}


@dataclass(slots=True)
class Emptied:
    """What a round of deletions came to."""

    discovery_error: str = ""
    errors: list[str] = field(default_factory=list[str])
    remaining: dict[str, int] = field(default_factory=dict[str, int])
    """Objects left, by `plural.group` (`pods.` for the core group, as Kubernetes words it)."""
    finalizers: dict[str, int] = field(default_factory=dict[str, int])
    """Objects that wait for a finalizer, by finalizer."""

    @property
    def complete(self) -> bool:
        return not (self.discovery_error or self.errors or self.remaining)


class NamespaceController(Controller[ObjectKey]):
    """Deletes the content of namespaces in deletion."""

    name = "namespace-controller"
    workers = 3

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._namespaces = informers.of(NAMESPACES, Namespace)
        self._namespaces.add_handler(enqueue_object(queue))
        informers.of(PODS, Pod).add_handler(self._pod_changed)

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        """Pods take the longest to go: the last one wakes its namespace at once."""
        if delta.new is None:
            key = ObjectKey("", delta.key.namespace)
            namespace = self._namespaces.get(key)
            if namespace is not None and is_deleting(namespace):
                self._queue.add(key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        namespace = self._namespaces.get(key)
        if namespace is None or not is_deleting(namespace):
            return None
        held_by: Sequence[str] = (namespace.spec.finalizers if namespace.spec else None) or ()
        if FINALIZER not in held_by:
            return None
        emptied = await self._empty(key.name)
        status = terminating_status(namespace, emptied, self._clock)
        if status != namespace.status:
            written = await self._client.update(
                NAMESPACES, with_status(namespace, status), subresource="status"
            )
            namespace = msgspec.convert(written, Namespace)
        if not emptied.complete:
            return Result(RETRY_SECONDS)
        finalized = plain(namespace)
        finalized["spec"] = {"finalizers": [each for each in held_by if each != FINALIZER]}
        await self._client.update(NAMESPACES, finalized, subresource="finalize")
        return None

    async def _empty(self, namespace: str) -> Emptied:
        """One round over all resource types: delete everything, count what is left."""
        emptied = Emptied()
        try:
            served = await self._client.resources()
        except StatusError as error:
            emptied.discovery_error = str(error)
            return emptied
        deletable = [each for each in served if each.namespaced and set(each.verbs) >= _VERBS]
        # Pods first, alone: while they end, what they rely on (and what guards them) has to stay.
        for resource in sorted(deletable, key=lambda each: each.key != PODS.key):
            try:
                await self._empty_resource(resource, namespace, emptied)
            except StatusError as error:
                emptied.errors.append(f"failed to delete all {resource.key}: {error}")
            if resource.key == PODS.key and not emptied.complete:
                break
        return emptied

    async def _empty_resource(self, resource: Resource, namespace: str, emptied: Emptied) -> None:
        listed = await self._client.list(resource, namespace)
        if not listed.raw:
            return
        if "deletecollection" in resource.verbs:
            options = DeleteOptions(propagation_policy="Background")
            await self._client.delete_collection(resource, namespace, options=options)
        else:
            for obj in listed.items:
                await self._delete(resource, obj, namespace)
        left = (await self._client.list(resource, namespace)).items
        if left:
            emptied.remaining[f"{resource.plural}.{resource.group}"] = len(left)
        for obj in left:
            finalizers: list[str] = obj["metadata"].get("finalizers") or []
            for finalizer in finalizers:
                emptied.finalizers[finalizer] = emptied.finalizers.get(finalizer, 0) + 1

    async def _delete(self, resource: Resource, obj: Object, namespace: str) -> None:
        options = DeleteOptions(propagation_policy="Background")
        try:
            await self._client.delete(resource, obj["metadata"]["name"], namespace, options=options)
        except StatusError as error:
            if not error.is_not_found:
                raise


def terminating_status(namespace: Namespace, emptied: Emptied, clock: Clock) -> NamespaceStatus:
    """The status with Kubernetes' five conditions about the deletion."""
    known: Sequence[NamespaceCondition] = (namespace.status.conditions if namespace.status else None) or ()
    mine = _conditions(emptied)
    types = {each.type for each in mine}
    conditions = [each for each in known if each.type not in types]
    for each in mine:
        old = next((one for one in known if one.type == each.type), None)
        if old is not None and (old.status, old.reason, old.message) == (
            each.status,
            each.reason,
            each.message,
        ):
            conditions.append(old)
        else:
            changed = old is None or old.status != each.status
            moment = whole_second(clock.now()) if changed or old is None else old.lastTransitionTime
            conditions.append(replace(each, lastTransitionTime=moment))
    return NamespaceStatus(phase="Terminating", conditions=conditions)


def _conditions(emptied: Emptied) -> list[NamespaceCondition]:
    remaining = ", ".join(
        f"{name} has {count} resource instances" for name, count in sorted(emptied.remaining.items())
    )
    finalizers = ", ".join(
        f"{name} in {count} resource instances" for name, count in sorted(emptied.finalizers.items())
    )
    rows = (
        (
            "NamespaceDeletionDiscoveryFailure",
            ("DiscoveryFailed", f"Discovery failed for some groups: {emptied.discovery_error}")
            if emptied.discovery_error
            else None,
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            (
                "ContentDeletionFailed",
                "Failed to delete all resource types, "
                f"{len(emptied.errors)} remaining: {', '.join(sorted(emptied.errors))}",
            )
            if emptied.errors
            else None,
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        (
            "NamespaceContentRemaining",
            ("SomeResourcesRemain", f"Some resources are remaining: {remaining}") if remaining else None,
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            ("SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {finalizers}")
            if finalizers
            else None,
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    )
    return [
        NamespaceCondition(
            type=kind,
            status="True" if failed else "False",
            reason=(failed or fine)[0],
            message=(failed or fine)[1],
        )
        for kind, failed, fine in rows
    ]
