"""The reverse proxy itself: listens, routes by the present rules, keeps time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from ktui.engine.network.ingress.balancer import Balancer, Target
from ktui.engine.network.ingress.certificates import Certificates
from ktui.engine.network.ingress.client import ClientConnection
from ktui.engine.network.ingress.exchange import Exchange
from ktui.engine.network.ingress.routes import Backend, Route, Router
from ktui.engine.network.ingress.upstream import Pool
from ktui.kube.resource import ObjectKey

_IDLE_SECONDS = 75.0
"""How long a client's connection may wait for its first request, or for the next one."""
_SWEEP_SECONDS = 1.0
_HTTPS = 443
_DRAIN_SECONDS = 2.0
_LAST_REQUEST_SECONDS = 0.5
"""How long a kept connection may still bring a request, so that none is lost that was on its way."""
_DRAIN_STEP_SECONDS = 0.05


class IngressProxy:
    """Serves HTTP and HTTPS; `router` may be replaced at any time."""

    def __init__(self, balancer: Balancer, dial_socket: str = "") -> None:
        self.router = Router(())
        self.certificates = Certificates(self._secret_of)
        self.ports: tuple[int, int] = (0, 0)
        """Where it listens: HTTP and HTTPS."""
        self._balancer = balancer
        self._clock = asyncio.get_running_loop().time
        self._pool = Pool(self._failed, self._clock, dial_socket)
        self._connections: set[ClientConnection] = set()
        self._servers: list[asyncio.Server] = []

    async def listen(self, plain: socket.socket, secure: socket.socket) -> None:
        """Serve the two sockets, which are bound."""
        loop = asyncio.get_running_loop()
        self._servers = [
            await loop.create_server(self._accept(is_secure=False), sock=plain),
            await loop.create_server(
                self._accept(is_secure=True), sock=secure, ssl=self.certificates.context
            ),
        ]
        self.ports = (plain.getsockname()[1], secure.getsockname()[1])

    def _accept(self, *, is_secure: bool) -> Callable[[], ClientConnection]:
        return lambda: ClientConnection(self, self._clock, is_secure=is_secure)

    async def run(self) -> None:
        """End what takes too long, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._clock()
            for connection in list(self._connections):
                exchange = connection.exchange
                if exchange is not None and 0 < exchange.deadline < now:
                    self._too_long(exchange)
                elif 0 < connection.ends_at < now:
                    connection.abort()
                elif exchange is None and connection.idle_since + _IDLE_SECONDS < now:
                    connection.close()
            self._pool.sweep()

    async def drain(self) -> None:
        """Accept nobody any more, and give those who are connected a moment to have their answers."""
        # What is in the listeners' queues first.
        await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        started = self._clock()
        for connection in self._connections:
            connection.drain()
        while self._connections and (waited := self._clock() - started) < _DRAIN_SECONDS:
            for connection in list(self._connections):
                if connection.exchange is None and waited > _LAST_REQUEST_SECONDS:
                    connection.close()
            await asyncio.sleep(_DRAIN_STEP_SECONDS)

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.abort()
        await self._pool.close()

    # What connections ask.

    def route(self, host: str, path: str) -> Route | None:
        return self.router.find(host, path)

    def needs_https(self, host: str, route: Route) -> str:
        options = route.options
        if not (options.always_redirects or (options.redirects and self.certificates.has(host))):
            return "-"
        return "" if self.ports[1] == _HTTPS else f":{self.ports[1]}"

    def targets(self, backend: Backend) -> tuple[Target, ...]:
        return self._balancer.targets(backend)

    def explain(self, backend: Backend) -> str:
        if not self._balancer.has_service(backend):
            return f"There is no Service {backend.service} with a port {backend.port}."
        return f"No endpoint of Service {backend.service} is ready."

    def serve(self, exchange: Exchange) -> None:
        self._pool.serve(exchange)

    def opened(self, connection: ClientConnection) -> None:
        self._connections.add(connection)

    def closed(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)

    def _secret_of(self, host: str) -> ObjectKey | None:
        return self.router.secret_of(host)

    def _failed(self, exchange: Exchange, why: str) -> None:
        assert exchange.route.backend is not None
        exchange.client.fail(
            exchange, 502, f"Service {exchange.route.backend.service} did not answer: {why}."
        )

    def _too_long(self, exchange: Exchange) -> None:
        assert exchange.route.backend is not None
        if exchange.upstream is not None:
            exchange.upstream.close()
        if not exchange.is_complete and not exchange.head_sent:
            exchange.client.fail(exchange, 408, "The request's body did not come in time.")
            return
        seconds = exchange.route.options.read_seconds
        text = f"Service {exchange.route.backend.service} did not answer within {seconds:g} s."
        exchange.client.fail(exchange, 504, text)
