"""Every request is counted: what it was about, how it ended, how long it took. `/metrics` shows the counts.

The outermost of the middlewares. It also reads, once, what the path is about and whether the request ends soon or
goes on for as long as the client likes, which the limits go by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final, Literal, NamedTuple

from aiohttp import web

from ktui.engine.api.http.target import Target, target_of
from ktui.engine.api.registry import Registry
from ktui.kube.prometheus import Distribution

Length = Literal["", "watch", "stream"]
"""Short, or long: a watch, or a stream of bytes (exec, log, proxy and the like)."""

_STREAMS: Final = frozenset(("attach", "exec", "log", "portforward", "proxy"))
_BUCKETS: Final = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5),
    *(2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
_NO: Final = ("0", "f", "F", "false", "FALSE", "False")
_MOST_SERIES: Final = 5000
"""Labels come from requests: nobody shall fill the memory with them."""


class Passage:
    """What is known of a request from its first line."""

    __slots__ = ("length", "target")

    def __init__(self, target: Target | None, length: Length) -> None:
        self.target = target
        self.length: Length = length


_PASSAGE: Final = web.RequestKey("passage", Passage)


def passage_of(request: web.Request) -> Passage:
    """What is known of a request; read once."""
    found = request.get(_PASSAGE)
    if found is None:
        target = target_of(request.path)
        found = request[_PASSAGE] = Passage(target, _length(request, target))
    return found


def _length(request: web.Request, target: Target | None) -> Length:
    if target is None:
        return ""
    if target.subresource in _STREAMS:
        return "stream"
    if request.method == "GET" and "watch" in request.query_string:
        value = request.query.get("watch")
        return "watch" if value is not None and value not in _NO else ""
    return ""


class Series(NamedTuple):
    """What requests are told apart by."""

    method: str
    length: Length
    group: str
    version: str
    resource: str
    subresource: str
    scope: str

    @property
    def verb(self) -> str:
        """Kubernetes' name of what was done, in capitals."""
        if self.length == "watch":
            return "WATCH"
        if self.length == "stream" and self.subresource != "log":
            return "CONNECT"
        if self.scope != "resource" and self.resource:
            return {"GET": "LIST", "DELETE": "DELETECOLLECTION"}.get(self.method, self.method)
        return self.method


class Record:
    """What is known of the requests of one series."""

    __slots__ = ("codes", "durations", "running")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        """How many ended with which status."""
        self.durations = Distribution(_BUCKETS)
        """Of short requests."""
        self.running = 0
        """Long requests that go on."""


class Traffic:
    """The counts of one front."""

    def __init__(self, registry: Registry) -> None:
        self.records: dict[Series, Record] = {}
        self.aborted = 0
        """Requests whose client left."""
        self._registry = registry

    @web.middleware
    async def count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """The middleware."""
        start = perf_counter()
        passage = passage_of(request)
        target = passage.target
        if target is None:
            series = Series(request.method, "", "", "", "", "", "")
        else:
            scope = "resource" if target.name else "namespace" if target.namespace else "cluster"
            series = Series(
                request.method,
                passage.length,
                target.group,
                target.version,
                target.plural,
                target.subresource,
                scope,
            )
        record = self.records.get(series) or self._new(series)
        if passage.length:
            return await self._long(request, handler, record)
        try:
            response = await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            self.aborted += 1
            raise
        code = response.status
        record.codes[code] = record.codes.get(code, 0) + 1
        record.durations.add(perf_counter() - start)
        return response

    async def _long(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        record: Record,
    ) -> web.StreamResponse:
        record.running += 1
        try:
            response = await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            self.aborted += 1
            raise
        finally:
            record.running -= 1
        record.codes[response.status] = record.codes.get(response.status, 0) + 1
        return response

    def _new(self, series: Series) -> Record:
        is_known = self._registry.by_resource(series.group, series.version, series.resource) is not None
        if not is_known or len(self.records) >= _MOST_SERIES:
            series = Series(series.method, series.length, "", "", "", "", "")
        return self.records.setdefault(series, Record())
