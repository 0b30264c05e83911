"""The API over HTTP: one server on a unix socket for the owner, and on TLS for everyone else.

A request passes from failures to `Status` through authentication to the handlers of resources or of the
server's own paths; authorization is the server's. Around it all requests are counted, and before the handlers
each waits for its turn.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

from ktui.engine.api.authn.certificates import ClientCertificates
from ktui.engine.api.authn.identity import TokenAuthenticator
from ktui.engine.api.http.about import AboutHandlers
from ktui.engine.api.http.aggregation import AggregationHandlers
from ktui.engine.api.http.answers import MAX_BODY_BYTES, failures_as_status
from ktui.engine.api.http.audit import AuditLog
from ktui.engine.api.http.flow_headers import FlowHeaders
from ktui.engine.api.http.identity import Connections, authentication
from ktui.engine.api.http.issuer import IssuerHandlers
from ktui.engine.api.http.limits import FlowControl, Limits
from ktui.engine.api.http.metrics import Figures, MetricsHandlers
from ktui.engine.api.http.openapi import OpenApiHandlers
from ktui.engine.api.http.resources import ResourceHandlers
from ktui.engine.api.http.traffic import Traffic, passage_of
from ktui.engine.api.server import ApiServer

_SHUTDOWN_SECONDS = 0.5
"""For requests to end by themselves; twice that passes when logs or watches are followed, which never do."""
_LONGEST_LINE_BYTES = 64 * 1024
"""A request line with the longest selector, and the longest header."""
_MOST_HEADERS = 128
_IDLE_SECONDS = 90.0
"""A connection that has not brought a whole head of a request for so long is closed, however it dribbles."""
_BACKLOG = 1024


class HttpFront:
    """Serves one `ApiServer`."""

    def __init__(
        self,
        server: ApiServer,
        tokens: Sequence[TokenAuthenticator] = (),
        audit: AuditLog | None = None,
        *,
        limits: Limits | None = None,
        figures: Sequence[Figures] = (),
    ) -> None:
        self._certificates = ClientCertificates()
        traffic, flows = Traffic(server.registry), FlowControl(limits or Limits())
        resources = ResourceHandlers(server)
        others = web.UrlDispatcher()
        others.add_routes([*AboutHandlers(server).routes(), *IssuerHandlers(server).routes()])
        aggregation = AggregationHandlers(server.aggregator, server.authorizer)
        others.add_routes(OpenApiHandlers(server, aggregation).routes())
        others.add_routes(MetricsHandlers(server, traffic, flows, figures).routes())
        middlewares: list[Middleware] = [
            traffic.count,
            *([audit.record] if audit else []),
            FlowHeaders(server.flow_matcher).mark,
            failures_as_status,
            authentication(Connections(self._certificates, server.clock), tokens, lambda: server.authorizer),
            flows.admit,
        ]
        served = web.Server(
            _chained(middlewares, _Dispatch(resources, others, aggregation).handle),
            request_factory=_request,
            handler_cancellation=True,
            access_log=None,
            max_line_size=_LONGEST_LINE_BYTES,
            max_field_size=_LONGEST_LINE_BYTES,
            max_headers=_MOST_HEADERS,
            keepalive_timeout=_IDLE_SECONDS,
        )
        self._runner = web.ServerRunner(served, shutdown_timeout=_SHUTDOWN_SECONDS)

    async def listen(self, path: Path) -> None:
        """Serve on a unix socket that only its owner can open; a dead engine's leftover is replaced."""
        await self._set_up()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, str(path), backlog=_BACKLOG).start()
        finally:
            os.umask(before)

    async def listen_tls(self, bound: socket.socket, context: ssl.SSLContext) -> None:
        """Serve on a bound socket."""
        await self._set_up()
        await web.SockSite(self._runner, bound, ssl_context=context, backlog=_BACKLOG).start()

    def trust(self, authority: bytes) -> None:
        """Believe client certificates signed with this one (PEM)."""
        self._certificates.trust(authority)

    async def _set_up(self) -> None:
        if self._runner.server is None:
            await self._runner.setup()

    async def close(self) -> None:
        await self._runner.cleanup()


class _Dispatch:
    """Paths of resources go to their handlers at once, the server's own by the table of routes. (An aiohttp
    `Application` looks through that table at every request, which takes a tenth of the time of a GET.)"""

    def __init__(
        self, resources: ResourceHandlers, others: web.UrlDispatcher, aggregation: AggregationHandlers
    ) -> None:
        self._resources = resources
        self._others = others
        self._aggregation = aggregation

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "Expect" in request.headers:
            await _say_continue(request)
        if (remote := self._aggregation.remote(request.path)) is not None:
            return await self._aggregation.handle(request, remote)
        if passage_of(request).target is not None:
            return await self._resources.handle(request)
        found = await self._others.resolve(request)
        if found.http_exception is not None:
            return await self._resources.handle(request)
        request._match_info = found  # pyright: ignore[reportPrivateUsage] - what an Application does
        return await found.handler(request)


def _chained(middlewares: Sequence[Middleware], handler: Handler) -> Callable[[Any], Awaitable[Any]]:
    """The handler inside of all of them, the first outermost."""
    for middleware in reversed(middlewares):
        handler = partial(middleware, handler=handler)
    return handler


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.Request:
    loop = asyncio.get_running_loop()
    return web.Request(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)


async def _say_continue(request: web.Request) -> None:
    """Let a client that asks first send its body."""
    if request.headers["Expect"].lower() != "100-continue":
        raise web.HTTPExpectationFailed
    if request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
