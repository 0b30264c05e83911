"""Writes through subresources whose body is not the object itself: a Scale, a Binding, an Eviction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.deleting import Deleter
from ktui.engine.api.documents import decode, encode, metadata_of, success
from ktui.engine.api.reading import Reader
from ktui.engine.api.subresources.budget import Budgets
from ktui.engine.api.subresources.pods import (
    body_of,
    bound,
    disrupted,
    eviction_options,
    goes_without_budget,
    target_of,
)
from ktui.engine.api.subresources.scale import replicas_of, scale_of, scaled
from ktui.engine.api.writing import Write, Writer
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.resource import Object


class SubresourceWrites:
    """Each becomes a change of the object behind it."""

    def __init__(
        self, reader: Reader, writer: Writer, deleter: Deleter, budgets: Budgets, clock: Clock
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._deleter = deleter
        self._budgets = budgets
        self._clock = clock

    async def scale(self, write: Write, change: Callable[[Object], object]) -> bytes:
        """Update the object through its `Scale`, which `change` gets and gives back."""
        scale = write.declaration.scale
        assert scale is not None

        def build(old: Object) -> Object:
            return scaled(old, body_of(change(scale_of(old, scale)), "Scale"), scale)

        return encode(scale_of(decode(await self._writer.change(write, build)), scale))

    async def apply_scale(self, write: Write, config: object) -> bytes:
        """Server-side apply of a `Scale`."""
        scale = write.declaration.scale
        assert scale is not None
        wanted = replicas_of(body_of(config, "Scale"), scale, write.name)
        return encode(scale_of(decode((await self._writer.apply(write, wanted)).data), scale))

    async def bind(self, write: Write, pods: Declaration, body: object) -> bytes:
        """Put a pod on a node, through `pods/binding` or as a `Binding` of the pod's name."""
        binding = body_of(body, "Binding")
        node = target_of(binding)
        name = write.name or str(metadata_of(binding).get("name") or "")
        now = rfc3339(self._clock.now())
        write = replace(write, declaration=pods, name=name, subresource="binding")
        await self._writer.change(write, lambda pod: bound(pod, binding, node, now))
        return encode({**success(), "code": 201})

    async def evict(self, write: Write, body: object) -> bytes:
        """Delete a pod, and tell in its status why it goes."""
        options = eviction_options(body_of(body, "Eviction"))
        if write.options.dry_run:
            options = replace(options, dry_run=True)
        pod = decode((await self._reader.get(write.declaration, write.namespace, write.name)).data)
        if not goes_without_budget(pod):
            now = rfc3339(self._clock.now())
            await self._budgets.take(pod, now, dry_run=options.dry_run)
            await self._writer.change(write, lambda pod: disrupted(pod, now))
        await self._deleter.delete(
            write.request, write.declaration, write.namespace, write.name, options, is_admitted=True
        )
        return encode({**success(), "code": 201})
