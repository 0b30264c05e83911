"""The in-process `Client`: calls the server directly, objects straight from the store's bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import cast

from ktui.client.base import (
    Client,
    DeleteOptions,
    ExecOptions,
    ExecSession,
    ListOptions,
    LogOptions,
    ObjectList,
    PatchType,
    PortStream,
    WatchEvent,
    WatchOptions,
    WriteOptions,
)
from ktui.client.port_stream import DialledStream
from ktui.engine.api.documents import decode, metadata_of
from ktui.engine.api.http.port_forward import why_not
from ktui.engine.api.request import Request, User
from ktui.engine.api.server import ApiServer
from ktui.engine.api.writing import Written
from ktui.kube.resource import Object, Resource

_LIST, _WATCH, _WRITE, _DELETE, _LOG = (
    ListOptions(),
    WatchOptions(),
    WriteOptions(),
    DeleteOptions(),
    LogOptions(),
)


class LocalClient(Client):
    """A user's client on a server in the same loop.

    `user` names who calls (`system:` for ktui's own parts); its last part is the field manager of writes that
    name none, unless `manager` does; `on_warning` hears what the server warns of. `trusted` parts write typed objects, which need no walk along the schema. A namespaced create or update without namespace goes to the object's own,
    or to `default`.
    """

    def __init__(
        self,
        server: ApiServer,
        user: str = "system:ktui",
        *,
        groups: Sequence[str] = ("system:masters", "system:authenticated"),
        manager: str = "",
        trusted: bool = False,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self._server = server
        self._request = Request(User(user, tuple(groups)), manager, validated=trusted)
        self._on_warning = on_warning

    async def resources(self) -> Sequence[Resource]:
        return self._server.resources()

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        return decode(
            await self._server.get(
                self._request, resource, name, _place(resource, namespace), subresource=subresource
            )
        )

    async def list(
        self, resource: Resource, namespace: str = "", *, options: ListOptions = _LIST
    ) -> ObjectList:
        return await self._server.list(self._request, resource, namespace, options)

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        options: WatchOptions = _WATCH,
        table: bool = False,
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[WatchEvent]]]:
        return self._server.watch(self._request, resource, namespace, options, table=table)

    async def table(
        self, resource: Resource, namespace: str = "", *, name: str = "", options: ListOptions = _LIST
    ) -> Object:
        table = await self._server.table(self._request, resource, namespace, name=name, options=options)
        return decode(table.encoded())

    async def create(
        self,
        resource: Resource,
        obj: Object,
        namespace: str = "",
        *,
        name: str = "",
        subresource: str = "",
        options: WriteOptions = _WRITE,
    ) -> Object:
        place = _place(resource, namespace, obj)

        async def create(request: Request) -> Written:
            created = await self._server.create(
                request, resource, obj, place, options, name=name, subresource=subresource
            )
            return Written(created, is_new=True)

        return await self._written(create)

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", options: WriteOptions = _WRITE
    ) -> Object:
        name = metadata_of(obj).get("name") or ""
        place = _place(resource, "", obj)
        return await self._written(
            lambda request: self._server.update(
                request, resource, name, obj, place, options, subresource=subresource
            )
        )

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Object | Sequence[Object],
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
        options: WriteOptions = _WRITE,
    ) -> Object:
        return await self._written(
            lambda request: self._server.patch(
                request,
                resource,
                name,
                patch,
                _place(resource, namespace),
                options,
                patch_type=patch_type,
                subresource=subresource,
            )
        )

    async def _written(self, call: Callable[[Request], Awaitable[Written]]) -> Object:
        """Make a write with a request, and so a list of warnings, of its own."""
        request = replace(self._request, warnings=[])
        obj = decode((await call(request)).data)
        if self._on_warning is not None:
            for warning in request.warnings:
                self._on_warning(warning)
        return obj

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", *, options: DeleteOptions = _DELETE
    ) -> Object:
        place = _place(resource, namespace)
        return decode(await self._server.delete(self._request, resource, name, place, options))

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        options: DeleteOptions = _DELETE,
        list_options: ListOptions = _LIST,
    ) -> None:
        await self._server.delete_collection(self._request, resource, namespace, options, list_options)

    @asynccontextmanager
    async def logs(
        self, pod: str, namespace: str, *, options: LogOptions = _LOG
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with self._server.logs(self._request, pod, namespace, options) as chunks:
            yield chunks

    async def exec(self, pod: str, namespace: str, *, options: ExecOptions) -> ExecSession:
        return await self._server.exec(self._request, pod, namespace, options)

    async def port_forward(self, pod: str, namespace: str, port: int) -> PortStream:
        dial = await self._server.dialer(self._request, pod, namespace)
        try:
            reader, writer = await dial(port)
        except OSError as error:
            raise ConnectionError(why_not(port, f"{namespace}/{pod}", error)) from error
        return DialledStream(cast("asyncio.StreamReader", reader), cast("asyncio.StreamWriter", writer))

    async def close(self) -> None:
        return


def _place(resource: Resource, namespace: str, obj: Object | None = None) -> str:
    """The namespace a call on one object is about."""
    if not resource.namespaced:
        return ""
    return namespace or (metadata_of(obj).get("namespace") if obj else None) or "default"
