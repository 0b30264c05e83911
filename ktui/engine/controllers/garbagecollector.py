"""Garbage collector: deletes what has lost all its owners.

In: the metadata of every object of every deletable resource type, found by discovery again and again, so that
new types join. Out: dependents deleted in the background, in the foreground (an owner waits for those that
block it) or set free (orphan); references to owners that are gone taken out of objects that still have one.
Owner references are namespaced as Kubernetes has it: an owner is looked for in the dependent's own namespace.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from lightkube.models.meta_v1 import OwnerReference

from ktui.client.base import Client, DeleteOptions
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informer, Informers
from ktui.engine.controllers.objects import plain
from ktui.engine.controllers.owner_graph import FOREGROUND, ORPHAN, AnyObject, Coordinates, Node, OwnerGraph
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, Resource

log = logging.getLogger(__name__)

DISCOVERY_SECONDS = 5.0
UNKNOWN_KIND_SECONDS = 30.0
_VERBS = {"list", "watch", "delete", "patch"}
_IGNORED = {"events", "events.events.k8s.io"}


class GarbageCollector(Controller[str]):
    """Works through UIDs; its graph is fed by informers of its own, which decode metadata only."""

    name = "garbage-collector-controller"
    workers = 5

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._graph = OwnerGraph()
        self._resources: dict[tuple[str, str], Resource] = {}
        self._watched: dict[Resource, tuple[Informer[AnyObject], asyncio.Task[None]]] = {}
        self._discovered = asyncio.Event()

    def setup(self, informers: Informers, queue: WorkQueue[str]) -> None:
        self._queue = queue

    async def wait_synced(self) -> None:
        """Return once every resource type known so far has been listed: before that, an owner's dependents
        are not all known and it must not be let go."""
        await self._discovered.wait()
        for informer, _ in list(self._watched.values()):
            await informer.wait_synced()

    async def background(self) -> None:
        """Discover resource types and keep an informer on each. A restart begins with an empty graph: what
        went meanwhile nobody would tell."""
        self._graph = OwnerGraph()
        self._discovered.clear()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    try:
                        self._follow(await self._client.resources(), group)
                    except (StatusError, OSError, TimeoutError) as error:
                        log.warning("garbage collector: discovery failed, keeping what is known: %s", error)
                    await self._clock.sleep(DISCOVERY_SECONDS)
        finally:
            self._watched.clear()

    def _follow(self, served: Sequence[Resource], group: asyncio.TaskGroup) -> None:
        # Kinds are kept by group and kind: an owner reference's version may be any that is served.
        self._resources = {(each.group, each.kind): each for each in reversed(served)}
        wanted = {each.key: each for each in reversed(served) if each.verbs and set(each.verbs) >= _VERBS}
        deletable = {each for key, each in wanted.items() if key not in _IGNORED}
        for resource in set(self._watched) - deletable:
            _, task = self._watched.pop(resource)
            task.cancel()
            for node in self._graph.of_resource(resource):
                self._look_at(self._graph.remove(node.uid))
        for resource in sorted(deletable - set(self._watched), key=str):
            informer = Informer(self._client, resource, AnyObject, clock=self._clock)
            informer.add_handler(self._handler(resource))
            task = group.create_task(informer.run(), name=f"garbage collector {resource}")
            self._watched[resource] = (informer, task)
        self._discovered.set()

    def _handler(self, resource: Resource) -> Any:
        def changed(delta: Delta[AnyObject]) -> None:
            old, new = delta.old, delta.new
            if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
                self._look_at(self._graph.remove(old.metadata.uid))
            if new is not None:
                where = Coordinates(
                    resource, resource.api_version, resource.kind, delta.key.namespace, delta.key.name
                )
                self._look_at(self._graph.observe(where, new.metadata))

        return changed

    def _look_at(self, uids: set[str]) -> None:
        for uid in sorted(uids):
            self._queue.add(uid)

    async def reconcile(self, key: str) -> Result | None:
        await self.wait_synced()
        node = self._graph.get(key)
        if node is None or node.virtual:
            return None
        if node.orphans_dependents:
            return await self._orphan(node)
        if node.deletes_dependents:
            return await self._finish_foreground(node)
        if node.deleting or not node.owners:
            return None
        return await self._collect(node)

    async def _collect(self, node: Node) -> Result | None:
        """Decide by the state of its owners whether an object stays, loses references, or goes."""
        solid: list[OwnerReference] = []
        waiting: list[OwnerReference] = []
        dangling: list[OwnerReference] = []
        for reference in node.owners:
            state = await self._state_of(node, reference)
            if state is None:
                return Result(UNKNOWN_KIND_SECONDS)
            {"solid": solid, "waiting": waiting, "dangling": dangling}[state].append(reference)
        if solid:
            if dangling or waiting:
                gone = {reference.uid for reference in (*dangling, *waiting)}
                await self._set_owners(node, [each for each in node.owners if each.uid not in gone])
            return None
        if waiting and node.dependents:
            if any(each.deletes_dependents for each in self._graph.dependents(node.uid)):
                # A circle of foreground deletions would wait for itself: stop blocking the owners.
                await self._set_owners(
                    node, [msgspec.structs.replace(each, blockOwnerDeletion=False) for each in node.owners]
                )
            await self._delete(node, "Foreground")
            return None
        if ORPHAN in node.finalizers:
            await self._delete(node, "Orphan")
        elif FOREGROUND in node.finalizers:
            await self._delete(node, "Foreground")
        else:
            await self._delete(node, "Background")
        return None

    async def _state_of(self, node: Node, reference: OwnerReference) -> str | None:
        """`solid`, `waiting` (it deletes its dependents in the foreground), `dangling`; None: can't be known."""
        group = reference.apiVersion.rpartition("/")[0]
        resource = self._resources.get((group, reference.kind))
        if resource is None:
            log.debug("%s: owner of unknown kind %s %s", node.where, reference.apiVersion, reference.kind)
            return None
        if resource.namespaced and not node.where.namespace:
            self._misplaced(node, reference, "cluster-scoped objects can't have namespaced owners")
            return None
        namespace = node.where.namespace if resource.namespaced else ""
        owner = self._graph.get(reference.uid)
        if owner is not None and not owner.virtual:
            if (owner.where.namespace, owner.where.name) == (namespace, reference.name):
                return "waiting" if owner.deletes_dependents else "solid"
            if resource.namespaced and owner.where.namespace != namespace:
                self._misplaced(node, reference, f'does not exist in namespace "{namespace}"')
            return "dangling"
        try:
            live = await self._client.get(resource, reference.name, namespace)
        except StatusError as error:
            if error.is_not_found:
                return "dangling"
            raise
        metadata: Object = live["metadata"]
        if metadata.get("uid") != reference.uid:
            return "dangling"
        if metadata.get("deletionTimestamp") and FOREGROUND in (metadata.get("finalizers") or ()):
            return "waiting"
        return "solid"

    def _misplaced(self, node: Node, reference: OwnerReference, problem: str) -> None:
        involved = {
            "apiVersion": node.where.api_version,
            "kind": node.where.kind,
            "namespace": node.where.namespace,
            "name": node.where.name,
            "uid": node.uid,
        }
        described = (
            f"[{reference.apiVersion}/{reference.kind}, namespace: {node.where.namespace}, "
            f"name: {reference.name}, uid: {reference.uid}]"
        )
        self._recorder.event(
            involved, "Warning", "OwnerRefInvalidNamespace", f"ownerRef {described} {problem}"
        )

    async def _finish_foreground(self, node: Node) -> None:
        """Let a foreground deletion end once no dependent blocks it; else see that they are going."""
        blocking = [each for each in self._graph.dependents(node.uid) if each.blocks(node.uid)]
        if not blocking:
            await self._remove_finalizer(node, FOREGROUND)
            return
        self._look_at({each.uid for each in blocking if not each.deletes_dependents})

    async def _orphan(self, node: Node) -> None:
        """Take the owner out of its dependents, then let it go."""
        for dependent in self._graph.dependents(node.uid):
            kept = [each for each in dependent.owners if each.uid != node.uid]
            await self._set_owners(dependent, kept)
        await self._remove_finalizer(node, ORPHAN)

    async def _live(self, node: Node) -> Object | None:
        """The object as it is now; None when it is gone."""
        assert node.where.resource is not None
        try:
            live = await self._client.get(node.where.resource, node.where.name, node.where.namespace)
        except StatusError as error:
            if error.is_not_found:
                return None
            raise
        return live if live["metadata"].get("uid") == node.uid else None

    async def _set_owners(self, node: Node, owners: Sequence[OwnerReference]) -> None:
        live = await self._live(node)
        if live is None:
            return
        current: list[Object] = live["metadata"].get("ownerReferences") or []
        wanted = {each.uid: plain(each) for each in owners}
        was = {each.uid for each in node.owners}
        # References the graph hasn't seen yet stay; those it has seen become what was decided.
        kept = [
            wanted.get(each["uid"], each)
            for each in current
            if each["uid"] in wanted or each["uid"] not in was
        ]
        if kept != current:
            await self._patch(node, live, {"ownerReferences": kept or None})

    async def _remove_finalizer(self, node: Node, finalizer: str) -> None:
        live = await self._live(node)
        if live is None:
            return
        current: list[str] = live["metadata"].get("finalizers") or []
        if finalizer in current:
            kept = [each for each in current if each != finalizer]
            await self._patch(node, live, {"finalizers": kept or None})

    async def _patch(self, node: Node, live: Object, metadata: Object) -> None:
        assert node.where.resource is not None
        versioned = {**metadata, "uid": node.uid, "resourceVersion": live["metadata"]["resourceVersion"]}
        try:
            await self._client.patch(
                node.where.resource, node.where.name, {"metadata": versioned}, node.where.namespace
            )
        except StatusError as error:
            if not error.is_not_found:
                raise

    async def _delete(self, node: Node, policy: Any) -> None:
        """Delete exactly this object, provided its owners are still those that were judged."""
        assert node.where.resource is not None
        live = await self._live(node)
        if live is None:
            return
        references: list[Object] = live["metadata"].get("ownerReferences") or []
        if {each["uid"] for each in references} != {each.uid for each in node.owners}:
            self._queue.add_rate_limited(node.uid)
            return
        options = DeleteOptions(
            uid=node.uid, resource_version=live["metadata"]["resourceVersion"], propagation_policy=policy
        )
        try:
            await self._client.delete(
                node.where.resource, node.where.name, node.where.namespace, options=options
            )
        except StatusError as error:
            if not error.is_not_found:
                raise
