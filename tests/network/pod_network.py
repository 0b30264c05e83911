"""Pods as network namespaces on an engine's bridge: what the data plane sees, without containers.

Sockets are made inside a namespace by a thread that enters it, and used from the test's own loop.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ktui.engine.network.nft import nft, remove_table
from ktui.engine.network.proxy.links import allow_hairpins, ensure_links, remove_links
from ktui.engine.network.proxy.rules import base_rules, service_rules
from ktui.engine.network.ruleset import creation, merge
from ktui.engine.network.services import Endpoint, ServicePort
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.resource import ObjectKey

T = TypeVar("T")
SECONDS = 5.0
_CLONE_NEWNET = 0x40000000


def ip(*arguments: str) -> str:
    return subprocess.run(("ip", *arguments), check=True, capture_output=True, text=True).stdout


class Pod:
    """A namespace with one address on the bridge."""

    def __init__(self, settings: NetworkSettings, address: str) -> None:
        self.address = address
        self.name = f"{settings.bridge}-{address.rpartition('.')[2]}"
        self._servers: list[asyncio.Server] = []
        self._transports: list[asyncio.DatagramTransport] = []
        link = f"v{settings.engine}{address.rpartition('.')[2]}"
        ip("netns", "add", self.name)
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", link, "master", settings.bridge, "up")
        ip("-n", self.name, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "route", "add", "default", "via", settings.gateway)

    def inside(self, make: Callable[[], T]) -> T:
        """Call `make` in the namespace; a socket made there stays there."""

        def enter() -> T:
            descriptor = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(descriptor)
            return make()

        # The thread has entered the namespace for good: it serves nobody else.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(enter).result()

    async def serve(self, port: int) -> None:
        """Answer every connection with who serves and who asks."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(f"{self.address} {writer.get_extra_info('peername')[0]}".encode())
            await writer.drain()
            writer.close()

        listening = self.inside(lambda: socket.create_server(("0.0.0.0", port)))
        self._servers.append(await asyncio.start_server(answer, sock=listening))

    async def serve_udp(self, port: int) -> None:
        def bound() -> socket.socket:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("0.0.0.0", port))
            sock.setblocking(False)
            return sock

        class Answer(asyncio.DatagramProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport

            def datagram_received(answering, data: bytes, addr: tuple[str, int]) -> None:  # noqa: N805 - the outer self is used too
                answering.transport.sendto(f"{self.address} {addr[0]}".encode(), addr)  # type: ignore[attr-defined] - set when it is connected

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Answer, sock=self.inside(bound))
        self._transports.append(transport)

    def close(self) -> None:
        for server in self._servers:
            server.close()
        for transport in self._transports:
            transport.abort()
        with suppress(subprocess.CalledProcessError):
            ip("netns", "delete", self.name)


class Outsider(Pod):
    """A machine beside this one: a namespace with a link of its own to the host."""

    def __init__(self, settings: NetworkSettings) -> None:
        base = settings.host_address.rpartition(".")[0]
        self.gateway, self.address = f"{base}.1", f"{base}.2"
        self.name = f"{settings.bridge}-out"
        self._servers, self._transports = [], []
        link = f"v{settings.engine}out"
        ip("netns", "add", self.name)
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("address", "add", f"{self.gateway}/24", "dev", link)
        ip("link", "set", link, "up")
        ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        ip("-n", self.name, "route", "add", "default", "via", self.gateway)


class PodNetwork:
    """An engine's network on this host, under a name and addresses of its own."""

    def __init__(self) -> None:
        number = secrets.randbelow(200)
        self.settings = NetworkSettings(
            engine=secrets.token_hex(4),
            node="this",
            host_address=f"10.99.{number}.1",
            bridge="",
            gateway=f"10.98.{number}.1",
            pod_cidr=f"10.98.{number}.0/24",
            service_cidr=f"10.97.{number}.0/24",
            filters_bridged=Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text().strip() == "1",
        )
        self.settings = _with(self.settings, bridge=f"ktui{self.settings.engine}")
        self.pods: list[Pod] = []

    async def start(self) -> None:
        await ensure_links(self.settings)

    async def stop(self) -> None:
        for pod in self.pods:
            pod.close()
        await remove_table(self.settings.table)
        await remove_links(self.settings)

    def pod(self) -> Pod:
        base = self.settings.pod_cidr.rpartition(".")[0]
        pod = Pod(self.settings, f"{base}.{len(self.pods) + 2}")
        self.pods.append(pod)
        return pod

    def outsider(self) -> Outsider:
        made = Outsider(self.settings)
        self.pods.append(made)
        return made

    def vip(self, number: int) -> str:
        return f"{self.settings.service_cidr.rpartition('.')[0]}.{number}"

    def port(self, *pods: Pod, name: str = "web", vip: int = 10, **more: object) -> ServicePort:
        fields: dict[str, object] = {
            "protocol": "tcp",
            "port": 80,
            "cluster_ips": (self.vip(vip),),
            "endpoints": tuple(Endpoint(pod.address, 8080, "this") for pod in pods),
        }
        return ServicePort(service=ObjectKey("default", name), name="", **{**fields, **more})  # type: ignore[arg-type] - a stand-in with what is asked of it

    async def apply(self, *ports: ServicePort) -> None:
        rules = merge(service_rules(port, self.settings) for port in ports)
        await nft(creation(self.settings.table, base_rules(self.settings), rules))
        allow_hairpins(self.settings.bridge)


def _with(settings: NetworkSettings, **changes: str) -> NetworkSettings:
    import msgspec

    return msgspec.structs.replace(settings, **changes)


async def ask(address: str, port: int, source: Pod | None = None) -> tuple[str, str]:
    """Who answered, and whom they saw; from a pod or from the host."""
    sock = source.inside(socket.socket) if source else socket.socket()
    with sock:
        sock.setblocking(False)
        async with asyncio.timeout(SECONDS):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
            answer = await asyncio.get_running_loop().sock_recv(sock, 100)
    served, _, seen = answer.decode().partition(" ")
    return served, seen
