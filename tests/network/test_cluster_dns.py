"""The cluster's DNS, asked by UDP and TCP as pods ask it."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.network.dns.server import DnsServer
from ktui.engine.network.dns.upstream import Server, Upstream
from ktui.engine.network.dns.zone import Zone
from ktui.engine.network.services import ServiceView
from ktui.engine.network.settings import NetworkSettings
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock, RealClock
from ktui.kube.kinds import ENDPOINT_SLICES, SERVICES
from ktui.kube.resource import ObjectKey

SETTINGS = NetworkSettings(
    engine="0a0a0a0a",
    node="this",
    host_address="127.0.0.1",
    gateway="127.0.0.1",
    pod_cidr="10.200.0.0/24",
    service_cidr="10.96.0.0/16",
)
SUFFIX = "default.svc.cluster.local."


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"name": "http", "port": 80}], "selector": {"app": name}, **spec},
    }


def slice_of(name: str, *endpoints: tuple[str, str, bool], suffix: str = "a") -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{suffix}",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": ready}, **({"hostname": host} if host else {})}
            for address, host, ready in endpoints
        ],
    }


class World:
    """A cluster in memory with its DNS server on a port of its own, and a resolver that stands for the outside."""

    def __init__(self, client: LocalClient, outside: Outside, resolv_conf: Path) -> None:
        self.client = client
        self.outside = outside
        informers = Informers(client)
        self.view = ServiceView(informers)
        self.zone = Zone(self.view, informers, SETTINGS)
        self.clock = FakeClock()
        self.upstream = Upstream(self.clock, Server(("127.0.0.1", 53)), resolv_conf)
        self.server = DnsServer(self.zone, self.upstream)
        self.view.on_change(self.server.forget)
        self._running = asyncio.create_task(informers.run())

    async def start(self) -> None:
        for name, spec in (
            ("web", {"clusterIP": "10.96.0.20"}),
            ("peers", {"clusterIP": "None"}),
            ("empty", {"clusterIP": "None"}),
            ("away", {"type": "ExternalName", "externalName": "example.test", "ports": []}),
            ("alias", {"type": "ExternalName", "externalName": f"web.{SUFFIX}"[:-1], "ports": []}),
            ("alias-2", {"type": "ExternalName", "externalName": f"alias.{SUFFIX}"[:-1], "ports": []}),
            ("away-2", {"type": "ExternalName", "externalName": f"away.{SUFFIX}"[:-1], "ports": []}),
            ("circle", {"type": "ExternalName", "externalName": f"circle.{SUFFIX}"[:-1], "ports": []}),
        ):
            await self.client.create(SERVICES, service(name, **spec), "default")
        await self.client.create(
            ENDPOINT_SLICES,
            slice_of(
                "peers", ("10.200.0.2", "peers-0", True), ("10.200.0.3", "", True), ("10.200.0.4", "", False)
            ),
            "default",
        )
        await self.zone.wait_synced()
        self.upstream.configure(
            [f"127.0.0.1:{self.outside.port}"], {"corp.test": [f"127.0.0.1:{self.outside.port}"]}
        )
        await self._listen()
        self.view.take_changes()

    async def _listen(self) -> None:
        """On a port that is free for UDP and TCP: what the one finds may be taken for the other."""
        for _ in range(10):
            with suppress(OSError):
                await self.server.start("127.0.0.1", 0)
                return
        raise AssertionError("no port is free")

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await self.view.wake.wait()
                self.view.take_changes()

    async def ask(
        self, name: str, kind: str = "A", *, tcp: bool = False, **query: Any
    ) -> dns.message.Message:
        message = dns.message.make_query(name, kind, **query)
        send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        return await send(message, "127.0.0.1", timeout=5, port=self.server.port)

    async def texts(self, name: str, kind: str = "A") -> list[str]:
        response = await self.ask(name, kind)
        return sorted(item.to_text() for rrset in response.answer for item in rrset)

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self.server.close()


class Outside:
    """A resolver on loopback that counts what it is asked; `answers` by name, everything else does not exist."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[str]] = {}
        self.authority: list[dns.rrset.RRset] = []
        self.port = 0

    async def start(self) -> asyncio.DatagramTransport:
        outside = self

        class Protocol(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                query = dns.message.from_wire(data)
                name = query.question[0].name.to_text()
                outside.asked.append(name)
                response = dns.message.make_response(query)
                if records := outside.answers.get(name):
                    response.answer.append(dns.rrset.from_text_list(name, 60, "IN", "A", records))
                else:
                    response.set_rcode(dns.rcode.NXDOMAIN)
                    response.authority.extend(outside.authority)
                self.transport.sendto(response.to_wire(), addr)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))
        self.port = transport.get_extra_info("sockname")[1]
        return transport


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = open_store(None)
    server = ApiServer(store, default_registry())
    await server.start()
    outside = Outside()
    outside.answers = {"example.test.": ["192.0.2.7"], "big.test.": [f"192.0.2.{n}" for n in range(1, 200)]}
    transport = await outside.start()
    made = World(LocalClient(server, "system:test"), outside, tmp_path / "resolv.conf")
    await made.start()
    yield made
    await made.close()
    transport.abort()
    await store.close()


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (f"web.{SUFFIX}", "A", ["10.96.0.20"]),
        (f"WEB.{SUFFIX}", "A", ["10.96.0.20"]),
        (f"peers.{SUFFIX}", "A", ["10.200.0.2", "10.200.0.3"]),
        (f"peers-0.peers.{SUFFIX}", "A", ["10.200.0.2"]),
        (f"10-200-0-3.peers.{SUFFIX}", "A", ["10.200.0.3"]),
        (f"_http._tcp.web.{SUFFIX}", "SRV", [f"0 100 80 web.{SUFFIX}"]),
        (
            f"_http._tcp.peers.{SUFFIX}",
            "SRV",
            [f"0 50 8080 10-200-0-3.peers.{SUFFIX}", f"0 50 8080 peers-0.peers.{SUFFIX}"],
        ),
        ("20.0.96.10.in-addr.arpa.", "PTR", [f"web.{SUFFIX}"]),
        ("2.0.200.10.in-addr.arpa.", "PTR", [f"peers-0.peers.{SUFFIX}"]),
        ("10-200-0-9.default.pod.cluster.local.", "A", ["10.200.0.9"]),
        ("dns-version.cluster.local.", "TXT", ['"1.1.0"']),
        (f"away.{SUFFIX}", "CNAME", ["example.test."]),
        (f"away.{SUFFIX}", "A", ["192.0.2.7", "example.test."]),
        (f"alias.{SUFFIX}", "A", ["10.96.0.20", f"web.{SUFFIX}"]),
        (f"alias-2.{SUFFIX}", "A", ["10.96.0.20", f"alias.{SUFFIX}", f"web.{SUFFIX}"]),
        (f"away-2.{SUFFIX}", "A", ["192.0.2.7", f"away.{SUFFIX}", "example.test."]),
        (f"circle.{SUFFIX}", "A", [f"circle.{SUFFIX}"]),
        ("3.0.200.10.in-addr.arpa.", "PTR", [f"10-200-0-3.peers.{SUFFIX}"]),
        ("cluster.local.", "NS", ["ns.dns.cluster.local."]),
        ("ns.dns.cluster.local.", "A", ["127.0.0.1"]),
        ("example.test.", "A", ["192.0.2.7"]),
    ],
)
async def test_names_have_the_records_of_the_specification(
    world: World, name: str, kind: str, expected: list[str]
) -> None:
    assert await world.texts(name, kind) == expected


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        (f"web.{SUFFIX}", "AAAA", dns.rcode.NOERROR),
        (f"_tcp.web.{SUFFIX}", "A", dns.rcode.NOERROR),
        ("default.svc.cluster.local.", "A", dns.rcode.NOERROR),
        ("svc.cluster.local.", "A", dns.rcode.NOERROR),
        ("cluster.local.", "A", dns.rcode.NOERROR),
        (f"nobody.{SUFFIX}", "A", dns.rcode.NXDOMAIN),
        (f"empty.{SUFFIX}", "A", dns.rcode.NXDOMAIN),
        (f"nobody.peers.{SUFFIX}", "A", dns.rcode.NXDOMAIN),
        (f"_nothing._tcp.web.{SUFFIX}", "SRV", dns.rcode.NXDOMAIN),
        ("web.elsewhere.svc.cluster.local.", "A", dns.rcode.NXDOMAIN),
        ("10-200-0-999.default.pod.cluster.local.", "A", dns.rcode.NXDOMAIN),
        ("9.9.96.10.in-addr.arpa.", "PTR", dns.rcode.NXDOMAIN),
        ("4.0.200.10.in-addr.arpa.", "PTR", dns.rcode.NXDOMAIN),
        (f"*.{SUFFIX}", "A", dns.rcode.NXDOMAIN),
        (f"*.peers.{SUFFIX}", "A", dns.rcode.NXDOMAIN),
        (f"web.{SUFFIX}", "MX", dns.rcode.NOERROR),
        ("web.cluster.local.", "A", dns.rcode.NXDOMAIN),
    ],
)
async def test_no_data_and_no_name_are_told_apart(
    world: World, name: str, kind: str, code: dns.rcode.Rcode
) -> None:
    response = await world.ask(name, kind)
    assert response.rcode() == code
    assert not response.answer
    assert response.flags & dns.flags.AA
    assert [rrset.rdtype for rrset in response.authority] == [dns.rdatatype.SOA]


async def test_a_change_is_answered_at_once(world: World) -> None:
    name = f"later.{SUFFIX}"
    assert (await world.ask(name)).rcode() == dns.rcode.NXDOMAIN
    await world.client.create(SERVICES, service("later", clusterIP="10.96.0.30"), "default")
    await world.until(lambda: world.view.service(ObjectKey("default", "later")) is not None)
    assert await world.texts(name) == ["10.96.0.30"]


async def test_what_is_too_long_for_a_datagram_is_cut_and_whole_by_tcp(world: World) -> None:
    many = [(f"10.200.1.{n}", "", True) for n in range(1, 100)]
    await world.client.create(SERVICES, service("many", clusterIP="None"), "default")
    await world.client.create(ENDPOINT_SLICES, slice_of("many", *many), "default")
    await world.until(lambda: len(world.view.slices(ObjectKey("default", "many"))) == 1)
    plain = await world.ask(f"many.{SUFFIX}")
    assert plain.flags & dns.flags.TC
    assert len(plain.to_wire()) <= 512
    extended = await world.ask(f"many.{SUFFIX}", use_edns=0, payload=4096)
    assert not extended.flags & dns.flags.TC
    assert extended.edns == 0
    whole = await world.ask(f"many.{SUFFIX}", tcp=True)
    assert len(whole.answer[0]) == len(many)


async def test_answers_from_outside_are_kept_for_their_time_and_get_older(world: World) -> None:
    assert (await world.ask("example.test.")).answer[0].ttl == 60
    await world.clock.advance(20)
    assert (await world.ask("example.test.")).answer[0].ttl == 40
    assert world.outside.asked == ["example.test."]
    await world.clock.advance(41)
    await world.ask("example.test.")
    assert world.outside.asked == ["example.test."] * 2


async def test_the_same_question_at_the_same_time_is_asked_once(world: World) -> None:
    await asyncio.gather(*(world.ask("example.test.") for _ in range(20)))
    assert world.outside.asked == ["example.test."]


async def test_names_of_the_cluster_are_never_asked_outside(world: World) -> None:
    for name in (f"nobody.{SUFFIX}", "x.cluster.local.", "1.0.96.10.in-addr.arpa."):
        await world.ask(name)
    assert world.outside.asked == []


async def test_a_resolver_that_sends_our_questions_back_is_left_alone(world: World) -> None:
    world.upstream.configure([f"127.0.0.1:{world.server.port}"], {})
    looking = asyncio.create_task(world.upstream.run())
    try:
        async with asyncio.timeout(5):
            while not world.clock.sleepers:
                await asyncio.sleep(0.01)
        assert (await world.ask("example.test.")).rcode() == dns.rcode.SERVFAIL
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def test_the_hosts_resolvers_are_read_again_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    upstream = Upstream(RealClock(), Server(("10.0.0.1", 53)), path)
    name = dns.name.from_text("example.test.")
    assert await upstream.ask(name, dns.rdatatype.A) is None
    outside = Outside()
    outside.answers = {"example.test.": ["192.0.2.9"]}
    transport = await outside.start()
    upstream.configure(None, {"test": [f"127.0.0.1:{outside.port}"]})
    response = await upstream.ask(name, dns.rdatatype.A)
    transport.abort()
    assert response is not None
    assert response.answer[0][0].to_text() == "192.0.2.9"


@pytest.mark.parametrize("data", [b"", b"\0" * 5, b"\xff" * 12, bytes(range(64)), b"\0\1\0\0" + b"\xff" * 30])
async def test_rubbish_gets_an_error_or_nothing_and_harms_nobody(world: World, data: bytes) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", world.server.port)
    )
    transport.sendto(data)
    assert await world.texts(f"web.{SUFFIX}") == ["10.96.0.20"]
    transport.abort()


async def test_service_records_have_a_weight_however_many_there_are(world: World) -> None:
    many = [(f"10.200.2.{n}", "", True) for n in range(1, 151)]
    await world.client.create(SERVICES, service("crowd", clusterIP="None"), "default")
    for part in range(2):
        piece = slice_of("crowd", *many[part * 75 : part * 75 + 75], suffix=str(part))
        await world.client.create(ENDPOINT_SLICES, piece, "default")
    await world.until(lambda: len(world.view.slices(ObjectKey("default", "crowd"))) == 2)
    response = await world.ask(f"_http._tcp.crowd.{SUFFIX}", "SRV", tcp=True)
    assert {record.weight for record in response.answer[0]} == {1}


async def test_a_no_is_kept_as_long_as_its_zone_says(world: World) -> None:
    """RFC 2308 5: the smaller of the SOA's time and its minimum."""
    soa = dns.rrset.from_text("test.", 3600, "IN", "SOA", "ns.test. root.test. 1 1 1 1 7")
    world.outside.authority = [soa]
    await world.ask("nobody.test.")
    await world.clock.advance(6)
    await world.ask("nobody.test.")
    assert world.outside.asked == ["nobody.test."]
    await world.clock.advance(2)
    await world.ask("nobody.test.")
    assert len(world.outside.asked) == 2


async def test_a_resolver_that_fails_is_passed_over(world: World) -> None:
    gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gone.bind(("127.0.0.1", 0))
    port = gone.getsockname()[1]
    gone.close()
    world.upstream.configure([f"127.0.0.1:{port}", f"127.0.0.1:{world.outside.port}"], {})
    assert await world.texts("example.test.") == ["192.0.2.7"]


async def test_a_stub_domain_with_a_name_for_a_server_is_refused_and_others_go_on(world: World) -> None:
    with pytest.raises(ValueError, match=r"ns\.corp\.test"):
        world.upstream.configure([], {"corp.test": ["ns.corp.test"]})
    world.upstream.configure([f"127.0.0.1:{world.outside.port}"], {"corp.test": ["::1", "[::1]:5353"]})
    assert await world.texts("example.test.") == ["192.0.2.7"]


async def test_a_flood_of_names_costs_little_memory(world: World) -> None:
    world.outside.authority = [
        dns.rrset.from_text("test.", 3600, "IN", "SOA", "ns.test. root.test. 1 1 1 1 600")
    ]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for start in range(0, 1000, 100):
        await asyncio.gather(*(world.ask(f"x{n}.test.") for n in range(start, start + 100)))
    world.outside.asked.clear()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / 1000 < 2000


async def test_long_questions_are_answered_and_not_kept(world: World) -> None:
    question = dns.message.make_query(f"web.{SUFFIX}", "A", id=1).to_wire()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", world.server.port))
        for n in range(3):
            await loop.sock_sendall(sock, question + bytes([n]) * 30_000)
            async with asyncio.timeout(5):
                assert b"\x0a\x60\x00\x14" in await loop.sock_recv(sock, 4096)
    assert sum(map(len, world.server._kept)) < 1000  # pyright: ignore[reportPrivateUsage] - the test looks inside


async def test_questions_on_one_connection_are_answered_in_their_order(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
    names = (f"web.{SUFFIX}", "example.test.", f"peers.{SUFFIX}")
    for number, name in enumerate(names):
        wire = dns.message.make_query(name, "A", id=number).to_wire()
        writer.write(struct.pack("!H", len(wire)) + wire)
    async with asyncio.timeout(5):
        for number in range(len(names)):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            response = dns.message.from_wire(await reader.readexactly(length))
            assert (response.id, len(response.answer)) == (number, 1)
    writer.close()
