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
from ktui.screens.joined import JoinedCells, key_of
from ktui.screens.live_table import Sink, Source

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
        self._usage: Mapping[ObjectKey, Usage] = {}

    async def run(self, sink: Sink) -> None:
        joined = JoinedCells(sink, _COLUMNS, lambda row: self._usage.get(key_of(row), _UNKNOWN))
        asking = asyncio.create_task(self._ask(joined), name="usage of rows")
        try:
            await self._source.run(joined)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self, joined: JoinedCells) -> None:
        while True:
            try:
                listing = await self._client.list(self._metrics, self._namespace)
            except (StatusError, OSError):
                self._usage = {}
            else:
                self._usage = usages(listing.items)
            joined.again()
            await self._clock.sleep(_EVERY_SECONDS)
