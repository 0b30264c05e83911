"""A pod's streams on the wire: its log, and sessions over a WebSocket."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from ktui.engine.api.http import queries
from ktui.engine.api.http.answers import method_not_allowed
from ktui.engine.api.http.channels import PROTOCOLS, serve_session
from ktui.engine.api.http.target import Target
from ktui.engine.api.request import Request
from ktui.engine.api.server import ApiServer
from ktui.kube.errors import bad_request
from ktui.kube.kinds import PODS
from ktui.kube.resource import Resource

_HEARTBEAT_SECONDS = 30.0

StreamHandler = Callable[[web.Request, Request, Target], Awaitable[web.StreamResponse]]


class PodStreamHandlers:
    """Answers the pod subresources that stream."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._handlers: dict[str, tuple[StreamHandler, tuple[str, ...]]] = {
            "log": (self._log, ("GET",)),
            "exec": (self._exec, ("GET", "POST")),
            "attach": (self._exec, ("GET", "POST")),
        }

    def handler(self, method: str, resource: Resource, target: Target) -> StreamHandler | None:
        """Who answers, or None if it is no stream; raises 405 for a method it does not have."""
        if resource.key != PODS.key or target.subresource not in self._handlers:
            return None
        handler, methods = self._handlers[target.subresource]
        if method not in methods:
            raise method_not_allowed()
        return handler

    async def _log(self, request: web.Request, caller: Request, target: Target) -> web.StreamResponse:
        options = queries.log_options(request.query)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        async with self._server.logs(caller, target.name, target.namespace, options) as chunks:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                async for chunk in chunks:
                    await response.write(chunk)
                await response.write_eof()
        return response

    async def _exec(self, request: web.Request, caller: Request, target: Target) -> web.StreamResponse:
        options = queries.exec_options(request)
        if target.subresource == "exec" and not options.command:
            raise bad_request("you must specify at least 1 command for the container")
        if target.subresource == "attach" and options.command:
            raise bad_request("attach takes no command")
        session = await self._server.exec(caller, target.name, target.namespace, options)
        socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=_HEARTBEAT_SECONDS)
        if not socket.can_prepare(request):
            await session.close()
            raise bad_request("Upgrade request required")
        await socket.prepare(request)
        await serve_session(socket, session)
        return socket
