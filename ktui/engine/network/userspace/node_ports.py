"""Node ports and load balancers on the loopback address, relayed by this process.

What the kernel would do for the whole host, for as many connections as there are: only from this machine, TCP
only where pods are reached through the node. Cluster IPs are not served: nothing but the kernel can.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator

from ktui.engine.network.services import ServicePort, ServiceView
from ktui.engine.network.userspace.dialing import PodDialer, Streams, relay
from ktui.kube.clock import Clock

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
_RETRY_SECONDS = 10.0
_LOWEST_FREE_PORT = 1024


class LoopbackPorts:
    """Listens for every node port and load balancer, until cancelled."""

    def __init__(self, view: ServiceView, dialer: PodDialer, clock: Clock) -> None:
        self._view = view
        self._dialer = dialer
        self._clock = clock
        self._servers: dict[int, asyncio.Server] = {}
        self._ports: dict[int, ServicePort] = {}
        self._turn = itertools.count()
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await self._view.wait_synced()
        try:
            while True:
                self._view.take_changes()
                if await self._follow():
                    await self._view.wake.wait()
                else:
                    await self._clock.sleep(_RETRY_SECONDS)
        finally:
            for server in self._servers.values():
                server.close()
            self._servers.clear()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _follow(self) -> bool:
        """Open and close ports; whether all could be opened."""
        self._ports = dict(self._wanted())
        for port in self._servers.keys() - self._ports.keys():
            self._servers.pop(port).close()
        is_whole = True
        for port in self._ports.keys() - self._servers.keys():
            try:
                self._servers[port] = await asyncio.start_server(self._accept(port), ADDRESS, port)
            except OSError as error:
                log.error("Service %s: port %d can't be opened: %s", self._ports[port].service, port, error)
                is_whole = False
        return is_whole

    def _wanted(self) -> Iterator[tuple[int, ServicePort]]:
        for key, _ in self._view.services():
            for port in self._view.ports(key):
                if port.protocol != "tcp":
                    continue
                if port.node_port:
                    yield port.node_port, port
                if port.load_balancer_ips and port.port >= _LOWEST_FREE_PORT:
                    yield port.port, port

    def _accept(self, number: int):
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(number, (reader, writer)))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        return accept

    async def _serve(self, number: int, client: Streams) -> None:
        endpoints = self._ports[number].endpoints if number in self._ports else ()
        first = next(self._turn)
        for step in range(len(endpoints)):
            endpoint = endpoints[(first + step) % len(endpoints)]
            try:
                await relay(client, await self._dialer.open(endpoint.pod, endpoint.port))
            except OSError as error:
                log.debug("%s was not reached: %s", endpoint.pod, error)
                continue
            return
        # A reset, as the kernel answers where no endpoint is ready.
        client[1].transport.abort()
