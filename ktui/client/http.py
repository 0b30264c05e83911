"""The remote `Client`: Kubernetes' REST API over HTTP, on a unix socket or TLS.

Lists and watches keep their items as the bytes that came, so a reader decodes only what it needs. A batch of
a watch is whatever arrived in one read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec

from ktui.client import rest
from ktui.client.base import (
    DeleteOptions,
    EventType,
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
from ktui.client.discovery import read_discovery
from ktui.client.port_stream import PROTOCOL as _TUNNEL
from ktui.client.port_stream import TunnelStream
from ktui.client.streams import ChannelSession
from ktui.kube.errors import StatusError, bad_request, status
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object, ObjectKey, Resource

_LIST_OPTIONS = ListOptions()
_WATCH_OPTIONS = WatchOptions()
_WRITE_OPTIONS = WriteOptions()
_DELETE_OPTIONS = DeleteOptions()
_LOG_OPTIONS = LogOptions()

_CONNECT_SECONDS = 10.0
_CALL_SECONDS = 60.0
_CHUNK_BYTES = 64 * 1024
_CHANNEL_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - the API's field names
    continue_: str = msgspec.field(default="", name="continue")
    remainingItemCount: int | None = None  # noqa: N815 - the API's own name


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None
    apiVersion: str = ""  # noqa: N815 - the API's own name
    kind: str = ""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _ItemMeta(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _Item(msgspec.Struct):
    metadata: _ItemMeta = msgspec.field(default_factory=_ItemMeta)


class _Row(msgspec.Struct):
    object: _Item = msgspec.field(default_factory=_Item)


class _TableRows(msgspec.Struct):
    rows: list[_Row] = []


_decode = msgspec.json.Decoder(dict[str, Any]).decode
_decode_list = msgspec.json.Decoder(_List).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_decode_rows = msgspec.json.Decoder(_TableRows).decode


class HttpClient:
    """A cluster's API over HTTP. Make it inside the event loop that uses it."""

    def __init__(self, base_url: str, connector: aiohttp.BaseConnector) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": "ktui"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            read_bufsize=1024 * 1024,
        )

    @classmethod
    def over_unix_socket(cls, path: Path) -> HttpClient:
        """A client of the engine that listens on a unix socket."""
        return cls("http://ktui", aiohttp.UnixConnector(str(path), limit=0))

    async def close(self) -> None:
        await self._session.close()

    async def resources(self) -> Sequence[Resource]:
        return await read_discovery(self._get_json)

    async def version(self) -> Object:
        """`/version`: what the server is (`version.Info`)."""
        return await self._get_json("/version", rest.JSON)

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        return _decode(await self._call("GET", rest.path_of(resource, namespace, name, subresource)))

    async def list(
        self, resource: Resource, namespace: str = "", *, options: ListOptions = _LIST_OPTIONS
    ) -> ObjectList:
        body = await self._call("GET", rest.path_of(resource, namespace), query=rest.list_query(options))
        found = _decode_list(body)
        return ObjectList(
            raw=[bytes(item) for item in found.items or ()],
            resource_version=found.metadata.resourceVersion,
            continue_token=found.metadata.continue_,
            remaining=found.metadata.remainingItemCount,
        )

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        options: WatchOptions = _WATCH_OPTIONS,
        table: bool = False,
    ) -> AsyncGenerator[AsyncIterator[Sequence[WatchEvent]]]:
        request = self._session.get(
            self._base_url + rest.path_of(resource, namespace),
            params=rest.watch_query(options),
            headers={"Accept": rest.TABLE if table else rest.JSON},
        )
        with _connection_errors():
            async with request as response:
                await _raise_for_status(response)
                yield _batches(response, table)

    async def table(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        name: str = "",
        options: ListOptions = _LIST_OPTIONS,
    ) -> Object:
        body = await self._call(
            "GET",
            rest.path_of(resource, namespace, name),
            query=rest.list_query(options),
            headers={"Accept": rest.TABLE},
        )
        return _decode(body)

    async def create(
        self,
        resource: Resource,
        obj: Object,
        namespace: str = "",
        *,
        name: str = "",
        subresource: str = "",
        options: WriteOptions = _WRITE_OPTIONS,
    ) -> Object:
        namespace = namespace or ObjectKey.of(obj).namespace
        path = rest.path_of(resource, namespace, name, subresource)
        return _decode(await self._call("POST", path, obj, query=rest.write_query(options)))

    async def update(
        self,
        resource: Resource,
        obj: Object,
        *,
        subresource: str = "",
        options: WriteOptions = _WRITE_OPTIONS,
    ) -> Object:
        key = ObjectKey.of(obj)
        path = rest.path_of(resource, key.namespace, key.name, subresource)
        return _decode(await self._call("PUT", path, obj, query=rest.write_query(options)))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Object | Sequence[Object],
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
        options: WriteOptions = _WRITE_OPTIONS,
    ) -> Object:
        body = await self._call(
            "PATCH",
            rest.path_of(resource, namespace, name, subresource),
            patch,
            query=rest.write_query(options),
            headers={"Content-Type": str(patch_type)},
        )
        return _decode(body)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        options: DeleteOptions = _DELETE_OPTIONS,
    ) -> Object:
        if not name:
            raise bad_request("resource name may not be empty")  # it would be the whole collection
        path = rest.path_of(resource, namespace, name)
        return _decode(await self._call("DELETE", path, rest.delete_body(options)))

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        options: DeleteOptions = _DELETE_OPTIONS,
        list_options: ListOptions = _LIST_OPTIONS,
    ) -> None:
        await self._call(
            "DELETE",
            rest.path_of(resource, namespace),
            rest.delete_body(options),
            query=rest.list_query(list_options),
        )

    @asynccontextmanager
    async def logs(
        self, pod: str, namespace: str, *, options: LogOptions = _LOG_OPTIONS
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        url = f"{self._base_url}{rest.path_of(PODS, namespace, pod, 'log')}"
        with _connection_errors():
            async with self._session.get(url, params=rest.log_query(options)) as response:
                await _raise_for_status(response)
                yield _whole_lines(response)

    async def exec(self, pod: str, namespace: str, *, options: ExecOptions) -> ExecSession:
        verb = "exec" if options.command else "attach"
        path = rest.path_of(PODS, namespace, pod, verb)
        return ChannelSession(await self._upgraded(path, _CHANNEL_PROTOCOLS, rest.exec_query(options)))

    async def port_forward(self, pod: str, namespace: str, port: int) -> PortStream:
        path = rest.path_of(PODS, namespace, pod, "portforward")
        with _connection_errors():
            socket = await self._upgraded(path, (_TUNNEL,))
            stream = TunnelStream(socket)
            try:
                await stream.open(port)
            except BaseException:
                await socket.close()
                raise
        return stream

    async def _upgraded(
        self, path: str, protocols: Sequence[str], query: Sequence[tuple[str, str]] = ()
    ) -> aiohttp.ClientWebSocketResponse:
        url = self._base_url + path
        try:
            return await self._session.ws_connect(url, params=query, protocols=protocols, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as error:
            # The refusal's body is lost in a failed upgrade; the same call as a plain request tells why.
            async with self._session.get(url, params=query) as response:
                await _raise_for_status(response)
            raise StatusError(status(error.status, "", error.message)) from None

    async def _get_json(self, path: str, accept: str) -> Object:
        return _decode(await self._call("GET", path, headers={"Accept": accept}))

    async def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        sent = {"Accept": rest.JSON, **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", rest.JSON)
        with _connection_errors():
            async with self._session.request(
                method,
                self._base_url + path,
                params=query,
                headers=sent,
                data=None if body is None else msgspec.json.encode(body),
                timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS, sock_connect=_CONNECT_SECONDS),
            ) as response:
                await _raise_for_status(response)
                return await response.read()


@contextmanager
def _connection_errors() -> Generator[None]:
    """aiohttp's failures of the connection as the OSError that callers expect."""
    try:
        yield
    except aiohttp.ClientError as error:
        if isinstance(error, OSError):
            raise
        raise ConnectionError(f"the connection to the API broke: {error}") from error


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    body = await response.read()
    try:
        found = _decode(body)
    except msgspec.DecodeError:
        found = {}
    if found.get("kind") != "Status":
        text = body.decode(errors="replace").strip() or response.reason or "the server gave no reason"
        found = status(response.status, response.reason or "", text)
    raise StatusError(found)


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[Sequence[bytes]]:
    """Whole lines as they come, all those of one read together."""
    rest_of_line = b""
    while chunk := await response.content.readany():
        *lines, rest_of_line = (rest_of_line + chunk).split(b"\n")
        if lines:
            yield lines
    if rest_of_line:
        yield [rest_of_line]


async def _batches(response: aiohttp.ClientResponse, table: bool) -> AsyncGenerator[Sequence[WatchEvent]]:
    try:
        async for lines in _lines(response):
            batch = [_event(line, table) for line in lines if line]
            if batch:
                yield batch
    except (aiohttp.ClientPayloadError, msgspec.DecodeError):
        # It broke off, maybe in the middle of a line: the caller watches on from the last whole event.
        return


def _event(line: bytes, table: bool) -> WatchEvent:
    event = _decode_event(line)
    raw = bytes(event.object)
    if event.type == "ERROR":
        raise StatusError(_decode(raw))
    if table and event.type != "BOOKMARK":
        rows = _decode_rows(raw).rows
        metadata = rows[0].object.metadata if rows else _ItemMeta()
    else:
        metadata = _decode_item(raw).metadata
    return WatchEvent(cast(EventType, event.type), raw, ObjectKey(metadata.namespace, metadata.name))


async def _whole_lines(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    rest_of_line = b""
    while chunk := await response.content.readany():
        lines, newline, after = (rest_of_line + chunk).rpartition(b"\n")
        rest_of_line = after
        if newline:
            yield lines + newline
    if rest_of_line:
        yield rest_of_line
