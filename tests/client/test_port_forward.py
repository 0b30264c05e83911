"""Forwards through a served API to a pod that echoes: which pod and port is meant, what happens when it goes."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from ktui.client.base import Client
from ktui.client.forward_ports import PortError, PortPair, container_port, offered, own_number, parse_pair
from ktui.client.http import HttpClient
from ktui.client.port_forward import Forward, ForwardError, ListenError, State, Target
from ktui.engine.api.http.front import HttpFront
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.clock import RealClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS, SERVICES
from ktui.kube.resource import Object

SECONDS = 10


class EchoNode:
    """A node whose pods answer, once the asker has sent everything, with their name and what was sent."""

    def __init__(self) -> None:
        self.closed: set[int] = set()
        self.dialled: list[tuple[str, int]] = []

    async def dial(self, pod: Object, port: int) -> tuple[object, object]:
        name = pod["metadata"]["name"]
        self.dialled.append((name, port))
        if port in self.closed:
            raise ConnectionRefusedError("refused")
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=theirs)

        async def answer() -> None:
            sent = await reader.read()
            writer.write(name.encode() + b" got " + sent)
            writer.close()

        self.task = asyncio.create_task(answer())
        return await asyncio.open_connection(sock=ours)


class World:
    """A cluster that is served on a socket, and the client that forwards."""

    def __init__(self, local: LocalClient, client: Client, node: EchoNode) -> None:
        self.local, self.client, self.node = local, client, node
        self.news: list[str] = []

    def forward(self, kind: Any, name: str, pair: str, *addresses: str) -> Forward:
        target = Target(kind, "default", name)
        return Forward(
            self.client,
            target,
            parse_pair(pair),
            addresses or ("127.0.0.1",),
            on_news=self.news.append,
        )

    async def pod(self, name: str, phase: str = "Running", *, ready: bool = True) -> None:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"nodeName": "node-1", "containers": [container()], "terminationGracePeriodSeconds": 0},
        }
        made = await self.local.create(PODS, pod, "default")
        conditions = [{"type": "Ready", "status": str(ready)}]
        status = {"phase": phase, "conditions": conditions}
        await self.local.update(PODS, {**made, "status": status}, subresource="status")

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not holds():
                await asyncio.sleep(0.01)


def container() -> Object:
    return {
        "name": "main",
        "image": "i",
        "ports": [{"name": "http", "containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}],
    }


def service(**spec: Any) -> Object:
    port = {"name": "web", "port": 80, "targetPort": "http"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [port], **spec},
    }


@pytest.fixture(params=["http", "local"])
async def world(request: Any) -> AsyncIterator[World]:
    store = open_store(None, clock=RealClock())
    server = ApiServer(store, default_registry(), RealClock())
    await server.start()
    node = EchoNode()
    server.register_node("node-1", cast(Any, node))
    local = LocalClient(server, "alice")
    front = HttpFront(server)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "api.sock"
        await front.listen(path)
        client = HttpClient.over_unix_socket(path) if request.param == "http" else local
        yield World(local, client, node)
        await client.close()
        await front.close()
    await store.close()


async def ask(port: int, text: bytes, address: str = "127.0.0.1") -> bytes:
    """Send everything, say so, and only then read: what a forward must carry over."""
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(text)
            writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""  # It was not taken at all.
        finally:
            writer.close()


@asynccontextmanager
async def started(forward: Forward) -> AsyncIterator[Forward]:
    await forward.start()
    try:
        yield forward
    finally:
        await forward.stop()


async def test_a_service_s_port_leads_to_a_named_port_of_a_ready_pod(world: World) -> None:
    await world.pod("a", ready=False)
    await world.pod("b")
    await world.local.create(SERVICES, service(), "default")
    async with started(world.forward(SERVICES, "web", ":80")) as forward:
        assert (forward.state, forward.pod, forward.remote) == (State.ACTIVE, "b", 8080)
        large = b"x" * 300_000
        assert await ask(forward.local, large) == b"b got " + large
        assert await ask(forward.local, b"again") == b"b got again"
        await world.until(lambda: forward.figures.open == 0)
        assert (forward.figures.total, forward.figures.sent) == (2, 300_005)
        assert forward.figures.received == 300_017
        assert set(world.node.dialled) == {("b", 8080)}
    assert forward.state is State.STOPPED
    with pytest.raises(OSError):
        await ask(forward.local, b"")
    assert world.news == []


async def test_it_goes_on_with_another_pod_and_waits_while_there_is_none(world: World) -> None:
    await world.pod("a")
    await world.local.create(SERVICES, service(), "default")
    async with started(world.forward(SERVICES, "web", ":80")) as forward:
        await world.pod("b")
        where = f"service/web on port {forward.local}"
        await world.local.delete(PODS, "a", "default")
        await world.until(lambda: forward.pod == "b")
        assert await ask(forward.local, b"hi") == b"b got hi"
        await world.local.delete(PODS, "b", "default")
        await world.until(lambda: forward.state is State.WAITING)
        assert await ask(forward.local, b"hi") == b""
        assert forward.problem == "service/web has no pods"
        await world.pod("c")
        await world.until(lambda: forward.state is State.ACTIVE)
        assert await ask(forward.local, b"hi") == b"c got hi"
        await world.until(lambda: forward.problem == "")
        assert world.news == [
            f"{where}: a has gone; now forwarding to b",
            f"{where}: b has gone; waiting for a pod that runs",
            f"{where}: service/web has no pods",
            f"{where}: now forwarding to c",
        ]


async def test_a_port_that_nothing_answers_on_is_told_once_and_the_forward_stays(world: World) -> None:
    await world.pod("a")
    world.node.closed = {81}
    async with started(world.forward(PODS, "a", ":81")) as forward:
        assert await ask(forward.local, b"x") == b""
        assert await ask(forward.local, b"x") == b""
        await world.until(lambda: forward.figures.open == 0)
        reason = "dial tcp localhost:81: connect: connection refused"
        assert world.news == [
            f"pod/a on port {forward.local}: error forwarding port 81 to pod default/a: {reason}"
        ]
        assert forward.state is State.ACTIVE


async def test_who_hangs_up_early_is_no_fault_of_the_pod(world: World) -> None:
    await world.pod("a")
    async with started(world.forward(PODS, "a", ":http")) as forward:
        _, writer = await asyncio.open_connection("127.0.0.1", forward.local)
        writer.write(b"x")
        await world.until(lambda: forward.figures.sent == 1)
        writer.transport.abort()
        await world.until(lambda: forward.figures.open == 0)
        assert (forward.problem, world.news) == ("", [])


async def test_stopping_ends_what_is_open(world: World) -> None:
    await world.pod("a")
    async with started(world.forward(PODS, "a", ":http")) as forward:
        reader, writer = await asyncio.open_connection("127.0.0.1", forward.local)
        await world.until(lambda: bool(world.node.dialled))
        async with asyncio.timeout(SECONDS):
            await forward.stop()
            assert await reader.read() == b""
        writer.close()


async def test_why_a_forward_can_not_start(world: World) -> None:
    await world.pod("a", "Pending")
    await world.local.create(SERVICES, service(), "default")
    outside = {**service(selector=None), "metadata": {"name": "outside"}}
    await world.local.create(SERVICES, outside, "default")
    with pytest.raises(ForwardError, match=r"no pod of service/web is running: a is Pending"):
        await world.forward(SERVICES, "web", "80").start()
    with pytest.raises(ForwardError, match=r"pod is not running\. Current status=Pending"):
        await world.forward(PODS, "a", "80").start()
    with pytest.raises(
        ForwardError, match="invalid service 'outside': Service is defined without a selector"
    ):
        await world.forward(SERVICES, "outside", "80").start()
    with pytest.raises(StatusError, match='pods "none" not found'):
        await world.forward(PODS, "none", "80").start()
    await world.pod("b")
    with pytest.raises(ForwardError, match="host is not a valid IP"):
        await world.forward(PODS, "b", ":80", "host").start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"{port} is taken by another program"):
            await world.forward(PODS, "b", f"{port}:80").start()


async def test_a_pod_that_comes_in_time_is_waited_for(world: World) -> None:
    await world.local.create(SERVICES, service(), "default")
    forward = world.forward(SERVICES, "web", ":80")
    starting = asyncio.create_task(forward.start(SECONDS))
    await asyncio.sleep(0.05)
    await world.pod("late")
    await starting
    assert forward.pod == "late"
    await forward.stop()


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("80", PortPair(None, "80")),
        ("8080:80", PortPair(8080, "80")),
        (":80", PortPair(0, "80")),
        ("0:http", PortPair(0, "http")),
        ("http", PortPair(None, "http")),
    ],
)
def test_a_pair_as_it_is_written(text: str, pair: PortPair) -> None:
    assert parse_pair(text) == pair


@pytest.mark.parametrize(
    "text", ["", ":", "80:", "1:2:3", "x:80", "70000:80", "0", "70000", "80 81", "-1:80"]
)
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(PortError):
        parse_pair(text)


def test_what_a_port_of_a_service_comes_to() -> None:
    pod: Object = {"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container()]}}
    assert container_port(service(), pod, "80") == container_port(service(), pod, "web") == 8080
    assert container_port(service(ports=[{"port": 80, "targetPort": 81}]), pod, "80") == 81
    assert container_port(service(clusterIPs=["None"]), pod, "80") == 80
    assert (own_number(service(), pod, "web"), own_number(pod, pod, "http")) == (80, 8080)
    assert [str(pair) for pair in offered(service(), pod)] == ["8080:80"]
    assert [str(pair) for pair in offered(pod, pod)] == ["8080:8080"]
    for obj, remote, reason in (
        (service(), "81", "Service web does not have a service port 81"),
        (service(), "x", "Service 'web' does not have a named port 'x'"),
        (service(ports=[{"port": 80, "targetPort": "x"}]), "80", "Pod 'a' does not have a named port 'x'"),
        (service(ports=[{"port": 53, "protocol": "UDP"}]), "53", "UDP protocol is not supported for 53"),
        (pod, "x", "Pod 'a' does not have a named port 'x'"),
    ):
        with pytest.raises(PortError, match=reason):
            container_port(obj, pod, remote)
