"""The clients' side of the proxy: requests are read, routed and sent on; responses come back in their order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

import httptools

from ktui.engine.network.ingress import pages
from ktui.engine.network.ingress.balancer import Target
from ktui.engine.network.ingress.exchange import HOP_BY_HOP, Exchange, Headers
from ktui.engine.network.ingress.routes import Backend, Route

log = logging.getLogger(__name__)

_MOST_HEAD_BYTES = 64 * 1024
_MOST_WAITING_BYTES = 256 * 1024
_FORWARDED = frozenset(
    (
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"x-real-ip",
        b"forwarded",
        b"expect",
    )
)
"""What the proxy says itself: a client can't pretend to be another one."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Ready(NamedTuple):
    """An answer of our own."""

    data: bytes
    keeps: bool
    """The connection goes on after it."""


class Site(Protocol):
    """What a connection asks about requests, and tells about itself."""

    def route(self, host: str, path: str) -> Route | None: ...

    def needs_https(self, host: str, route: Route) -> str:
        """Where plain HTTP is sent to: the end of `https://<host>`, `:8443` or nothing; "-" when it is served."""
        ...

    def targets(self, backend: Backend) -> tuple[Target, ...]: ...

    def explain(self, backend: Backend) -> str:
        """Why a backend has no targets."""
        ...

    def serve(self, exchange: Exchange) -> None: ...

    def opened(self, connection: ClientConnection) -> None: ...

    def closed(self, connection: ClientConnection) -> None: ...


class ClientConnection(asyncio.Protocol):
    """One connection from outside."""

    def __init__(self, site: Site, clock: Callable[[], float], *, is_secure: bool) -> None:
        self.is_gone = False
        self.idle_since = clock()
        """Since when nothing was under way; 0 while something is."""
        self.exchange: Exchange | None = None
        self._site = site
        self._clock = clock
        self._is_secure = is_secure
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._port = 0
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: Headers = []
        self._head_bytes = 0
        self._reading: Exchange | None = None
        """Whose body comes in; None while its request was answered without a backend."""
        self._body_limit = 0
        self._waiting: deque[Exchange | Ready] = deque()
        """Requests behind the one under way, and ready answers, in their order."""
        self.is_writing_paused = False
        self._is_tunnel = False
        self._is_ending = False
        """What still comes is not looked at."""
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._port = int((transport.get_extra_info("sockname") or ("", 0))[1])
        self._site.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True
        self._site.closed(self)
        self._waiting.clear()
        exchange, self.exchange = self.exchange, None
        if exchange is not None and exchange.upstream is not None:
            exchange.upstream.close()

    def data_received(self, data: bytes) -> None:
        if self._is_tunnel:
            if self.exchange is not None and self.exchange.upstream is not None:
                self.exchange.upstream.write(data)
            return
        if self._is_ending:
            return
        if self._reading is not None and self._reading.is_upgrade:
            self._reading.add_body(data)
        else:
            self._parse(data)
        waiting = self._reading
        if waiting is not None and waiting.upstream is None and waiting.body_bytes > _MOST_WAITING_BYTES:
            self.pause_reading()

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._reading is None:
                self._is_ending = True
            elif rest := data[upgrade.args[0] :]:
                self._reading.add_body(rest)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, RefusedError):
                self._refuse(cause.code, cause.text)
                return
            if cause is not None:
                log.error("a request could not be handled", exc_info=cause)
            self._refuse(400, "The request can't be understood.")

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self.is_writing_paused = True
        if self.exchange is not None and self.exchange.upstream is not None:
            self.exchange.upstream.pause_reading()

    def resume_writing(self) -> None:
        self.is_writing_paused = False
        if self.exchange is not None and self.exchange.upstream is not None:
            self.exchange.upstream.resume_reading()

    def pause_reading(self) -> None:
        if self._transport is not None and not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End at once: the client must see that its response is not whole."""
        if self._transport is not None:
            self._transport.abort()

    def become_tunnel(self, exchange: Exchange, first: bytes) -> None:
        """From now on bytes pass both ways as they are."""
        self._is_tunnel = True
        self.write(first)
        if body := exchange.take_body():
            assert exchange.upstream is not None
            exchange.upstream.write(body)

    def finished(self, exchange: Exchange) -> None:
        """The response of the exchange under way has gone out."""
        self.exchange = None
        if exchange.is_closing or not exchange.is_complete:
            # What is left of its request would be taken for the next one.
            self._is_ending = True
            self.close()
            return
        self.idle_since = self._clock()
        self.resume_reading()
        self._go_on()

    def fail(self, exchange: Exchange, code: int, text: str) -> None:
        """A backend did not answer."""
        if exchange.head_sent:
            self.abort()
            return
        keeps = exchange.is_complete and not exchange.is_closing
        exchange.is_closing = not keeps
        self.write(pages.page(code, text, keep_alive=keeps, is_head=exchange.method == b"HEAD"))
        self.finished(exchange)

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._head_bytes = 0
        self._reading = None

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self.idle_since = 0.0
        self._body_limit = 0
        answer = self._begin()
        if isinstance(answer, Exchange):
            self._reading = answer
        if self.exchange is None and not self._waiting:
            self._start(answer)
        else:
            self._waiting.append(answer)

    def on_body(self, body: bytes) -> None:
        exchange = self._reading
        if exchange is None:
            return
        if self._body_limit and exchange.body_bytes + len(body) > self._body_limit:
            raise RefusedError(413, f"The body is longer than {self._body_limit} bytes.")
        if exchange.deadline:
            exchange.deadline = self._clock() + exchange.route.options.read_seconds
        exchange.add_body(body)

    def on_message_complete(self) -> None:
        exchange = self._reading
        if exchange is not None:
            exchange.complete()
            if not exchange.is_upgrade:
                self._reading = None

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MOST_HEAD_BYTES:
            raise RefusedError(431, "The request's headers are too long.")

    def _begin(self) -> Exchange | Ready:
        """What is to be done for the request whose head has come."""
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        # The parser stops where a request asks for another protocol.
        keeps = parser.should_keep_alive() and not parser.should_upgrade()
        is_head = method == b"HEAD"
        host, target = self._asked_for(method, version)
        path = target.partition("?")[0]
        name = _host_name(host)
        route = self._site.route(name, path)
        if route is None or route.backend is None:
            text = f"No Ingress has a rule for {host or '-'}{path}."
            return Ready(pages.page(404, text, keep_alive=keeps, is_head=is_head), keeps)
        if not self._is_secure and (suffix := self._site.needs_https(name, route)) != "-":
            return Ready(pages.redirect(f"https://{name}{suffix}{target}", keep_alive=keeps), keeps)
        targets = self._site.targets(route.backend)
        if not targets:
            text = self._site.explain(route.backend)
            return Ready(pages.page(503, text, keep_alive=keeps, is_head=is_head), keeps)
        return self._exchange(route, method, version, targets, host, target, keeps=keeps)

    def _asked_for(self, method: bytes, version: str) -> tuple[str, str]:
        """Host and target of the request. Raises RefusedError."""
        hosts = [value for name, value in self._headers if name.lower() == b"host"]
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise RefusedError(400, "A request names one host.")
        if method == b"CONNECT":
            raise RefusedError(405, "This server is no forward proxy.")
        host, target = hosts[0] if hosts else b"", self._url
        if not target.startswith(b"/") and target != b"*":
            try:
                url = httptools.parse_url(target)
            except httptools.HttpParserInvalidURLError:
                raise RefusedError(400, "The request's target can't be understood.") from None
            host = url.host + (b":%d" % url.port if url.port else b"") if url.host else host
            target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
        return host.decode("latin-1"), target.decode("latin-1")

    def _exchange(
        self,
        route: Route,
        method: bytes,
        version: str,
        targets: tuple[Target, ...],
        host: str,
        target: str,
        *,
        keeps: bool,
    ) -> Exchange:
        is_chunked, expects, upgrade, length, named = False, False, b"", 0, frozenset[bytes]()
        for name, value in self._headers:
            match name.lower():
                case b"transfer-encoding":
                    is_chunked = True
                case b"content-length":
                    length = int(value)
                case b"expect":
                    expects = value.lower() == b"100-continue"
                case b"upgrade":
                    upgrade = value
                case b"connection":
                    named |= {word.strip().lower() for word in value.split(b",")}
                case _:
                    pass
        limit = self._body_limit = route.options.body_bytes
        if limit and length > limit:
            raise RefusedError(413, f"The body is longer than {limit} bytes.")
        is_upgrade = bool(upgrade) and b"upgrade" in named and self._parser.should_upgrade()
        if self._parser.should_upgrade() and (length or is_chunked):
            raise RefusedError(400, "A request for another protocol has no body.")
        is_upgrade = is_upgrade and upgrade.lower() != b"h2c"
        if expects and (length or is_chunked):
            self.write(_CONTINUE)
        path = _rewritten(route, target)
        lines = [b"%b %b HTTP/1.1" % (method, path.encode("latin-1"))]
        left_out = HOP_BY_HOP | _FORWARDED | named
        lines += [
            b"%b: %b" % (name, value)
            for name, value in self._headers
            if (lower := name.lower()) not in left_out and lower != b"host"
        ]
        scheme = "https" if self._is_secure else "http"
        told = (
            f"Host: {host}\r\nX-Forwarded-For: {self._peer}\r\nX-Real-IP: {self._peer}\r\n"
            f"X-Forwarded-Host: {host}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Port: {self._port}"
        )
        lines.append(told.encode("latin-1"))
        if is_chunked:
            lines.append(b"Transfer-Encoding: chunked")
        if is_upgrade:
            lines.append(b"Connection: Upgrade\r\nUpgrade: %b" % upgrade)
        exchange = Exchange(
            self,
            route,
            method,
            version,
            targets,
            b"\r\n".join(lines) + b"\r\n\r\n",
            is_chunked=is_chunked,
            is_upgrade=is_upgrade,
        )
        exchange.is_closing = not keeps
        return exchange

    def _start(self, answer: Exchange | Ready) -> None:
        if isinstance(answer, Exchange):
            self.exchange = answer
            self._site.serve(answer)
            return
        self.write(answer.data)
        self.idle_since = self._clock()
        if not answer.keeps:
            self._is_ending = True
            self.close()

    def _go_on(self) -> None:
        while self.exchange is None and self._waiting and not self.is_gone:
            self._start(self._waiting.popleft())

    def _refuse(self, code: int, text: str) -> None:
        """Answer and end: where the request stops can't be told any more."""
        self._is_ending = True
        self._waiting.clear()
        exchange = self.exchange
        if exchange is not None and exchange.head_sent:
            self.abort()
            return
        if exchange is not None and exchange.upstream is not None:
            exchange.upstream.close()
        self.write(pages.page(code, text, keep_alive=False))
        self.close()


class RefusedError(Exception):
    """A request that is answered with an error, after which the connection ends."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def _host_name(host: str) -> str:
    """The name in a Host header: no port, lower case, no dot at its end."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower().rstrip(".")


def _rewritten(route: Route, target: str) -> str:
    if not route.options.rewrite:
        return target
    path, mark, query = target.partition("?")
    return route.options.rewrite + mark + query if path else target
