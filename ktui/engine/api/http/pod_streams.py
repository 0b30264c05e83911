"""A pod's streams on the wire: its log, and exec, attach and port-forward over a WebSocket or SPDY/3.1."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import WSMsgType, web

from ktui.client.base import ExecOptions
from ktui.engine.api.http import port_channels, port_forward, queries, spdy, spdy_session
from ktui.engine.api.http.answers import method_not_allowed
from ktui.engine.api.http.channels import PROTOCOLS, serve_session
from ktui.engine.api.http.takeover import TakenOver, asks_for, take_over
from ktui.engine.api.http.target import Target
from ktui.engine.api.request import Request
from ktui.engine.api.server import ApiServer
from ktui.kube.errors import StatusError, bad_request, status
from ktui.kube.kinds import PODS
from ktui.kube.resource import Resource

log = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 30.0
_HANG_UP_SECONDS = 2.0
_BASE64_LOG = "base64.binary.k8s.io"
_LOG_PROTOCOLS = ("binary.k8s.io", _BASE64_LOG)

StreamHandler = Callable[[web.Request, Request, Target], Awaitable[web.StreamResponse]]


class PodStreamHandlers:
    """Answers the pod subresources that stream."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._handlers: dict[str, tuple[StreamHandler, tuple[str, ...]]] = {
            "log": (self._log, ("GET",)),
            "exec": (self._exec, ("GET", "POST")),
            "attach": (self._exec, ("GET", "POST")),
            "portforward": (self._port_forward, ("GET", "POST")),
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
        socket = web.WebSocketResponse(protocols=_LOG_PROTOCOLS, heartbeat=_HEARTBEAT_SECONDS)
        if socket.can_prepare(request):
            async with self._server.logs(caller, target.name, target.namespace, options) as chunks:
                await socket.prepare(request)
                await _send_all(socket, chunks)
            return socket
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
        if asks_for(request, spdy.PROTOCOL):
            return await self._exec_over_spdy(request, caller, target, options)
        session = await self._server.exec(caller, target.name, target.namespace, options)
        socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=_HEARTBEAT_SECONDS)
        if not socket.can_prepare(request):
            await session.close()
            raise bad_request("Upgrade request required")
        await socket.prepare(request)
        await serve_session(socket, session)
        return socket

    async def _exec_over_spdy(
        self, request: web.Request, caller: Request, target: Target, options: ExecOptions
    ) -> web.StreamResponse:
        protocol = _chosen(request, spdy_session.PROTOCOLS)
        session = await self._server.exec(caller, target.name, target.namespace, options)

        async def serve(connection: spdy.Connection) -> None:
            await spdy_session.serve_spdy_session(connection, session, options)

        return await _over_spdy(request, protocol, serve)

    async def _port_forward(
        self, request: web.Request, caller: Request, target: Target
    ) -> web.StreamResponse:
        pod = f"{target.namespace}/{target.name}"
        if asks_for(request, spdy.PROTOCOL):
            protocol = _chosen(request, (port_forward.PROTOCOL,))
            dial = await self._server.dialer(caller, target.name, target.namespace)

            async def serve(connection: spdy.Connection) -> None:
                await port_forward.serve_port_forward(connection, pod, dial)

            return await _over_spdy(request, protocol, serve)
        dial = await self._server.dialer(caller, target.name, target.namespace)
        protocols = (port_forward.TUNNEL, port_channels.PROTOCOL)
        socket = web.WebSocketResponse(protocols=protocols, heartbeat=_HEARTBEAT_SECONDS)
        ready = socket.can_prepare(request)
        if not ready or ready.protocol is None:
            raise bad_request("Upgrade request required")
        if ready.protocol == port_channels.PROTOCOL:
            ports = port_channels.ports_of(request.query.getall("ports", []))
            await socket.prepare(request)
            await port_channels.serve_port_channels(socket, ports, pod, dial)
            await socket.close()
            return socket
        await socket.prepare(request)
        connection = spdy.Connection(socket.send_bytes)
        await _served(connection, _messages(socket), port_forward.serve_port_forward(connection, pod, dial))
        await socket.close()
        return socket


async def _send_all(socket: web.WebSocketResponse, chunks: AsyncIterator[bytes]) -> None:
    """Send what there is to read until it ends or the client leaves; closes the socket."""

    async def send() -> None:
        async for chunk in chunks:
            if socket.ws_protocol == _BASE64_LOG:
                await socket.send_str(base64.b64encode(chunk).decode())
            else:
                await socket.send_bytes(chunk)

    sending = asyncio.create_task(send())
    leaving = asyncio.create_task(_left(socket))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)
        await socket.close()


async def _left(socket: web.WebSocketResponse) -> None:
    """Return when the client closes; it has nothing to say before."""
    async for _ in socket:
        pass


def _chosen(request: web.Request, known: tuple[str, ...]) -> str:
    offered = request.headers.getall(spdy_session.VERSION_HEADER, [])
    protocol = spdy.chosen(offered, known)
    if protocol is None:
        raise StatusError(
            status(
                403,
                "Forbidden",
                f"unable to upgrade: unable to negotiate protocol: client supports {offered}, server supports {list(known)}",
            )
        )
    return protocol


async def _over_spdy(
    request: web.Request, protocol: str, serve: Callable[[spdy.Connection], Coroutine[Any, Any, None]]
) -> web.StreamResponse:
    """Switch to SPDY and serve until one side ends it."""
    raw = take_over(request, spdy.PROTOCOL, {spdy_session.VERSION_HEADER: protocol})
    connection = spdy.Connection(raw.send)
    await _served(connection, raw.chunks(), serve(connection))
    return TakenOver()


async def _served(
    connection: spdy.Connection, chunks: AsyncIterator[bytes], serving: Coroutine[Any, Any, None]
) -> None:
    """Read the connection while it is served. After the last answer the client gets time to hang up."""
    reading = asyncio.create_task(connection.run(chunks))
    try:
        await serving
        await connection.goodbye()
        await asyncio.wait((reading,), timeout=_HANG_UP_SECONDS)
    except* ConnectionError as gone:
        log.debug("the client of a stream has gone: %s", gone)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _messages(socket: web.WebSocketResponse) -> AsyncIterator[bytes]:
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            yield message.data
