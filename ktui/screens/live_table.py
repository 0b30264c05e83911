"""A list kept live: pages of a Table, then table watch events, then again whenever the cluster says so.

In: a client and a view's selectors. Out: calls on a `Sink`: columns, all rows, batches of changed rows (the
last state of each, at most 30 batches a second, none when nothing changes) and the state of the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from ktui.client.base import Client, ListOptions, WatchOptions
from ktui.kube.clock import Clock, RealClock
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, Resource

BATCH_SECONDS = 1 / 30
_PAGE = 500
_RELIST_SECONDS = 0.1
_POLL_SECONDS = 5.0
_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)


class Link(StrEnum):
    """How a view stands with the cluster."""

    LOADING = "loading"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"
    """The cluster answered that it will not serve this; nothing is retried."""


class Sink(Protocol):
    """Who is told; all calls come on the loop, none may block."""

    def on_columns(self, definitions: Sequence[Object]) -> None: ...

    def on_rows(self, rows: Sequence[Object], *, append: bool, more: bool) -> None:
        """These are the rows, or more of them (`append`); `more` are still to come."""
        ...

    def on_changes(self, changes: Mapping[str, Object | None]) -> None:
        """By UID: a row's newest state, or None once it is gone."""
        ...

    def on_link(self, link: Link, message: str) -> None: ...


class Source(Protocol):
    """Where a view's rows come from."""

    async def run(self, sink: Sink) -> None:
        """Feed `sink` until cancelled."""
        ...


class LiveTable:
    """The rows of a resource type through list and watch."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._clock = clock or RealClock()
        self._listed = False

    async def run(self, sink: Sink) -> None:
        """List, watch, list again when the watch expired; failures are shown and retried with back-off."""
        failures = 0
        while True:
            problem = ""
            try:
                version = await self._list(sink)
                failures = 0
                if self._can_be_watched:
                    await self._follow(sink, version)
                else:
                    await self._clock.sleep(_POLL_SECONDS)
                    continue
            except StatusError as error:
                if error.is_expired:
                    await self._clock.sleep(_RELIST_SECONDS)
                    continue
                if error.code == 404 and self._listed:
                    sink.on_rows((), append=False, more=False)  # the kind is gone, and all of it
                if error.code in (400, 401, 403, 404, 405):
                    sink.on_link(Link.REFUSED, error.message)
                    return
                problem = error.message
            except (OSError, TimeoutError) as error:
                problem = str(error) or type(error).__name__
            delay = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
            failures += 1
            sink.on_link(Link.RECONNECTING, problem)
            await self._clock.sleep(delay)

    @property
    def _can_be_watched(self) -> bool:
        """Kinds that are worked out at every read (metrics) can only be listed again and again."""
        return not self._resource.verbs or "watch" in self._resource.verbs

    async def _list(self, sink: Sink) -> str:
        rows: list[Object] = []
        token = ""
        while True:
            table = await self._client.table(
                self._resource,
                self._namespace,
                options=ListOptions(
                    label_selector=self._label_selector,
                    field_selector=self._field_selector,
                    limit=_PAGE,
                    continue_token=token,
                ),
            )
            if not token:
                sink.on_columns(table.get("columnDefinitions") or ())
            page: Sequence[Object] = table.get("rows") or ()
            metadata: Object = table.get("metadata") or {}
            next_token: str = metadata.get("continue") or ""
            if self._listed:
                # What is shown stays until the new list is whole, so that cursor and marks survive it.
                rows += page
                if not next_token:
                    sink.on_rows(rows, append=False, more=False)
            else:
                sink.on_rows(page, append=bool(token), more=bool(next_token))
            token = next_token
            if not token:
                self._listed = True
                sink.on_link(Link.LIVE, "")
                return str(metadata.get("resourceVersion") or "")

    async def _follow(self, sink: Sink, version: str) -> None:
        batches = Batches(sink)
        idle = 0
        try:
            while True:
                idle += 1
                options = WatchOptions(
                    label_selector=self._label_selector,
                    field_selector=self._field_selector,
                    resource_version=version,
                )
                watch = self._client.watch(self._resource, self._namespace, options=options, table=True)
                async with watch as events:
                    async for batch in events:
                        idle = 0
                        for event in batch:
                            for row in event.object.get("rows") or ():
                                metadata: Object = (row.get("object") or {}).get("metadata") or {}
                                version = metadata.get("resourceVersion") or version
                                if event.type != "BOOKMARK":
                                    batches.add(metadata, None if event.type == "DELETED" else row)
                if idle > 3:
                    # A server that closes watches as fast as we open them must not keep us busy.
                    await self._clock.sleep(_RETRY_SECONDS[0])
        finally:
            batches.close()


class Batches:
    """Collects changes and hands them on together, once every `BATCH_SECONDS` while there are any."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._pending: dict[str, Object | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, metadata: Object, row: Object | None) -> None:
        uid = metadata.get("uid") or f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
        self._pending[uid] = row
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH_SECONDS, self._flush)

    def close(self) -> None:
        """Stop; what is pending is dropped, as whoever goes on lists anew."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        self._timer = None
        pending, self._pending = self._pending, {}
        self._sink.on_changes(pending)
