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


class Traffic:
    """The counts of one front."""

    def __init__(self, registry: Registry) -> None:
        self.totals: dict[tuple[Series, int], int] = {}
        """Requests by what they were and how they ended."""
        self.durations: dict[Series, Distribution] = {}
        """Of short requests."""
        self.running: dict[Series, int] = {}
        """Long requests that go on."""
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
        series = self._series(request.method, passage)
        if passage.length:
            self.running[series] = self.running.get(series, 0) + 1
        try:
            response = await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            self.aborted += 1
            raise
        finally:
            if passage.length:
                self.running[series] -= 1
        key = (series, response.status)
        self.totals[key] = self.totals.get(key, 0) + 1
        if not passage.length:
            durations = self.durations.get(series)
            if durations is None:
                durations = self.durations[series] = Distribution(_BUCKETS)
            durations.add(perf_counter() - start)
        return response

    def _series(self, method: str, passage: Passage) -> Series:
        target = passage.target
        if target is None:
            return Series(method, "", "", "", "", "", "")
        group, version, resource = target.group, target.version, target.plural
        scope = "resource" if target.name else "namespace" if target.namespace else "cluster"
        series = Series(method, passage.length, group, version, resource, target.subresource, scope)
        if series in self.durations or series in self.running:
            return series
        is_known = self._registry.by_resource(group, version, resource) is not None
        if not is_known or len(self.durations) + len(self.running) > _MOST_SERIES:
            return Series(method, passage.length, "", "", "", "", "")
        return series
