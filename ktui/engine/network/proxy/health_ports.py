"""`healthCheckNodePort`: tells load balancers outside whether this node has endpoints of a Service.

As kube-proxy's: 200 with the number of ready endpoints on the node, 503 where there is none
(https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/).
"""

from __future__ import annotations

import asyncio
import logging
import socket

from aiohttp import web

from ktui.engine.network.services import ServiceView, is_anothers
from ktui.kube.clock import Clock
from ktui.kube.resource import ObjectKey

log = logging.getLogger(__name__)

_RETRY_SECONDS = 10.0


class HealthPorts:
    """Listens for every Service of ours that asks for it, until cancelled."""

    def __init__(self, view: ServiceView, node: str, clock: Clock) -> None:
        self._view = view
        self._node = node
        self._clock = clock
        self._changed = asyncio.Event()
        self._runners: dict[int, tuple[ObjectKey, web.AppRunner]] = {}
        view.on_change(self._changed.set)

    async def run(self) -> None:
        await self._view.wait_synced()
        try:
            while True:
                self._changed.clear()
                if await self._follow():
                    await self._changed.wait()
                else:
                    await self._clock.sleep(_RETRY_SECONDS)
        finally:
            for _, runner in self._runners.values():
                await runner.cleanup()
            self._runners.clear()

    async def _follow(self) -> bool:
        """Open and close ports; whether all could be opened."""
        wanted = {
            service.spec.healthCheckNodePort: key
            for key, service in self._view.services()
            if service.spec and service.spec.healthCheckNodePort and not is_anothers(service)
        }
        for port, (key, runner) in list(self._runners.items()):
            if wanted.get(port) != key:
                del self._runners[port]
                await runner.cleanup()
        is_whole = True
        for port, key in wanted.items():
            if port in self._runners:
                continue
            try:
                self._runners[port] = (key, await self._listen(port, key))
            except OSError as error:
                log.error("Service %s: health check port %d can't be opened: %s", key, port, error)
                is_whole = False
        return is_whole

    async def _listen(self, port: int, key: ObjectKey) -> web.AppRunner:
        async def answer(_: web.Request) -> web.Response:
            return self._answer(key)

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        sock = socket.create_server(("0.0.0.0", port), reuse_port=True)
        await web.SockSite(runner, sock).start()
        return runner

    def _answer(self, key: ObjectKey) -> web.Response:
        here = {
            endpoint.address
            for port in self._view.ports(key)
            for endpoint in port.local(self._node)
            if endpoint.is_ready
        }
        body = {
            "service": {"namespace": key.namespace, "name": key.name},
            "localEndpoints": len(here),
            "serviceProxyHealthy": True,
        }
        headers = {"X-Content-Type-Options": "nosniff", "X-Load-Balancing-Endpoint-Weight": str(len(here))}
        return web.json_response(body, status=200 if here else 503, headers=headers)
