"""A watched cache of one resource type, shared by all who read it (client-go's SharedIndexInformer).

In: a list, then watch batches, relisting whenever the watch can't go on. Out: a cache of typed (or dict)
objects by key and by index, and one callback a change. Handlers run on the loop, must not block and must
not raise; level-triggered consumers put a key on their workqueue and return.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from ktui.client.base import Client, ListOptions, WatchOptions
from ktui.client.typed import decoder
from ktui.kube.clock import Clock, RealClock
from ktui.kube.errors import StatusError
from ktui.kube.resource import ObjectKey, Resource

T = TypeVar("T")
log = logging.getLogger(__name__)

_RETRY_SECONDS = (0.05, 0.2, 1.0, 5.0)
_SHORT_WATCH_SECONDS = 1.0
"""A watch that ended sooner and brought nothing is not opened again at once."""


@dataclass(frozen=True, slots=True)
class Delta(Generic[T]):
    """What changed under a key: `old` None when it appeared, `new` None when it went."""

    key: ObjectKey
    old: T | None
    new: T | None


Handler = Callable[[Delta[T]], None]
IndexFunction = Callable[[T], Iterable[str]]


class _Key(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _Identity(msgspec.Struct):
    metadata: _Key


_decode_identity = msgspec.json.Decoder(_Identity).decode


class Informer(Generic[T]):
    """Keeps every object of `resource` (in `namespace`, or all) decoded to `model` (`dict` for plain data)."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        model: type[T],
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        indexes: Mapping[str, IndexFunction[T]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.resource = resource
        self._client = client
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._clock = clock or RealClock()
        self._decode: Callable[[bytes], T] = decoder(model)
        self._objects: dict[ObjectKey, T] = {}
        self._index_functions: dict[str, IndexFunction[T]] = dict(indexes or {})
        self._indexes: dict[str, dict[str, set[ObjectKey]]] = {name: {} for name in self._index_functions}
        self._handlers: list[Handler[T]] = []
        self._synced = asyncio.Event()

    def add_handler(self, handler: Handler[T]) -> None:
        """Call `handler` for each change from now on, and at once for what the cache already holds."""
        self._handlers.append(handler)
        for key, obj in list(self._objects.items()):
            self._call(handler, Delta(key, None, obj))

    def remove_handler(self, handler: Handler[T]) -> None:
        self._handlers.remove(handler)

    def add_index(self, name: str, function: IndexFunction[T]) -> None:
        """Index the cache by the values `function` gives for an object; known names are kept as they are."""
        if name in self._index_functions:
            return
        self._index_functions[name] = function
        self._indexes[name] = {}
        for key, obj in self._objects.items():
            for value in function(obj):
                self._indexes[name].setdefault(value, set()).add(key)

    def get(self, key: ObjectKey) -> T | None:
        return self._objects.get(key)

    def items(self) -> Iterable[tuple[ObjectKey, T]]:
        return list(self._objects.items())

    def list(self, namespace: str = "") -> list[T]:
        if not namespace:
            return list(self._objects.values())
        return [obj for key, obj in self._objects.items() if key.namespace == namespace]

    def by_index(self, name: str, value: str) -> list[T]:
        """The objects for which the index function gave `value`, in key order."""
        return [self._objects[key] for key in sorted(self._indexes[name].get(value, ()))]

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def has_synced(self) -> bool:
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Return once the first list is in the cache and every handler has seen it."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled; failures are retried with back-off, and a streak of them is logged once."""
        failures = 0
        while True:
            listed: float | None = None
            try:
                version = await self._relist()
                listed = self._clock.monotonic()
                await self._follow(version)
            except (StatusError, OSError, TimeoutError, msgspec.DecodeError) as error:
                if isinstance(error, StatusError) and error.is_expired:
                    continue
                if listed is not None and self._clock.monotonic() - listed >= _SHORT_WATCH_SECONDS:
                    failures = 0
                failures += 1
                level = logging.WARNING if failures == 1 else logging.DEBUG
                log.log(level, "informer %s: %s; tried again until it works", self.resource, error)
            await self._clock.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS)) - 1])

    async def _relist(self) -> str:
        listing = await self._client.list(
            self.resource,
            self._namespace,
            options=ListOptions(label_selector=self._label_selector, field_selector=self._field_selector),
        )
        gone = set(self._objects)
        for raw in listing.raw:
            identity = _decode_identity(raw).metadata
            key = ObjectKey(identity.namespace, identity.name)
            gone.discard(key)
            self._store(key, self._decode(raw))
        for key in gone:
            self._store(key, None)
        self._synced.set()
        return listing.resource_version

    async def _follow(self, version: str) -> None:
        while True:
            options = WatchOptions(
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                resource_version=version,
            )
            before, started = version, self._clock.monotonic()
            async with self._client.watch(self.resource, self._namespace, options=options) as batches:
                async for batch in batches:
                    for event in batch:
                        if event.type == "BOOKMARK":
                            continue
                        self._store(event.key, None if event.type == "DELETED" else self._decode(event.raw))
                    version = _last_version(batch, version)
            if version == before and self._clock.monotonic() - started < _SHORT_WATCH_SECONDS:
                await self._clock.sleep(_SHORT_WATCH_SECONDS)

    def _store(self, key: ObjectKey, obj: T | None) -> None:
        old = self._objects.get(key)
        if old is None and obj is None:
            return
        if obj is None:
            del self._objects[key]
        else:
            self._objects[key] = obj
        for name, function in self._index_functions.items():
            self._reindex(self._indexes[name], function, key, old, obj)
        delta = Delta(key, old, obj)
        for handler in self._handlers:
            self._call(handler, delta)

    @staticmethod
    def _reindex(
        index: dict[str, set[ObjectKey]],
        function: IndexFunction[T],
        key: ObjectKey,
        old: T | None,
        new: T | None,
    ) -> None:
        before = set(function(old)) if old is not None else set[str]()
        after = set(function(new)) if new is not None else set[str]()
        for value in before - after:
            index[value].discard(key)
            if not index[value]:
                del index[value]
        for value in after - before:
            index.setdefault(value, set()).add(key)

    def _call(self, handler: Handler[T], delta: Delta[T]) -> None:
        try:
            handler(delta)
        except Exception:
            log.exception("informer %s: a handler failed on %s", self.resource, delta.key)


class _Version(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - the API's field name


class _Versioned(msgspec.Struct):
    metadata: _Version


_decode_version = msgspec.json.Decoder(_Versioned).decode


def _last_version(batch: Sequence[Any], version: str) -> str:
    return _decode_version(batch[-1].raw).metadata.resourceVersion if batch else version


class Informers:
    """One shared informer a resource type: the first who asks for it creates it, `run` runs them all."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self.client = client
        self._clock = clock or RealClock()
        self._informers: dict[Resource, Informer[Any]] = {}
        self._group: asyncio.TaskGroup | None = None

    def of(self, resource: Resource, model: type[T]) -> Informer[T]:
        """The informer of `resource`; all who share it must ask for the same `model`."""
        informer = self._informers.get(resource)
        if informer is None:
            informer = Informer(self.client, resource, model, clock=self._clock)
            self._informers[resource] = informer
            if self._group is not None:
                self._group.create_task(informer.run(), name=f"informer {resource}")
        return informer

    async def wait_synced(self) -> None:
        for informer in list(self._informers.values()):
            await informer.wait_synced()

    async def run(self) -> None:
        """Run every informer, also those asked for later, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for informer in self._informers.values():
                group.create_task(informer.run(), name=f"informer {informer.resource}")
            group.create_task(asyncio.Event().wait())
