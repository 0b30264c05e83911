"""The subresource `proxy`: requests handed on to a pod, a node's agent or a service, and answers handed back.

Everything a client sends goes on as it comes, except for what concerns only this connection (hop-by-hop headers)
and what says who it is. Upgrades become a tunnel. Redirects within the backend stay behind the proxy, and so do the
links of its pages. The verb that a caller needs follows from the method, as kube-apiserver has it.
"""

from __future__ import annotations

import asyncio
import posixpath
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Final, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from aiohttp import web

from ktui.client.node import NodeAgent
from ktui.engine.api.http.answers import method_not_allowed
from ktui.engine.api.http.links import MOST_BYTES, is_page, relinked
from ktui.engine.api.http.takeover import Raw, TakenOver, take_over
from ktui.engine.api.http.target import PROXY, Target
from ktui.engine.api.http.upstream import SWITCHING, Exchange, Head, Headers, UpstreamError
from ktui.engine.api.request import Request
from ktui.engine.api.subresources.proxies import Backend, Proxies
from ktui.kube.address import dial_failure
from ktui.kube.errors import StatusError, unavailable
from ktui.kube.resource import Resource

_VERBS: Final = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "OPTIONS": "",
}
_DIAL_SECONDS: Final = 30.0
_PARTIAL: Final = 206
_HOP_BY_HOP: Final = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_OF_THE_CALLER: Final = ("authorization", "expect", "x-forwarded-for", "x-forwarded-host", "x-forwarded-uri")
_BY_PROXIES: Final = ("impersonate-", "x-remote-")
"""What says for whom a request is."""
_CORS: Final = "access-control-allow-"


class ProxyHandlers:
    """Answers the subresource `proxy`."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    def serves(self, resource: Resource, target: Target) -> bool:
        """Whether a request is one for here."""
        return target.subresource == PROXY and self._proxies.serves(resource)

    async def handle(
        self, request: web.Request, caller: Request, resource: Resource, target: Target
    ) -> web.StreamResponse:
        """Hand a request on."""
        if request.method not in _VERBS:
            raise method_not_allowed()
        prefix, path = _split_path(request.rel_url.raw_path, target)
        backend = await self._proxies.backend(
            caller, _VERBS[request.method], resource, target.namespace, target.name
        )
        upgrade = upgrade_of(request)
        if not path and request.method in ("GET", "HEAD") and not upgrade:
            # Relative links of a page at the root only work below a slash.
            return web.Response(status=301, headers={"Location": f"{prefix}/{_query(request)}"})
        if not isinstance(backend, Backend):
            return await _page(request, backend, path or "/")
        return await _forwarded(request, backend, prefix, path or "/", upgrade)


def _split_path(raw: str, target: Target) -> tuple[str, str]:
    """The path up to `proxy`, and what follows it, both as the client encoded them."""
    count = 7 if target.namespace else 5
    parts = raw.lstrip("/").split("/", count)
    return "/" + "/".join(parts[:count]), "/" + parts[count] if len(parts) > count else ""


def _query(request: web.Request) -> str:
    query = request.rel_url.raw_query_string
    return f"?{query}" if query else ""


def upgrade_of(request: web.Request) -> str:
    """The protocol a client wants to switch to, "" for none."""
    asks = "upgrade" in request.headers.get("Connection", "").lower()
    return request.headers.get("Upgrade", "") if asks else ""


async def _page(request: web.Request, agent: NodeAgent, path: str) -> web.StreamResponse:
    """A page of a node's agent."""
    if request.method not in ("GET", "HEAD"):
        raise method_not_allowed()
    page = await agent.page(unquote(path), request.query)
    if page.stream is None:
        return web.Response(body=page.body, headers={"Content-Type": page.content_type})
    response = web.StreamResponse(headers={"Content-Type": page.content_type})
    async with page.stream as chunks:
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
    return response


async def _forwarded(
    request: web.Request, backend: Backend, prefix: str, path: str, upgrade: str
) -> web.StreamResponse:
    exchange = await _dialled(backend)
    hosts = (backend.address, request.headers.get("Host", ""))

    def lead(location: str) -> str:
        return relocated(location, prefix, hosts)

    uri = [("X-Forwarded-Uri", prefix + path)]
    return await forward(request, exchange, path, uri, upgrade=upgrade, name=backend.address, lead=lead)


async def forward(
    request: web.Request,
    exchange: Exchange,
    path: str,
    added: Headers,
    *,
    upgrade: str,
    name: str,
    lead: Callable[[str], str] | None = None,
) -> web.StreamResponse:
    """Hand a request on over a connection that is closed with it, and the answer back. `added` headers go along,
    `lead` says where links and redirects lead instead, `name` is what messages call the backend."""
    sending: asyncio.Task[None] | None = None
    chunked = request.content_length is None and request.can_read_body
    try:
        headers = _request_headers(request, added, upgrade, chunked=chunked)
        try:
            await exchange.send_head(request.method, path + _query(request), headers)
            if request.can_read_body:
                # The answer may come before all is sent, and decides on its own.
                sending = asyncio.create_task(
                    exchange.send_body(request.content.iter_any(), chunked=chunked), name="proxied body"
                )
            head = await exchange.head()
        except OSError as error:
            raise unreachable(str(error)) from error
        if upgrade and head.status == SWITCHING:
            raw = take_over(request, head.get("upgrade") or upgrade, dict(_kept(head.headers)))
            await _tunnel(raw, exchange)
            return TakenOver()
        return await _answered(request, exchange, head, lead, name)
    finally:
        if sending is not None:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        exchange.close()


async def _dialled(backend: Backend) -> Exchange:
    try:
        async with asyncio.timeout(_DIAL_SECONDS):
            reader, writer = await backend.dial()
            exchange = Exchange(cast("asyncio.StreamReader", reader), cast("asyncio.StreamWriter", writer))
            if backend.tls:
                try:
                    await exchange.writer.start_tls(_unverified())
                except BaseException:
                    exchange.close()
                    raise
    except ssl.SSLError as error:
        raise unreachable(f"tls: {error.reason or error}") from error
    except OSError as error:
        raise unreachable(dial_failure(backend.address, error)) from error
    return exchange


def unreachable(why: str) -> StatusError:
    """503: whatever is behind the proxy does not answer."""
    return unavailable(f"error trying to reach service: {why}")


def _unverified() -> ssl.SSLContext:
    """Pods have no certificates that anyone could check: kube-apiserver does not either."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _request_headers(request: web.Request, added: Headers, upgrade: str, *, chunked: bool) -> Headers:
    drop = {*_OF_THE_CALLER, "content-length" if chunked else ""}
    headers = [
        (name, value)
        for name, value in _kept(list(request.headers.items()))
        if name.lower() not in drop and not name.lower().startswith(_BY_PROXIES)
    ]
    headers += added
    if request.remote:
        headers.append(("X-Forwarded-For", request.remote))
    if chunked:
        headers.append(("Transfer-Encoding", "chunked"))
    headers += [("Connection", "Upgrade"), ("Upgrade", upgrade)] if upgrade else [("Connection", "close")]
    return headers


def _kept(headers: Headers) -> Headers:
    """Without what concerns one connection only, also what its `Connection` header names."""
    named = {
        token.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for token in value.split(",")
    }
    drop = _HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name.lower() not in drop]


async def _answered(
    request: web.Request, exchange: Exchange, head: Head, lead: Callable[[str], str] | None, backend: str
) -> web.StreamResponse:
    response = web.StreamResponse(status=head.status, reason=head.reason)
    coding = head.get("content-encoding").lower()
    has_links = lead is not None and is_page(head.get("content-type"), coding) and head.status != _PARTIAL
    sized = not head.get("transfer-encoding") and not has_links
    for name, value in _kept(head.headers):
        lower = name.lower()
        if lower.startswith(_CORS) or (lower == "content-length" and not sized):
            continue
        if lower == "location" and lead is not None:
            value = lead(value)
        response.headers.add(name, value)
    try:
        chunks = exchange.body(request.method, head)
        if has_links and lead is not None:
            chunks = _with_links(chunks, coding, lead)
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
    except UpstreamError as error:
        # The answer has begun: that it is not whole shows in how the connection ends.
        raise ConnectionAbortedError(f"the answer of {backend} broke off: {error}") from error
    await response.write_eof()
    return response


async def _with_links(
    chunks: AsyncIterator[bytes], coding: str, lead: Callable[[str], str]
) -> AsyncIterator[bytes]:
    """A page once it is there whole, with its links led elsewhere; one that is too large as it comes."""
    page = bytearray()
    async for chunk in chunks:
        page += chunk
        if len(page) > MOST_BYTES:
            yield bytes(page)
            async for more in chunks:
                yield more
            return
    if page:
        yield await asyncio.to_thread(relinked, bytes(page), coding, lead)


def relocated(location: str, prefix: str, hosts: tuple[str, ...]) -> str:
    """Where a redirect leads through the proxy: paths of the backend below `prefix`, elsewhere as it is."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return location
    if (parts.netloc and parts.netloc not in hosts) or not parts.path.startswith("/"):
        return location
    path = parts.path
    if not path.startswith(prefix):
        path = posixpath.normpath(f"{prefix}{path}") + ("/" if path.endswith("/") else "")
    return urlunsplit(("", "", path, parts.query, parts.fragment))


async def _tunnel(raw: Raw, exchange: Exchange) -> None:
    """Bytes both ways until one side ends it."""

    async def pour(chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            exchange.writer.write(chunk)
            await exchange.writer.drain()

    async def draw() -> None:
        async for chunk in exchange.rest():
            await raw.send(chunk)

    tasks = [asyncio.create_task(pour(raw.chunks())), asyncio.create_task(draw())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
