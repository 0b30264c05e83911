"""The API over HTTP: requests to verbs of the server, results to responses.

Objects leave as the bytes the store keeps: a list is joined from its items, a watch sends each event as it
comes. The front knows who calls from the listener a request came in by.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
from aiohttp import web

from ktui.client.base import PatchType, WatchEvent
from ktui.engine.api.http import discovery, queries
from ktui.engine.api.http.channels import PROTOCOLS, serve_session
from ktui.engine.api.http.target import Target, target_of
from ktui.engine.api.request import Request, User
from ktui.engine.api.server import ApiServer
from ktui.kube import version
from ktui.kube.errors import StatusError, bad_request, internal, status
from ktui.kube.resource import Object, Resource

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 3 * 1024 * 1024
ADMIN = User("system:admin", ("system:masters", "system:authenticated"))
"""Who may open the unix socket owns the data folder, and so the cluster."""

_SHUTDOWN_SECONDS = 2.0
_LIST_SLICE = 250


class HttpFront:
    """Serves one `ApiServer` on a unix socket."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_as_status])
        app.router.add_get("/version", self._version)
        for path in ("/healthz", "/livez", "/readyz"):
            app.router.add_get(path, self._health)
        app.router.add_get("/api", self._core_versions)
        app.router.add_get("/apis", self._group_list)
        app.router.add_get("/api/{version}", self._resource_list)
        app.router.add_get("/apis/{group}", self._group)
        app.router.add_get("/apis/{group}/{version}", self._resource_list)
        app.router.add_route("*", "/api/{path:.+}", self._resource)
        app.router.add_route("*", "/apis/{path:.+}", self._resource)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
        )

    async def listen(self, path: Path) -> None:
        """Serve on a unix socket that only its owner can open; a dead engine's leftover is replaced."""
        await self._runner.setup()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, str(path)).start()
        finally:
            os.umask(before)

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _version(self, _: web.Request) -> web.Response:
        return _json(
            {
                "major": version.MAJOR,
                "minor": version.MINOR,
                "gitVersion": version.GIT_VERSION,
                "gitCommit": "",
                "gitTreeState": "",
                "buildDate": "",
                "goVersion": "",
                "compiler": "CPython",
                "platform": f"{sys.platform}/{platform.machine()}",
            }
        )

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _core_versions(self, request: web.Request) -> web.Response:
        if _wants(request, "APIGroupDiscoveryList"):
            return _json(discovery.aggregated(self._server.resources(), core=True), "APIGroupDiscoveryList")
        return _json(discovery.versions())

    async def _group_list(self, request: web.Request) -> web.Response:
        if _wants(request, "APIGroupDiscoveryList"):
            return _json(discovery.aggregated(self._server.resources(), core=False), "APIGroupDiscoveryList")
        return _json(discovery.group_list(self._server.resources()))

    async def _group(self, request: web.Request) -> web.Response:
        return _json(_found(discovery.group(self._server.resources(), request.match_info["group"])))

    async def _resource_list(self, request: web.Request) -> web.Response:
        group, version = request.match_info.get("group", ""), request.match_info["version"]
        return _json(_found(discovery.resource_list(self._server.resources(), group, version)))

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        target = target_of(request.path)
        resource = self._resource_of(target) if target else None
        if target is None or resource is None:
            raise _not_found()
        caller = Request(ADMIN, request.headers.get("User-Agent", ""))
        handler = self._handler(request.method, target)
        return await handler(request, caller, resource, target)

    def _resource_of(self, target: Target) -> Resource | None:
        declaration = self._server.registry.by_resource(target.group, target.version, target.plural)
        return declaration.resource if declaration else None

    def _handler(self, method: str, target: Target) -> Handler:
        if target.subresource in ("exec", "attach") and method in ("GET", "POST"):
            return self._exec
        if target.subresource == "log" and method == "GET":
            return self._log
        handlers: dict[tuple[str, bool], Handler] = {
            ("GET", False): self._list_or_watch,
            ("GET", True): self._get,
            ("POST", False): self._create,
            ("POST", True): self._create,
            ("PUT", True): self._update,
            ("PATCH", True): self._patch,
            ("DELETE", True): self._delete,
            ("DELETE", False): self._delete_collection,
        }
        handler = handlers.get((method, bool(target.name)))
        if handler is None:
            raise StatusError(
                status(
                    405,
                    "MethodNotAllowed",
                    "the server does not allow this method on the requested resource",
                )
            )
        return handler

    async def _get(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.Response:
        if _wants(request, "Table") and not target.subresource:
            table = await self._server.table(caller, resource, target.namespace, name=target.name)
            return _json(table, "Table")
        data = await self._server.get(
            caller, resource, target.name, target.namespace, subresource=target.subresource
        )
        return _raw(data, caller)

    async def _list_or_watch(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.StreamResponse:
        if queries.flag(request.query, "watch"):
            return await self._watch(request, caller, resource, target)
        options = queries.list_options(request.query)
        if _wants(request, "Table"):
            table = await self._server.table(caller, resource, target.namespace, options=options)
            return _json(table, "Table")
        found = await self._server.list(caller, resource, target.namespace, options)
        metadata: Object = {"resourceVersion": found.resource_version}
        if found.continue_token:
            metadata["continue"] = found.continue_token
        if found.remaining is not None:
            metadata["remainingItemCount"] = found.remaining
        head = msgspec.json.encode(
            {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
        )
        return _raw(head[:-1] + b',"items":[' + b",".join(found.raw) + b"]}", caller)

    async def _watch(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.StreamResponse:
        options = queries.watch_options(request.query)
        opened = self._server.watch(
            caller, resource, target.namespace, options, table=_wants(request, "Table")
        )
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        async with opened as batches:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                try:
                    async for batch in batches:
                        for start in range(0, len(batch), _LIST_SLICE):
                            await response.write(_encoded(batch[start : start + _LIST_SLICE]))
                except StatusError as error:
                    await response.write(
                        b'{"type":"ERROR","object":' + msgspec.json.encode(error.status) + b"}\n"
                    )
                await response.write_eof()
        return response

    async def _create(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.Response:
        data = await self._server.create(
            caller,
            resource,
            await queries.read_body(request),
            target.namespace,
            queries.write_options(request),
            name=target.name,
            subresource=target.subresource,
        )
        return _raw(data, caller, 201)

    async def _update(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.Response:
        data = await self._server.update(
            caller,
            resource,
            target.name,
            await queries.read_body(request),
            target.namespace,
            queries.write_options(request),
            subresource=target.subresource,
        )
        return _raw(data, caller)

    async def _patch(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.Response:
        kind = queries.patch_type(request)
        data = await self._server.patch(
            caller,
            resource,
            target.name,
            await queries.read_body(request),
            target.namespace,
            queries.write_options(request),
            patch_type=PatchType(kind),
            subresource=target.subresource,
        )
        return _raw(data, caller)

    async def _delete(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.Response:
        if target.subresource:
            raise _not_found()
        options = queries.delete_options(request, await queries.read_body(request))
        data = await self._server.delete(caller, resource, target.name, target.namespace, options)
        return _raw(data, caller)

    async def _delete_collection(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.Response:
        options = queries.delete_options(request, await queries.read_body(request))
        deleted = await self._server.delete_collection(
            caller, resource, target.namespace, options, queries.list_options(request.query)
        )
        head = msgspec.json.encode(
            {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": {}}
        )
        return _raw(head[:-1] + b',"items":[' + b",".join(deleted) + b"]}", caller)

    async def _log(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.StreamResponse:
        options = queries.log_options(request.query)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        async with self._server.logs(caller, target.name, target.namespace, options) as chunks:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                async for chunk in chunks:
                    await response.write(chunk)
                await response.write_eof()
        return response

    async def _exec(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.StreamResponse:
        options = queries.exec_options(request)
        if target.subresource == "exec" and not options.command:
            raise bad_request("you must specify at least 1 command for the container")
        if target.subresource == "attach" and options.command:
            raise bad_request("attach takes no command")
        session = await self._server.exec(caller, target.name, target.namespace, options)
        socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=30.0)
        if not socket.can_prepare(request):
            await session.close()
            raise bad_request("exec and attach need a WebSocket upgrade")
        await socket.prepare(request)
        await serve_session(socket, session)
        return socket


Handler = Callable[[web.Request, Request, Resource, Target], Awaitable[web.StreamResponse]]


@web.middleware
async def _as_status(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every failure leaves as a `Status`."""
    try:
        return await handler(request)
    except StatusError as error:
        return _status_response(error)
    except web.HTTPRequestEntityTooLarge:
        message = f"the request is larger than the {MAX_BODY_BYTES} bytes allowed"
        return _status_response(StatusError(status(413, "RequestEntityTooLarge", message)))
    except web.HTTPException as error:
        return _status_response(
            StatusError(status(error.status, error.reason.replace(" ", ""), error.reason))
        )
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _status_response(internal("an unexpected error, see ktui's log"))


def _status_response(error: StatusError) -> web.Response:
    headers: dict[str, str] = {}
    if seconds := error.details.get("retryAfterSeconds"):
        headers["Retry-After"] = str(seconds)
    return web.Response(
        body=msgspec.json.encode(error.status),
        status=error.code,
        content_type="application/json",
        headers=headers,
    )


def _wants(request: web.Request, kind: str) -> bool:
    return f"as={kind}" in request.headers.get("Accept", "").replace(" ", "")


def _json(document: Object, kind: str = "") -> web.Response:
    content_type = "application/json"
    if kind == "APIGroupDiscoveryList":
        content_type += ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    return web.Response(body=msgspec.json.encode(document), headers={"Content-Type": content_type})


def _raw(data: bytes, caller: Request, code: int = 200) -> web.Response:
    response = web.Response(body=data, status=code, content_type="application/json")
    for warning in caller.warnings:
        text = warning.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        response.headers.add("Warning", f'299 - "{text}"')
    return response


def _encoded(batch: Sequence[WatchEvent]) -> bytes:
    return b"".join(
        b'{"type":"' + event.type.encode() + b'","object":' + event.raw + b"}\n" for event in batch
    )


def _found(document: Object | None) -> Object:
    if document is None:
        raise _not_found()
    return document


def _not_found() -> StatusError:
    return StatusError(status(404, "NotFound", "the server could not find the requested resource"))
