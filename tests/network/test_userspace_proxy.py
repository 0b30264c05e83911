"""Node ports and Ingresses where the kernel can't be asked: relayed, through the node's way into pods."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.network.ingress.balancer import Balancer
from ktui.engine.network.ingress.ports import bound
from ktui.engine.network.ingress.proxy import IngressProxy
from ktui.engine.network.ingress.routes import Router
from ktui.engine.network.services import ServiceView
from ktui.engine.network.userspace.dialing import DialSocket, PodDialer
from ktui.engine.network.userspace.node_ports import LoopbackPorts
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import ENDPOINT_SLICES, PODS, SERVICES
from ktui.kube.resource import Object

SECONDS = 5


class Node:
    """A cluster in memory with a Service `web` before pods a and b; a dial leads to servers of the test."""

    def __init__(self, client: LocalClient) -> None:
        self.client = client
        self.servers: dict[str, asyncio.Server] = {}
        self.down: set[str] = set()
        self.informers = Informers(client)
        self.view = ServiceView(self.informers)
        self.dialer = PodDialer(client, self.dial)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = 30000 + free.getsockname()[1] % 2700

    async def start(self) -> None:
        for name in ("a", "b"):
            spec = {"containers": [{"name": "c", "image": "x"}], "automountServiceAccountToken": False}
            await self.client.create(PODS, {"metadata": {"name": name}, "spec": spec}, "default")

            async def answer(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str = name
            ) -> None:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n" + name.encode()
                )
                writer.close()

            self.servers[name] = await asyncio.start_server(answer, "127.0.0.1", 0)
        ports = [{"name": "http", "port": 80, "nodePort": self.port}]
        service = {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "ports": ports}}
        await self.client.create(SERVICES, service, "default")
        endpoints = [
            {"addresses": ["10.0.2.100"], "targetRef": {"kind": "Pod", "namespace": "default", "name": name}}
            for name in self.servers
        ]
        labels = {"kubernetes.io/service-name": "web"}
        piece: dict[str, Any] = {
            "metadata": {"name": "web-a", "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": endpoints,
        }
        await self.client.create(ENDPOINT_SLICES, piece, "default")

    async def dial(self, pod: Object, port: int) -> tuple[object, object]:
        assert port == 8080
        name = pod["metadata"]["name"]
        if name in self.down:
            raise ConnectionRefusedError(name)
        return await asyncio.open_connection(*self.servers[name].sockets[0].getsockname())

    async def answers(self, port: int) -> set[str]:
        async with aiohttp.ClientSession() as http:
            seen: set[str] = set()
            for _ in range(6):
                async with http.get(f"http://127.0.0.1:{port}/") as response:
                    seen.add(await response.text())
            return seen


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    store = open_store(None)
    server = ApiServer(store, default_registry())
    await server.start()
    made = Node(LocalClient(server, "system:test"))
    await made.start()
    running = asyncio.create_task(made.informers.run())
    await made.view.wait_synced()
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for each in made.servers.values():
        each.close()
    await store.close()


@pytest.fixture
async def relayed(node: Node) -> AsyncIterator[Node]:
    relaying = asyncio.create_task(LoopbackPorts(node.view, node.dialer, FakeClock()).run())
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", node.port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                break
    yield node
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)


async def test_a_node_port_leads_to_all_pods(relayed: Node) -> None:
    assert await relayed.answers(relayed.port) == {"a", "b"}


async def test_a_pod_that_is_not_reached_is_passed_over(relayed: Node) -> None:
    relayed.down.add("a")
    assert await relayed.answers(relayed.port) == {"b"}


async def test_where_no_pod_is_reached_the_connection_is_reset(relayed: Node) -> None:
    relayed.down |= {"a", "b"}
    with pytest.raises(aiohttp.ClientConnectionError):
        await relayed.answers(relayed.port)


async def test_an_ingress_reaches_pods_through_the_node(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "dial.sock"
    dialing = asyncio.create_task(DialSocket(node.dialer, path).run())
    proxy = IngressProxy(Balancer(node.view, through_node=True), str(path))
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    proxy.router = Router([{"metadata": {"name": "i", "namespace": "default"}, "spec": {"rules": [rule]}}])
    await proxy.listen(bound([0]), bound([0]))
    async with asyncio.timeout(SECONDS):
        while not path.exists() or path.stat().st_mode & 0o777 != 0o600:
            await asyncio.sleep(0.01)
    assert await node.answers(proxy.ports[0]) == {"a", "b"}
    node.down.add("b")
    assert await node.answers(proxy.ports[0]) == {"a"}
    dialing.cancel()
    await asyncio.gather(dialing, return_exceptions=True)
    await proxy.close()
