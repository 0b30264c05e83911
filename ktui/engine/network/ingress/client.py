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
from ktui.engine.network.ingress.exchange import Exchange, Headers
from ktui.engine.network.ingress.heads import (
    Asker,
    Framing,
    RefusedError,
    backend_head,
    host_name,
    read_framing,
    rewritten,
)
from ktui.engine.network.ingress.routes import Backend, Route

log = logging.getLogger(__name__)

_MOST_HEAD_BYTES = 64 * 1024
_MOST_WAITING_BYTES = 256 * 1024
_MOST_WAITING = 32
"""Requests that a client may send ahead; it is not read on before some are answered."""
_LINGER_SECONDS = 2.0
"""How long a client that is still sending gets to hear its answer."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Ready(NamedTuple):
    """An answer of our own."""

    data: bytes
    keeps: bool
    """The connection goes on after it."""
    lingers: bool = False
    """The client may still be sending."""


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
        self.ends_at = 0.0
        """When a connection that waits for the client's end is ended; 0 for one that goes on."""
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
        self._is_draining = False

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
            if self._is_tunnel:
                exchange.upstream.finish()
            else:
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
        is_held = waiting is not None and (waiting.upstream is None or waiting.is_upgrade)
        if waiting is not None and is_held and waiting.body_bytes > _MOST_WAITING_BYTES:
            self.pause_reading()
        if len(self._waiting) >= _MOST_WAITING:
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
        if len(self._waiting) >= _MOST_WAITING:
            return
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

    def drain(self) -> None:
        """The proxy ends: what is under way and what comes within a moment is answered, then the connection ends."""
        self._is_draining = True
        if self.exchange is not None and not self.exchange.head_sent:
            # One whose head is out has not told the client: it is told by its next response.
            self.exchange.is_closing = True

    def _end(self) -> None:
        """End once the client has: closed at once, what it still sends would take its answer away."""
        self._is_ending = True
        self.ends_at = self._clock() + _LINGER_SECONDS
        if self._transport is None or self._transport.is_closing():
            return
        self._waiting.clear()
        self.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def become_tunnel(self, exchange: Exchange, first: bytes) -> None:
        """From now on bytes pass both ways as they are."""
        self._is_tunnel = True
        self.write(first)
        if body := exchange.take_body():
            assert exchange.upstream is not None
            exchange.upstream.write(body)
        self.resume_reading()

    def finished(self, exchange: Exchange) -> None:
        """The response of the exchange under way has gone out."""
        self.exchange = None
        if not exchange.is_complete:
            # What is left of its request would be taken for the next one.
            self._end()
            return
        if exchange.is_closing:
            self._is_ending = True
            self.close()
            return
        self.idle_since = self._clock()
        self._go_on()
        self.resume_reading()

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
        if self._is_ending:
            return
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
        keeps = parser.should_keep_alive() and not parser.should_upgrade() and not self._is_draining
        framing = read_framing(self._headers, version)
        is_head = method == b"HEAD"
        host, target = self._asked_for(method, version)
        path = target.partition("?")[0]
        name = host_name(host)

        def answer(data: Callable[[bool], bytes]) -> Ready:
            # A client that waits to be told sends its body or does not: its next request could not be found.
            goes_on = keeps and not framing.expects
            return Ready(data(goes_on), goes_on, framing.has_body)

        route = self._site.route(name, path)
        if route is None or route.backend is None:
            text = (
                f"No Ingress has a rule for {host or '-'}{path}."
                if route is None
                else f"Ingress {route.ingress} leads to a resource, which this controller does not serve."
            )
            code = 404 if route is None else 503
            return answer(lambda on: pages.page(code, text, keep_alive=on, is_head=is_head))
        if name and not self._is_secure and (suffix := self._site.needs_https(name, route)) != "-":
            return answer(lambda on: pages.redirect(f"https://{name}{suffix}{target}", keep_alive=on))
        targets = self._site.targets(route.backend)
        if not targets:
            why = self._site.explain(route.backend)
            return answer(lambda on: pages.page(503, why, keep_alive=on, is_head=is_head))
        exchange = self._exchange(route, method, version, targets, host, target, framing)
        exchange.is_closing = not keeps
        return exchange

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
        framing: Framing,
    ) -> Exchange:
        limit = self._body_limit = route.options.body_bytes
        if limit and framing.length and framing.length > limit:
            raise RefusedError(413, f"The body is longer than {limit} bytes.")
        asks_for_other = self._parser.should_upgrade()
        if asks_for_other and framing.has_body:
            raise RefusedError(400, "A request for another protocol has no body.")
        is_upgrade = (
            asks_for_other and b"upgrade" in framing.named and framing.upgrade.lower() not in (b"", b"h2c")
        )
        asker = Asker(self._peer, self._port, self._is_secure)
        path = rewritten(route, target)
        return Exchange(
            self,
            route,
            method,
            version,
            targets,
            backend_head(method, path, host, self._headers, framing, asker, is_upgrade=is_upgrade),
            is_chunked=framing.is_chunked,
            is_upgrade=is_upgrade,
            expects=framing.expects and framing.has_body,
        )

    def _start(self, answer: Exchange | Ready) -> None:
        if isinstance(answer, Exchange):
            self.exchange = answer
            if self._is_draining:
                answer.is_closing = True
            if answer.expects and not answer.body_bytes:
                self.write(_CONTINUE)
            self._site.serve(answer)
            return
        self.write(answer.data)
        self.idle_since = self._clock()
        if answer.lingers and not answer.keeps:
            self._end()
        elif not answer.keeps:
            self._is_ending = True
            self.close()

    def _go_on(self) -> None:
        while self.exchange is None and self._waiting and not self.is_gone:
            self._start(self._waiting.popleft())

    def _refuse(self, code: int, text: str) -> None:
        """Answer and end: where the request stops can't be told any more. Those before it get their answers."""
        self._is_ending = True
        if self._reading is not None and self._waiting and self._waiting[-1] is self._reading:
            self._waiting.pop()
        answer = Ready(pages.page(code, text, keep_alive=False), keeps=False, lingers=True)
        exchange = self.exchange
        if exchange is not None and exchange.is_complete:
            self._waiting.append(answer)
            return
        if exchange is not None and exchange.head_sent:
            self.abort()
            return
        self.exchange = None
        if exchange is not None and exchange.upstream is not None:
            exchange.upstream.close()
        self._start(answer)
