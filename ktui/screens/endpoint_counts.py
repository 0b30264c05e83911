"""How many endpoints of each Service are ready (`2/3`), beside the rows of services, from their EndpointSlices.

In: a source of services, and the slices of the namespace, watched while the view is open. Out: the same rows with
one more cell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from ktui.client.base import Client
from ktui.client.informer import Delta, Informer
from ktui.kube.data import mapping, section
from ktui.kube.kinds import ENDPOINT_SLICES
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.service import SERVICE_NAME_LABEL, count_endpoints
from ktui.screens.joined import JoinedCells, key_of
from ktui.screens.live_table import BATCH_SECONDS, Sink, Source

_COLUMNS = ({"name": "Endpoints", "type": "string", "description": "How many are ready, of how many."},)
NONE = "<none>"


def endpoint_counts(slices: Iterable[Object]) -> dict[ObjectKey, str]:
    """`2/3` by service."""
    of_service: dict[ObjectKey, list[Object]] = {}
    for each in slices:
        metadata = section(each, "metadata")
        if name := mapping(metadata, "labels").get(SERVICE_NAME_LABEL):
            of_service.setdefault(ObjectKey(metadata.get("namespace") or "", name), []).append(each)
    counts = {key: count_endpoints(found) for key, found in of_service.items()}
    return {key: f"{ready}/{total}" for key, (ready, total) in counts.items()}


class EndpointsSource:
    """Feeds a sink from a source of services, and adds their endpoints."""

    def __init__(self, source: Source, client: Client, namespace: str) -> None:
        self._source = source
        self._client = client
        self._namespace = namespace
        self._counts: dict[ObjectKey, str] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, sink: Sink) -> None:
        joined = JoinedCells(sink, _COLUMNS, lambda row: (self._counts.get(key_of(row), NONE),))
        slices: Informer[dict[str, Any]] = Informer(
            self._client, ENDPOINT_SLICES, dict, namespace=self._namespace
        )

        def count() -> None:
            self._timer = None
            self._counts = endpoint_counts(slices.list())
            joined.again()

        def changed(_: Delta[dict[str, Any]]) -> None:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(BATCH_SECONDS, count)

        slices.add_handler(changed)
        following = asyncio.create_task(slices.run(), name="endpoints of rows")
        try:
            await self._source.run(joined)
        finally:
            following.cancel()
            if self._timer is not None:
                self._timer.cancel()
            await asyncio.gather(following, return_exceptions=True)
