"""The backends' side of the proxy: connections that are kept for the next request, and their responses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from ktui.engine.network.ingress.balancer import Target
from ktui.engine.network.ingress.exchange import HOP_BY_HOP, Exchange, Headers

_KEPT_PER_TARGET = 64
_KEPT_SECONDS = 30.0
_CONTINUE = 100
"""The proxy says so itself."""
_SWITCHING = 101
_EMPTY = (204, 304)


class UpstreamConnection(asyncio.Protocol):
    """A connection to one backend; serves one exchange at a time."""

    def __init__(self, pool: Pool, target: Target) -> None:
        self.target = target
        self.is_open = False
        self.is_reused = False
        self.idle_since = 0.0
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._reason = b""
        self._status = 0
        self._out: list[bytes] = []
        self._is_chunking = False
        self._ends_with_connection = False
        self._is_done = False
        self._keeps = False
        self._is_tunnel = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def send(self, exchange: Exchange) -> None:
        """Begin an exchange: its request goes out."""
        self._exchange = exchange
        exchange.upstream = self
        self._is_done = False
        assert self._transport is not None
        if exchange.client.is_writing_paused:
            self.pause_reading()
        exchange.client.resume_reading()
        self._transport.write(exchange.head if exchange.is_upgrade else exchange.head + exchange.take_body())

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Let go of the connection; what is under way on it is lost."""
        self._exchange = None
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """The client of a tunnel has ended: what it sent goes out first."""
        self._exchange = None
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.client.pause_reading()

    def resume_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.client.resume_reading()

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            # Nothing was asked for: whatever it is belongs to nobody.
            self.close()
            return
        if self._is_tunnel:
            exchange.client.write(data)
            return
        self._pool.touch(exchange)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._become_tunnel(exchange, data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._fail(exchange, "its answer can't be understood")
            return
        if self._out:
            exchange.client.write(b"".join(self._out))
            self._out.clear()
        if self._is_done:
            self._finish(exchange)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._pool.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        exchange.upstream = None
        if self._is_tunnel:
            exchange.client.close()
        elif self._ends_with_connection and exchange.head_sent and exc is None:
            if self._is_chunking:
                exchange.client.write(b"0\r\n\r\n")
            exchange.client.finished(exchange)
        else:
            self._pool.lost(exchange, self, "it closed the connection")

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._is_done:
            # Nobody asked for a second answer; what follows it can't be trusted.
            self._keeps = False
        self._headers = []
        self._reason = b""

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        exchange = self._exchange
        if self._is_done or exchange is None:
            return
        status = self._parser.get_status_code()
        self._status = status
        if status < 200 and status != _SWITCHING:
            if status != _CONTINUE and exchange.version == "1.1":
                head = [b"%b: %b" % header for header in self._headers if header[0].lower() not in HOP_BY_HOP]
                lines = (b"HTTP/1.1 %d %b" % (status, self._reason), *head, b"\r\n")
                self._out.append(b"\r\n".join(lines))
            self._headers.clear()
            self._reason = b""
            return
        self._keeps = self._parser.should_keep_alive()
        self._out.append(self._head(exchange, status))
        exchange.head_sent = True
        if exchange.method == b"HEAD":
            # The parser takes a length for a body that will come: here the response ends.
            self._parser = httptools.HttpResponseParser(self)
            self._is_done = True

    def on_body(self, body: bytes) -> None:
        if not self._is_done:
            self._out.append(b"%x\r\n%b\r\n" % (len(body), body) if self._is_chunking else body)

    def on_message_complete(self) -> None:
        if self._is_done or (self._status < 200 and self._status != _SWITCHING):
            return
        if self._is_chunking:
            self._out.append(b"0\r\n\r\n")
        self._is_done = True

    def _head(self, exchange: Exchange, status: int) -> bytes:
        length, is_chunked = b"", False
        named = frozenset(
            word.strip().lower()
            for name, value in self._headers
            if name.lower() == b"connection"
            for word in value.split(b",")
        )
        lines = [b"HTTP/1.1 %d %b" % (status, self._reason)]
        for name, value in self._headers:
            lower = name.lower()
            if lower == b"content-length":
                length = value
            elif lower == b"transfer-encoding":
                is_chunked = True
            elif lower == b"upgrade" and status == _SWITCHING:
                lines.append(b"Upgrade: %b" % value)
            elif lower not in HOP_BY_HOP and lower not in named:
                lines.append(b"%b: %b" % (name, value))
        has_length = bool(length) and not is_chunked
        if has_length:
            lines.append(b"Content-Length: %b" % length)
        self._headers.clear()
        self._reason = b""
        self._ends_with_connection = not has_length and not is_chunked and status not in _EMPTY
        is_old = exchange.version == "1.0"
        self._is_chunking = (
            (is_chunked or self._ends_with_connection)
            and not is_old
            and status not in (_SWITCHING, *_EMPTY)
            and exchange.method != b"HEAD"
        )
        if self._is_chunking:
            lines.append(b"Transfer-Encoding: chunked")
        elif is_old and not has_length and status not in _EMPTY:
            exchange.is_closing = True
        if status == _SWITCHING:
            lines.append(b"Connection: Upgrade")
        elif exchange.is_closing:
            lines.append(b"Connection: close")
        elif is_old:
            lines.append(b"Connection: keep-alive")
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _become_tunnel(self, exchange: Exchange, rest: bytes) -> None:
        if self._status != _SWITCHING or not exchange.is_upgrade:
            self._fail(exchange, "it switches to a protocol that nobody asked for")
            return
        self._is_tunnel = True
        exchange.deadline = 0.0
        exchange.client.become_tunnel(exchange, b"".join(self._out) + rest)
        self._out.clear()

    def _finish(self, exchange: Exchange) -> None:
        self._exchange = None
        exchange.upstream = None
        if self._keeps and self.is_open and exchange.is_complete:
            self._pool.keep(self)
        else:
            self.close()
        exchange.client.finished(exchange)

    def _fail(self, exchange: Exchange, why: str) -> None:
        exchange.upstream = None
        self.close()
        self._pool.lost(exchange, self, why)


class Pool:
    """Idle connections by backend, and the making of new ones."""

    def __init__(
        self, failed: Callable[[Exchange, str], None], clock: Callable[[], float], dial_socket: str = ""
    ) -> None:
        self._failed = failed
        """Told when an exchange can't be served, and why."""
        self._clock = clock
        self._dial_socket = dial_socket
        """Where pods are reached that the host has no way to."""
        self._idle: dict[Target, list[UpstreamConnection]] = {}
        self._connecting: set[asyncio.Task[None]] = set()

    def touch(self, exchange: Exchange) -> None:
        """Something came: the exchange has its time anew."""
        exchange.deadline = self._clock() + exchange.route.options.read_seconds

    def serve(self, exchange: Exchange) -> None:
        """Send an exchange to its next backend."""
        target = exchange.next_target()
        self.touch(exchange)
        # One that ends at this moment would lose a request that can't be sent again; and where one has, the
        # others are likely to.
        idle = self._idle.get(target) if exchange.is_repeatable and exchange.tries == 1 else None
        while idle:
            connection = idle.pop()
            if connection.is_open:
                connection.is_reused = True
                connection.send(exchange)
                return
        task = asyncio.ensure_future(self._connect(exchange, target))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, exchange: Exchange, target: Target) -> None:
        connection = UpstreamConnection(self, target)
        try:
            async with asyncio.timeout(exchange.route.options.connect_seconds):
                await self._open(connection)
        except (OSError, TimeoutError) as error:
            if exchange.is_over:
                return
            if exchange.may_try_again(was_sent=False):
                self.serve(exchange)
            else:
                self._failed(exchange, f"{target.host}:{target.port}: {error or 'no answer'}")
            return
        if exchange.is_over:
            connection.close()
        else:
            connection.send(exchange)

    async def _open(self, connection: UpstreamConnection) -> None:
        target, loop = connection.target, asyncio.get_running_loop()
        if target.pod:
            await loop.create_unix_connection(lambda: connection, self._dial_socket)
            connection.write(f"{target.pod} {target.port}\n".encode())
        else:
            await loop.create_connection(lambda: connection, target.host, target.port)

    def lost(self, exchange: Exchange, connection: UpstreamConnection, why: str) -> None:
        """A backend failed in the middle of an exchange."""
        if exchange.is_over:
            return
        if exchange.may_try_again(was_sent=True):
            self.serve(exchange)
        else:
            self._failed(exchange, f"{connection.target.host}:{connection.target.port}: {why}")

    def keep(self, connection: UpstreamConnection) -> None:
        idle = self._idle.setdefault(connection.target, [])
        if len(idle) >= _KEPT_PER_TARGET:
            connection.close()
            return
        connection.idle_since = self._clock()
        connection.resume_reading()
        idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        idle = self._idle.get(connection.target)
        if idle and connection in idle:
            idle.remove(connection)

    def sweep(self) -> None:
        """Close what has been idle for long: backends close their side too, and a request must not meet that."""
        oldest = self._clock() - _KEPT_SECONDS
        for target, idle in list(self._idle.items()):
            for connection in [each for each in idle if each.idle_since < oldest]:
                connection.close()
                self.forget(connection)
            if not idle:
                del self._idle[target]

    async def close(self) -> None:
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for idle in self._idle.values():
            for connection in list(idle):
                connection.close()
        self._idle.clear()
