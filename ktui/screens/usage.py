"""CPU and memory beside the rows of pods and nodes, where the cluster serves metrics.

In: a source of rows, and the metrics API asked every few seconds while the view is open. Out: the same rows with two
more cells; a row whose usage changed comes again, like any change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ktui.client.base import Client
from ktui.kube.clock import Clock, RealClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NODES, PODS
from ktui.kube.quantity import QuantityError, bytes_of, cpu_millis
from ktui.kube.resource import Object, ObjectKey, Resource
from ktui.screens.catalog import Catalog
from ktui.screens.items import USAGE
from ktui.screens.live_table import Link, Sink, Source

_COLUMNS: Sequence[Object] = (
    {"name": "CPU", "type": "number", "format": USAGE, "description": "Thousandths of a core in use."},
    {"name": "MEM", "type": "number", "format": USAGE, "description": "Memory in use."},
)
_EVERY_SECONDS = 5.0

Usage: TypeAlias = tuple[str, str]
_UNKNOWN: Usage = ("", "")


def with_usage(
    source: Source, client: Client, catalog: Catalog, resource: Resource, namespace: str
) -> Source:
    """The source with usage, if it is one of pods or nodes and the cluster tells."""
    if resource.key not in (PODS.key, NODES.key):
        return source
    metrics = next(
        (r for r in catalog.resources if r.group == "metrics.k8s.io" and r.plural == resource.plural), None
    )
    return source if metrics is None else UsageSource(source, client, metrics, namespace)


def usages(metrics: Iterable[Object]) -> dict[ObjectKey, Usage]:
    """What each pod or node uses, as `kubectl top` prints it; a pod's containers summed up."""
    found: dict[ObjectKey, Usage] = {}
    for entry in metrics:
        parts: list[Object] = entry.get("containers") or [entry]
        used = [part.get("usage") or {} for part in parts]
        try:
            cpu = sum(cpu_millis(usage.get("cpu")) for usage in used)
            memory = sum(bytes_of(usage.get("memory")) for usage in used)
        except QuantityError:
            continue
        found[ObjectKey.of(entry)] = (f"{cpu}m", f"{memory >> 20}Mi")
    return found


class UsageSource:
    """Feeds a sink from another source, and adds usage."""

    def __init__(
        self, source: Source, client: Client, metrics: Resource, namespace: str, clock: Clock | None = None
    ) -> None:
        self._source = source
        self._client = client
        self._metrics = metrics
        self._namespace = namespace
        self._clock = clock or RealClock()

    async def run(self, sink: Sink) -> None:
        joined = _Joined(sink)
        asking = asyncio.create_task(self._ask(joined), name="usage of rows")
        try:
            await self._source.run(joined)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self, joined: _Joined) -> None:
        while True:
            try:
                listing = await self._client.list(self._metrics, self._namespace)
            except (StatusError, OSError):
                joined.take({})
            else:
                joined.take(usages(listing.items))
            await self._clock.sleep(_EVERY_SECONDS)


class _Joined:
    """A `Sink` that puts the usage known last before the age of each row."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rows: dict[str, Object] = {}
        self._usage: Mapping[ObjectKey, Usage] = {}
        self._at = 0

    def take(self, usage: Mapping[ObjectKey, Usage]) -> None:
        """Usage was measured anew."""
        before, self._usage = self._usage, usage
        changed = {
            uid: self._with(row)
            for uid, row in self._rows.items()
            if before.get(key := _key(row), _UNKNOWN) != usage.get(key, _UNKNOWN)
        }
        if changed:
            self._sink.on_changes(changed)

    def on_columns(self, definitions: Sequence[Object]) -> None:
        names = [definition.get("name") for definition in definitions]
        self._at = names.index("Age") if "Age" in names else len(names)
        self._sink.on_columns([*definitions[: self._at], *_COLUMNS, *definitions[self._at :]])

    def on_rows(self, rows: Sequence[Object], *, append: bool, more: bool) -> None:
        if not append:
            self._rows.clear()
        self._rows.update((_uid(row), row) for row in rows)
        self._sink.on_rows([self._with(row) for row in rows], append=append, more=more)

    def on_changes(self, changes: Mapping[str, Object | None]) -> None:
        for uid, row in changes.items():
            if row is None:
                self._rows.pop(uid, None)
            else:
                self._rows[uid] = row
        self._sink.on_changes({uid: row and self._with(row) for uid, row in changes.items()})

    def on_link(self, link: Link, message: str) -> None:
        self._sink.on_link(link, message)

    def _with(self, row: Object) -> Object:
        cells: Sequence[object] = row.get("cells") or ()
        usage = self._usage.get(_key(row), _UNKNOWN)
        return {**row, "cells": [*cells[: self._at], *usage, *cells[self._at :]]}


def _metadata(row: Object) -> Object:
    return (row.get("object") or {}).get("metadata") or {}


def _key(row: Object) -> ObjectKey:
    metadata = _metadata(row)
    return ObjectKey(metadata.get("namespace") or "", metadata.get("name") or "")


def _uid(row: Object) -> str:
    metadata = _metadata(row)
    return metadata.get("uid") or f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
