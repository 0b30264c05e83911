"""The API over HTTP: one application on a unix socket for the owner, and on TLS for everyone else.

A request passes from failures to `Status` through authentication to the handlers of resources or of the
server's own paths; authorization is the server's. Around it all requests are counted, and before the handlers
each waits for its turn.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from ktui.engine.api.authn.certificates import ClientCertificates
from ktui.engine.api.authn.identity import TokenAuthenticator
from ktui.engine.api.http.about import AboutHandlers
from ktui.engine.api.http.answers import MAX_BODY_BYTES, failures_as_status
from ktui.engine.api.http.audit import AuditLog
from ktui.engine.api.http.identity import Connections, authentication
from ktui.engine.api.http.issuer import IssuerHandlers
from ktui.engine.api.http.limits import FlowControl, Limits
from ktui.engine.api.http.metrics import Figures, MetricsHandlers
from ktui.engine.api.http.openapi import OpenApiHandlers
from ktui.engine.api.http.resources import ResourceHandlers
from ktui.engine.api.http.traffic import Traffic
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
        app = web.Application(
            client_max_size=MAX_BODY_BYTES,
            middlewares=[
                traffic.count,
                *([audit.record] if audit else []),
                failures_as_status,
                authentication(
                    Connections(self._certificates, server.clock), tokens, lambda: server.authorizer
                ),
                flows.admit,
            ],
        )
        resources = ResourceHandlers(server)
        app.router.add_routes([*AboutHandlers(server).routes(), *IssuerHandlers(server).routes()])
        app.router.add_routes(OpenApiHandlers(server).routes())
        app.router.add_routes(MetricsHandlers(server, traffic, flows, figures).routes())
        app.router.add_route("*", "/{path:.*}", resources.handle)
        self._runner = web.AppRunner(
            app,
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            max_line_size=_LONGEST_LINE_BYTES,
            max_field_size=_LONGEST_LINE_BYTES,
            max_headers=_MOST_HEADERS,
            keepalive_timeout=_IDLE_SECONDS,
        )

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
