"""REST on resources: paths and methods to the server's verbs, and what they give to answers.

Objects leave as the bytes the store keeps: a list is joined from its items, a watch sends each event as it
comes, unless the client wants them as a `Table` or as metadata only.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import msgspec
from aiohttp import web

from ktui.client.base import PatchType, WatchEvent
from ktui.engine.api.documents import decode, metadata_of
from ktui.engine.api.http import queries
from ktui.engine.api.http.answers import (
    add_warnings,
    goes_as_it_is,
    method_not_allowed,
    not_found,
    sent,
    sent_in_parts,
)
from ktui.engine.api.http.audit import annotate
from ktui.engine.api.http.bodies import read_body
from ktui.engine.api.http.identity import user_of
from ktui.engine.api.http.metadata_only import as_list, as_metadata, event_as_metadata
from ktui.engine.api.http.negotiation import (
    JSON,
    PARTIAL,
    PARTIAL_LIST,
    TABLE,
    Representation,
    wanted,
)
from ktui.engine.api.http.pod_streams import PodStreamHandlers
from ktui.engine.api.http.proxy import ProxyHandlers
from ktui.engine.api.http.target import Target
from ktui.engine.api.http.traffic import passage_of
from ktui.engine.api.request import Request
from ktui.engine.api.resources.reviews import AUTHENTICATION, AUTHORIZATION
from ktui.engine.api.server import ApiServer
from ktui.engine.api.subresources.scale import SCALE
from ktui.engine.api.table import IncludeObject, Table
from ktui.engine.api.table import table as table_of
from ktui.kube.errors import StatusError, bad_request
from ktui.kube.resource import Object, Resource

_LIST_SLICE = 250
_PART_ITEMS = 50
_TAIL = b"]}"
_WATCH_SECONDS = (1800, 3600)
"""A watch that names no timeout ends somewhere in here, so that many don't come back at once."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request for a resource, read."""

    http: web.Request
    caller: Request
    resource: Resource
    target: Target

    @property
    def accept(self) -> str:
        return self.http.headers.get("Accept", "")


_WRITE_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


class ResourceHandlers:
    """Everything below `/api/<version>/` and `/apis/<group>/<version>/`."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._streams = PodStreamHandlers(server)
        self._proxy = ProxyHandlers(server.proxies)
        self._handlers: dict[tuple[str, bool], Handler] = {
            ("GET", False): self._list_or_watch,
            ("GET", True): self._get,
            ("POST", False): self._create,
            ("POST", True): self._create,
            ("PUT", True): self._update,
            ("PATCH", True): self._patch,
            ("DELETE", True): self._delete,
            ("DELETE", False): self._delete_collection,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        caller = Request(user_of(request), request.headers.get("User-Agent", ""))
        annotate(request, caller.audit)
        target = passage_of(request).target
        declaration = (
            self._server.registry.by_resource(target.group, target.version, target.plural) if target else None
        )
        if target is None or declaration is None:
            await self._server.authorizer.authorize_path(caller.user, request.method.lower(), request.path)
            raise not_found()
        resource = declaration.resource
        if target.namespace and not resource.namespaced:
            raise not_found()
        if self._proxy.serves(resource, target):
            return await self._proxy.handle(request, caller, resource, target)
        stream = self._streams.handler(request.method, resource, target)
        if stream is not None:
            return await stream(request, caller, target)
        handler = self._handlers.get((request.method, bool(target.name)))
        if handler is None:
            raise method_not_allowed()
        if resource.namespaced and not target.namespace and (target.name or request.method == "POST"):
            raise not_found()
        if request.can_read_body:
            # What may not be done is not even read.
            verb = _WRITE_VERBS.get(request.method, "") if target.name else _COLLECTION_VERBS[request.method]
            await self._server.permit(
                caller,
                verb,
                resource,
                target.namespace,
                target.name,
                target.subresource,
                field_selector=request.query.get("fieldSelector", "") if not target.name else "",
            )
        return await handler(Call(request, caller, resource, target))

    async def _get(self, call: Call) -> web.StreamResponse:
        form = wanted(call.accept, TABLE, PARTIAL)
        target, server = call.target, self._server
        if form.kind == TABLE and not target.subresource:
            table = await server.table(
                call.caller,
                call.resource,
                target.namespace,
                name=target.name,
                include_object=_include_object(call),
            )
            return await _table(call, table, form)
        data = await server.get(
            call.caller, call.resource, target.name, target.namespace, subresource=target.subresource
        )
        if form.kind == TABLE:
            kind = SCALE if target.subresource == "scale" else server.registry.of(call.resource)
            assert kind is not None, "the server has just given one"
            printed = table_of(kind, [data], server.clock.now(), include_object=_include_object(call))
            return await _table(call, printed, form)
        return await _object(call, data, form)

    async def _list_or_watch(self, call: Call) -> web.StreamResponse:
        if queries.flag(call.http.query, "watch"):
            return await self._watch(call)
        form = wanted(call.accept, TABLE, PARTIAL_LIST)
        options = queries.list_options(call.http.query)
        resource, namespace = call.resource, call.target.namespace
        if form.kind == TABLE:
            table = await self._server.table(
                call.caller, resource, namespace, options=options, include_object=_include_object(call)
            )
            return await _table(call, table, form)
        found = await self._server.list(call.caller, resource, namespace, options)
        if form.kind:
            data = await as_list(found.raw, found.metadata, form.version)
            return await sent(call.http, data, form, warnings=call.caller.warnings)
        return await _list(call, _head(resource, found.metadata), found.raw, form)

    async def _watch(self, call: Call) -> web.StreamResponse:
        form = wanted(call.accept, TABLE, PARTIAL, PARTIAL_LIST, media_types=(JSON,))
        options = queries.watch_options(call.http.query)
        if options.timeout_seconds is None:
            options = replace(options, timeout_seconds=random.uniform(*_WATCH_SECONDS))
        opened = self._server.watch(
            call.caller,
            call.resource,
            call.target.namespace,
            options,
            table=form.kind == TABLE,
            include_object=_include_object(call) if form.kind == TABLE else "Metadata",
        )
        as_is = form.kind in ("", TABLE)
        response = web.StreamResponse(headers={"Content-Type": JSON, "Cache-Control": "no-cache, private"})
        async with opened as batches:
            add_warnings(response, call.caller.warnings)
            await response.prepare(call.http)
            with contextlib.suppress(ConnectionError):
                try:
                    async for batch in batches:
                        for start in range(0, len(batch), _LIST_SLICE):
                            part = batch[start : start + _LIST_SLICE]
                            if not as_is:
                                part = [event_as_metadata(event, form.version) for event in part]
                            await response.write(_encoded(part))
                except StatusError as error:
                    await response.write(
                        b'{"type":"ERROR","object":' + msgspec.json.encode(error.status) + b"}\n"
                    )
                await response.write_eof()
        return response

    async def _create(self, call: Call) -> web.Response:
        is_answered = call.resource.group in (AUTHENTICATION, AUTHORIZATION)
        form = wanted(call.accept, *(() if is_answered else (TABLE, PARTIAL)))
        target = call.target
        if target.name and not target.subresource:
            raise method_not_allowed()
        body = await read_body(call.http)
        data = await self._server.create(
            replace(call.caller, duplicates=body.duplicates),
            call.resource,
            body.value,
            target.namespace,
            queries.write_options(call.http),
            name=target.name,
            subresource=target.subresource,
        )
        return await _object(call, data, form, code=201)

    async def _update(self, call: Call) -> web.Response:
        form = wanted(call.accept, TABLE, PARTIAL)
        target = call.target
        body = await read_body(call.http)
        data, is_new = await self._server.update(
            replace(call.caller, duplicates=body.duplicates),
            call.resource,
            target.name,
            body.value,
            target.namespace,
            queries.write_options(call.http),
            subresource=target.subresource,
        )
        return await _object(call, data, form, code=201 if is_new else 200)

    async def _patch(self, call: Call) -> web.Response:
        form = wanted(call.accept, TABLE, PARTIAL)
        kind = queries.patch_type(call.http)
        target = call.target
        body = await read_body(call.http)
        data, is_new = await self._server.patch(
            replace(call.caller, duplicates=body.duplicates),
            call.resource,
            target.name,
            body.value,
            target.namespace,
            queries.write_options(call.http),
            patch_type=PatchType(kind),
            subresource=target.subresource,
        )
        return await _object(call, data, form, code=201 if is_new else 200)

    async def _delete(self, call: Call) -> web.Response:
        form = wanted(call.accept, TABLE, PARTIAL)
        target = call.target
        if target.subresource:
            raise method_not_allowed()
        options = queries.delete_options(call.http, (await read_body(call.http)).value)
        data = await self._server.delete(call.caller, call.resource, target.name, target.namespace, options)
        lingers = options.propagation_policy == "Foreground" and "deletionTimestamp" in metadata_of(
            decode(data)
        )
        return await _object(call, data, form, code=202 if lingers else 200)

    async def _delete_collection(self, call: Call) -> web.Response:
        form = wanted(call.accept, TABLE, PARTIAL_LIST)
        options = queries.delete_options(call.http, (await read_body(call.http)).value)
        deleted = await self._server.delete_collection(
            call.caller, call.resource, call.target.namespace, options, queries.list_options(call.http.query)
        )
        if form.kind:
            data = await as_list(deleted, {}, form.version)
        else:
            data = b"".join(_parts(_head(call.resource, {}), deleted))
        return await sent(call.http, data, replace(form, kind=""), warnings=call.caller.warnings)


async def _object(call: Call, data: bytes, form: Representation, code: int = 200) -> web.Response:
    if form.kind == PARTIAL:
        data = as_metadata(data, form.version)
    return await sent(call.http, data, form, code=code, warnings=call.caller.warnings)


async def _table(call: Call, table: Table, form: Representation) -> web.StreamResponse:
    return await _list(call, table.head(form.version), table.rows, form)


async def _list(call: Call, head: bytes, items: Sequence[bytes], form: Representation) -> web.StreamResponse:
    """A list or a table, given its JSON up to its items."""
    parts, warnings = _parts(head, items), call.caller.warnings
    if len(items) > _LIST_SLICE and goes_as_it_is(call.http, form):
        length = len(head) + sum(map(len, items)) + len(items) - 1 + len(_TAIL)
        return await sent_in_parts(call.http, length, parts, warnings)
    return await sent(call.http, b"".join(parts), form, warnings=warnings)


def _head(resource: Resource, metadata: Object) -> bytes:
    """A list's JSON up to its items."""
    head = msgspec.json.encode(
        {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
    )
    return head[:-1] + b',"items":['


def _parts(head: bytes, items: Sequence[bytes]) -> Iterator[bytes]:
    """A list's JSON in parts of a moment's work each."""
    yield head
    for start in range(0, len(items), _PART_ITEMS):
        part = items[start : start + _PART_ITEMS]
        yield b",".join([b"", *part] if start else part)
    yield _TAIL


def _encoded(batch: Sequence[WatchEvent]) -> bytes:
    return b"".join(
        b'{"type":"' + event.type.encode() + b'","object":' + event.raw + b"}\n" for event in batch
    )


def _include_object(call: Call) -> IncludeObject:
    asked = call.http.query.get("includeObject", "")
    if asked not in ("", "None", "Metadata", "Object"):
        raise bad_request(
            f'includeObject: Unsupported value: "{asked}": supported values: "Metadata", "None", "Object"'
        )
    return cast("IncludeObject", asked or "Metadata")
