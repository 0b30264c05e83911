"""An ingress proxy before backends that tests make, and what asks it raw."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ktui.engine.network.ingress.balancer import Target
from ktui.engine.network.ingress.proxy import IngressProxy
from ktui.engine.network.ingress.routes import Backend, Router
from ktui.kube.resource import Object

SECONDS = 10


class Backends:
    """Stands for the Services: names to where they listen."""

    def __init__(self) -> None:
        self.known: dict[str, list[Target]] = {}

    def targets(self, backend: Backend) -> tuple[Target, ...]:
        return tuple(self.known.get(backend.service.name, ()))

    def has_service(self, backend: Backend) -> bool:
        return backend.service.name in self.known


def ingress(
    host: str = "", path: str = "/", service: str = "web", *, tls: str = "", **annotations: str
) -> Object:
    names = {
        f"nginx.ingress.kubernetes.io/{name.replace('_', '-')}": value for name, value in annotations.items()
    }
    backend = {"service": {"name": service, "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}
    return {
        "metadata": {"name": f"{service}-{host}", "namespace": "default", "annotations": names},
        "spec": {"rules": [rule], "tls": [{"hosts": [host], "secretName": tls}] if tls else []},
    }


def bound() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


class Site:
    """A proxy before backends that tests make."""

    def __init__(self) -> None:
        self.backends = Backends()
        self.proxy = IngressProxy(self.backends)  # type: ignore[arg-type] - has what the proxy asks
        self._runners: list[Any] = []

    async def start(self) -> None:
        await self.proxy.listen(bound(), bound())
        self.proxy.router = Router([ingress()])

    async def serve(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], name: str = "web"
    ) -> None:
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        sock = bound()
        await web.SockSite(runner, sock).start()
        self._runners.append(runner)
        self.backends.known.setdefault(name, []).append(Target(*sock.getsockname()))

    async def serve_raw(
        self,
        handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        name: str = "web",
    ) -> None:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        self._runners.append(server)
        self.backends.known.setdefault(name, []).append(Target(*server.sockets[0].getsockname()))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.ports[0]}"

    async def raw(self, data: bytes, *, end: bool = True) -> bytes:
        """Send bytes and read until the proxy ends the connection, or for as long as something comes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.ports[0])
        writer.write(data)
        async with asyncio.timeout(SECONDS):
            answer = await reader.read() if end else await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return answer

    async def close(self) -> None:
        await self.proxy.close()
        for runner in self._runners:
            if isinstance(runner, web.AppRunner):
                await runner.cleanup()
            else:
                runner.close()


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": hashlib.sha256(body).hexdigest(),
            "length": len(body),
        }
    )
