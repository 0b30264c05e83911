"""What the proxies see of Services and EndpointSlices, from a cluster in memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.network.ingress.balancer import Balancer, Target
from ktui.engine.network.ingress.routes import Backend
from ktui.engine.network.proxy.connections import read_flows, stale_flows
from ktui.engine.network.proxy.health_ports import HealthPorts
from ktui.engine.network.proxy.rules import age, service_rules
from ktui.engine.network.ruleset import merge
from ktui.engine.network.services import Endpoint, ServicePort, ServiceView
from ktui.engine.network.settings import NetworkSettings
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.kinds import ENDPOINT_SLICES, SERVICES
from ktui.kube.resource import ObjectKey

WEB = ObjectKey("default", "web")


class World:
    """A cluster in memory and the view of its Services."""

    def __init__(self, client: LocalClient) -> None:
        self.client = client
        self.informers = Informers(client)
        self.view = ServiceView(self.informers)

    async def service(self, **spec: Any) -> None:
        await self.client.create(
            SERVICES,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"ports": [{"name": "http", "port": 80}], "clusterIP": "10.96.0.20", **spec},
            },
            "default",
        )

    async def slice(self, *endpoints: dict[str, Any], name: str = "web-a", **fields: Any) -> None:
        await self.client.create(
            ENDPOINT_SLICES,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": name,
                    "namespace": "default",
                    "labels": {"kubernetes.io/service-name": "web"},
                },
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8080}],
                "endpoints": list(endpoints),
                **fields,
            },
            "default",
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await self.view.wake.wait()
                self.view.take_changes()

    async def port(self, check: Callable[[ServicePort], bool] = lambda _: True) -> ServicePort:
        await self.until(lambda: any(check(port) for port in self.view.ports(WEB)))
        return self.view.ports(WEB)[0]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    store = open_store(None)
    server = ApiServer(store, default_registry())
    await server.start()
    made = World(LocalClient(server, "system:test"))
    running = asyncio.create_task(made.informers.run())
    await made.view.wait_synced()
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()


def endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": "this", "conditions": conditions}


async def test_ready_endpoints_of_all_slices_get_the_traffic(world: World) -> None:
    await world.service()
    await world.slice(endpoint("10.1.0.1", ready=True), endpoint("10.1.0.2", ready=False))
    await world.slice(endpoint("10.1.0.3"), name="web-b")
    port = await world.port(lambda port: len(port.endpoints) == 2)
    assert port.endpoints == (Endpoint("10.1.0.1", 8080, "this"), Endpoint("10.1.0.3", 8080, "this"))


async def test_those_that_end_serve_only_when_no_other_does(world: World) -> None:
    await world.service()
    ending = endpoint("10.1.0.1", ready=False, serving=True, terminating=True)
    await world.slice(ending)
    port = await world.port(lambda port: bool(port.endpoints))
    assert port.endpoints == (Endpoint("10.1.0.1", 8080, "this", is_ready=False),)
    await world.slice(endpoint("10.1.0.2", ready=True), name="web-b")
    port = await world.port(lambda port: port.endpoints[0].is_ready)
    assert [each.address for each in port.endpoints] == ["10.1.0.2"]


@pytest.mark.parametrize(
    "fields",
    [{"ports": [{"name": "other", "port": 1}]}, {"ports": [{"name": "http", "port": 1, "protocol": "UDP"}]}],
)
async def test_slices_of_another_port_or_protocol_are_not_its_own(
    world: World, fields: dict[str, Any]
) -> None:
    await world.service()
    await world.slice(endpoint("10.1.0.1"), **fields)
    await world.until(lambda: bool(world.view.slices(WEB)))
    assert (await world.port()).endpoints == ()


@pytest.mark.parametrize(
    "spec", [{"clusterIP": "None"}, {"type": "ExternalName", "externalName": "x.test", "clusterIP": ""}]
)
async def test_services_without_an_address_are_not_proxied(world: World, spec: dict[str, Any]) -> None:
    await world.service(**spec)
    await world.until(lambda: world.view.service(WEB) is not None)
    assert world.view.ports(WEB) == ()


async def test_the_ingress_goes_to_the_pods_themselves_headless_or_external_too(world: World) -> None:
    balancer = Balancer(world.view)
    assert balancer.targets(Backend(WEB, 80)) == ()
    assert not balancer.has_service(Backend(WEB, 80))
    await world.service(clusterIP="None")
    await world.slice(endpoint("10.1.0.1"), endpoint("10.1.0.2"))
    await world.until(lambda: bool(world.view.slices(WEB)) and world.view.service(WEB) is not None)
    for port in (80, "http"):
        firsts = {balancer.targets(Backend(WEB, port))[0] for _ in range(4)}
        assert firsts == {Target("10.1.0.1", 8080), Target("10.1.0.2", 8080)}
    assert balancer.targets(Backend(WEB, 81)) == ()


async def test_load_balancers_outside_are_told_whether_the_node_has_endpoints(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = 30000 + free.getsockname()[1] % 2700
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": number}
    await world.service(**spec)
    await world.until(lambda: world.view.service(WEB) is not None)
    ports = HealthPorts(world.view, "this", FakeClock())
    running = asyncio.create_task(ports.run())

    async def asked() -> tuple[int, int]:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{number}/healthz") as response,
        ):
            return response.status, (await response.json())["localEndpoints"]

    async with asyncio.timeout(5):
        while True:
            try:
                assert await asked() == (503, 0)
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)
    await world.slice(endpoint("10.1.0.1"), {**endpoint("10.1.0.2"), "nodeName": "other"})
    await world.port(lambda port: bool(port.endpoints))
    assert await asked() == (200, 1)
    # Another proxy's from now on, which opens the port itself.
    labels = {"service.kubernetes.io/service-proxy-name": "other"}
    await world.client.patch(SERVICES, "web", {"metadata": {"labels": labels}}, "default")
    async with asyncio.timeout(5):
        with pytest.raises(aiohttp.ClientConnectionError):
            while await asked():
                await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_udp_flows_are_forgotten_that_lead_where_their_service_does_not() -> None:
    listing = """
udp 17 9 src=10.1.0.9 dst=10.96.0.9 sport=5 dport=53 src=10.1.0.1 dst=10.1.0.9 sport=53 dport=5 mark=0 use=1
udp 17 9 src=10.1.0.9 dst=10.96.0.9 sport=6 dport=53 src=10.1.0.2 dst=10.1.0.9 sport=53 dport=6 mark=0 use=1
udp 17 9 src=10.1.0.9 dst=10.96.0.9 sport=7 dport=53 [UNREPLIED] src=10.96.0.9 dst=10.1.0.9 sport=53 dport=7
udp 17 9 src=10.1.0.9 dst=192.0.2.1 sport=6 dport=30053 src=10.1.0.2 dst=192.0.2.1 sport=53 dport=6 [ASSURED]
udp 17 9 src=10.1.0.9 dst=198.51.100.1 sport=6 dport=30053 src=198.51.100.1 dst=10.1.0.9 sport=30053 dport=6
udp 17 9 src=10.1.0.9 dst=10.96.0.8 sport=6 dport=53 src=10.1.0.2 dst=10.1.0.9 sport=53 dport=6
"""
    flows = list(read_flows(listing))
    assert len(flows) == 6
    port = ServicePort(
        service=WEB, name="", protocol="udp", port=53, cluster_ips=("10.96.0.9",), node_port=30053
    )
    both, one = (
        replace(port, endpoints=tuple(Endpoint(f"10.1.0.{n}", 53) for n in numbers))
        for numbers in ((1, 2), (1,))
    )

    def stale(old: list[ServicePort], new: list[ServicePort]) -> set[tuple[str, str]]:
        return {(flow.address, flow.endpoint) for flow in stale_flows(flows, old, new, ["192.0.2.1"])}

    untranslated = ("10.96.0.9", "10.96.0.9")
    second = {("10.96.0.9", "10.1.0.2"), ("192.0.2.1", "10.1.0.2")}
    assert stale([both], [both]) == {untranslated}
    assert stale([both], [one]) == stale([], [one]) == {untranslated, *second}
    assert stale([both], []) == {untranslated, *second, ("10.96.0.9", "10.1.0.1")}
    moved = replace(both, node_port=30054)
    assert stale([both], [moved]) == {untranslated, ("192.0.2.1", "10.1.0.2")}


async def test_addresses_of_the_other_family_are_not_served_and_harm_nobody(world: World) -> None:
    await world.service(
        type="LoadBalancer",
        externalIPs=["192.0.2.1", "2001:db8::1"],
        loadBalancerSourceRanges=["2001:db8::/32"],
    )
    service = await world.client.get(SERVICES, "web", "default")
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}, {"ip": "2001:db8::2"}]}}
    await world.client.update(SERVICES, {**service, "status": status}, subresource="status")
    port = await world.port(lambda port: bool(port.load_balancer_ips))
    assert (port.external_ips, port.load_balancer_ips) == (("192.0.2.1",), ("192.0.2.2",))
    assert (port.source_ranges, port.is_closed) == ((), True)


async def test_a_node_keeps_to_its_own_endpoints_though_they_end(world: World) -> None:
    await world.service(type="NodePort", externalTrafficPolicy="Local")
    ending = endpoint("10.1.0.1", ready=False, serving=True, terminating=True)
    await world.slice(ending, {**endpoint("10.1.0.2", ready=True), "nodeName": "other"})
    port = await world.port(lambda port: bool(port.endpoints))
    assert [each.address for each in port.endpoints] == ["10.1.0.2"]
    assert [each.address for each in port.local("this")] == ["10.1.0.1"]


def test_an_address_that_two_services_claim_stays_the_older_ones() -> None:
    settings = NetworkSettings(
        engine="0a0a0a0a",
        node="this",
        host_address="192.0.2.9",
        pod_cidr="10.1.0.0/24",
        service_cidr="10.96.0.0/16",
    )
    port = ServicePort(
        service=WEB,
        name="",
        protocol="tcp",
        port=80,
        external_ips=("192.0.2.1",),
        endpoints=(Endpoint("10.1.0.1", 1),),
    )
    younger = replace(port, service=ObjectKey("default", "a"), created="2026-01-02")
    older = replace(port, created="2026-01-01")
    rules = merge(service_rules(each, settings) for each in sorted([younger, older], key=age))
    assert rules.elements["service-ips", "192.0.2.1 . tcp . 80"] == "goto service/default/web/tcp/80"
