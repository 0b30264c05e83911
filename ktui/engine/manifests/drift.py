"""Noticing that an object a file brought was changed or deleted by someone else.

In: what was applied (uid, generation, version, labels). Out: a call for each object that no longer is what
was applied; the syncer then applies it again. Only metadata is kept of the objects watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ktui.client.base import Client
from ktui.client.informer import Delta, Informer
from ktui.engine.manifests.record import Identity
from ktui.kube.clock import Clock
from ktui.kube.resource import Object, ObjectKey, Resource


class _Metadata(msgspec.Struct):
    uid: str = ""
    generation: int = 0
    resourceVersion: str = "0"  # noqa: N815 - the API's field names
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Seen(msgspec.Struct):
    """As much of a live object as it takes to notice a change."""

    metadata: _Metadata


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an object looked like right after it was applied."""

    uid: str
    generation: int
    version: int
    labels: dict[str, str]
    annotations: dict[str, str]

    @classmethod
    def of(cls, live: Object, wanted: Object) -> Baseline:
        metadata, asked = live["metadata"], wanted["metadata"]
        return cls(
            uid=metadata["uid"],
            generation=metadata.get("generation") or 0,
            version=int(metadata["resourceVersion"]),
            labels=dict(asked.get("labels") or {}),
            annotations=dict(asked.get("annotations") or {}),
        )

    def differs(self, seen: Seen) -> bool:
        """Whether someone changed it since; status and others' metadata don't count where that can be told."""
        metadata = seen.metadata
        if int(metadata.resourceVersion) <= self.version:
            return False
        if metadata.uid != self.uid:
            return True
        if not (self.labels.items() <= (metadata.labels or {}).items()):
            return True
        if not (self.annotations.items() <= (metadata.annotations or {}).items()):
            return True
        if self.generation:
            return metadata.generation != self.generation
        return True


class DriftWatch:
    """Follows every resource type that has applied objects; `notice` gets the identity of what drifted."""

    def __init__(self, client: Client, clock: Clock, notice: Callable[[Identity], None]) -> None:
        self._client = client
        self._clock = clock
        self._notice = notice
        self._baselines: dict[Identity, Baseline] = {}
        self._informers: dict[Resource, Informer[Seen]] = {}
        self._asked: asyncio.Queue[Resource] = asyncio.Queue()

    def expect(self, resource: Resource, identity: Identity, baseline: Baseline) -> None:
        """From now on the object should look like this."""
        self._baselines[identity] = baseline
        if resource not in self._informers:
            informer = Informer(self._client, resource, Seen, clock=self._clock)
            informer.add_handler(lambda delta: self._on_delta(resource, delta))
            self._informers[resource] = informer
            self._asked.put_nowait(resource)
            return
        # The change may have been seen before this baseline was known.
        seen = self._informers[resource].get(ObjectKey(identity.namespace, identity.name))
        if seen is not None and baseline.differs(seen):
            self._notice(identity)

    def forget(self, identity: Identity) -> None:
        self._baselines.pop(identity, None)

    async def run(self) -> None:
        """Run an informer for each resource type followed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                resource = await self._asked.get()
                informer = self._informers[resource]
                group.create_task(informer.run(), name=f"drift {resource}")
                group.create_task(self._notice_missing(resource, informer))

    async def _notice_missing(self, resource: Resource, informer: Informer[Seen]) -> None:
        """What went before the first list came in."""
        await informer.wait_synced()
        for identity in list(self._baselines):
            is_ours = (identity.group, identity.kind) == (resource.group, resource.kind)
            if is_ours and informer.get(ObjectKey(identity.namespace, identity.name)) is None:
                self._notice(identity)

    def _on_delta(self, resource: Resource, delta: Delta[Seen]) -> None:
        identity = Identity(resource.group, resource.kind, delta.key.namespace, delta.key.name)
        baseline = self._baselines.get(identity)
        if baseline is not None and (delta.new is None or baseline.differs(delta.new)):
            self._notice(identity)
