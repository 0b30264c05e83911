"""Cluster IPs and node ports: what a Service gets, what is refused, and that nothing leaks or is given twice."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.client.base import PatchType, WriteOptions
from ktui.engine.api.allocation.families import node_ports_of
from ktui.engine.api.allocation.service_range import free_service_range
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import SERVICE_CIDRS, SERVICES
from ktui.kube.resource import Object

SMALL = "10.96.0.0/28"
"""14 addresses."""


async def opened(store: Any, network: str = "10.96.0.0/16") -> LocalClient:
    server = ApiServer(store, default_registry(), FakeClock(), service_range=network)
    await server.start()
    return LocalClient(server, "alice", manager="kubectl")


@pytest.fixture
async def store(clock: FakeClock):
    store = open_store(None, clock=clock)
    yield store
    await store.close()


@pytest.fixture
async def client(store: Any):
    return await opened(store)


def service(name: str = "web", **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}


def node_port(name: str = "web", number: int | None = None, **spec: Any) -> Object:
    port = {"port": 80} if number is None else {"port": 80, "nodePort": number}
    return service(name, type="NodePort", ports=[port], **spec)


async def refused(work: Any) -> str:
    with pytest.raises(StatusError) as error:
        await work
    return str(error.value)


async def patched(client: LocalClient, name: str, spec: Object) -> Object:
    return await client.patch(SERVICES, name, {"spec": spec}, "default", patch_type=PatchType.MERGE)


async def test_a_service_gets_an_address_of_the_network(client: LocalClient):
    spec = (await client.create(SERVICES, service()))["spec"]
    assert ipaddress.ip_address(spec["clusterIP"]) in ipaddress.ip_network("10.96.0.0/16")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert "nodePort" not in spec["ports"][0]


async def test_addresses_are_picked_from_the_upper_part(client: LocalClient):
    for number in range(20):
        spec = (await client.create(SERVICES, service(f"s{number}")))["spec"]
        assert ipaddress.ip_address(spec["clusterIP"]) > ipaddress.ip_address("10.96.1.0")
        port = (await client.create(SERVICES, node_port(f"n{number}")))["spec"]["ports"][0]["nodePort"]
        assert 30086 < port <= 32767


async def test_asked_for_addresses_are_given_once(client: LocalClient):
    assert (await client.create(SERVICES, service("a", clusterIP="10.96.0.10")))["spec"]["clusterIP"]
    message = await refused(client.create(SERVICES, service("b", clusterIP="10.96.0.10")))
    assert message == (
        'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: '
        "provided IP is already allocated"
    )
    message = await refused(client.create(SERVICES, service("b", clusterIP="10.97.0.1")))
    assert (
        "the provided IP (10.97.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16"
        in message
    )
    for reserved in ("10.96.0.0", "10.96.255.255"):
        assert "not in the valid range" in await refused(
            client.create(SERVICES, service("b", clusterIP=reserved))
        )
    await client.delete(SERVICES, "a", "default")
    assert await client.create(SERVICES, service("b", clusterIP="10.96.0.10"))


async def test_asked_for_ports_are_given_once(client: LocalClient):
    await client.create(SERVICES, node_port("a", 30080))
    assert await refused(client.create(SERVICES, node_port("b", 30080))) == (
        'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated'
    )
    assert await refused(client.create(SERVICES, node_port("b", 80))) == (
        'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. '
        "The range of valid ports is 30000-32767"
    )
    await client.delete(SERVICES, "a", "default")
    await client.create(SERVICES, node_port("b", 30080))


async def test_tcp_and_udp_of_one_port_share_a_node_port(client: LocalClient):
    ports = [
        {"name": "t", "port": 53},
        {"name": "u", "port": 53, "protocol": "UDP"},
        {"name": "m", "port": 9153},
    ]
    made = (await client.create(SERVICES, service(type="NodePort", ports=ports)))["spec"]["ports"]
    assert made[0]["nodePort"] == made[1]["nodePort"] != made[2]["nodePort"]


async def test_a_load_balancer_with_local_traffic_gets_a_port_for_health_checks(client: LocalClient):
    spec = (await client.create(SERVICES, service(type="LoadBalancer", externalTrafficPolicy="Local")))[
        "spec"
    ]
    assert spec["healthCheckNodePort"] not in (0, spec["ports"][0]["nodePort"])
    message = await refused(
        client.create(
            SERVICES,
            service(
                "b",
                type="LoadBalancer",
                externalTrafficPolicy="Local",
                healthCheckNodePort=spec["healthCheckNodePort"],
            ),
        )
    )
    assert (
        f"failed to allocate requested HealthCheck NodePort {spec['healthCheckNodePort']}: provided"
        in message
    )
    none = service("c", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "nodePort" not in (await client.create(SERVICES, none))["spec"]["ports"][0]


async def test_headless_and_external_services_get_no_address(client: LocalClient):
    spec = (await client.create(SERVICES, service(clusterIP="None", selector={"app": "web"})))["spec"]
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("None", ["None"])
    assert spec["ipFamilies"] == ["IPv4"]
    free = (await client.create(SERVICES, service("free", clusterIP="None")))["spec"]
    assert (free["ipFamilies"], free["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")
    named = (await client.create(SERVICES, service("db", type="ExternalName", externalName="a.b")))["spec"]
    assert named.keys().isdisjoint({"clusterIP", "clusterIPs", "ipFamilies"})


async def test_dual_stack_is_refused_where_it_is_required(client: LocalClient):
    assert await refused(client.create(SERVICES, service(ipFamilyPolicy="RequireDualStack"))) == (
        'Service "web" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not '
        "configured for dual-stack services"
    )
    assert 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster' in await refused(
        client.create(SERVICES, service(ipFamilies=["IPv6"]))
    )
    preferred = await client.create(SERVICES, service(ipFamilyPolicy="PreferDualStack"))
    assert preferred["spec"]["ipFamilies"] == ["IPv4"]


async def test_an_update_keeps_what_was_allocated(client: LocalClient):
    made = await client.create(SERVICES, node_port())
    new = {**node_port(), "metadata": made["metadata"]}
    new["spec"]["selector"] = {"app": "web"}
    spec = (await client.update(SERVICES, new))["spec"]
    assert spec["clusterIP"] == made["spec"]["clusterIP"]
    assert spec["ports"] == made["spec"]["ports"]


async def test_a_change_of_type_takes_and_gives_back(client: LocalClient):
    made = (await client.create(SERVICES, node_port("a", 30080)))["spec"]
    spec = (await patched(client, "a", {"type": "ClusterIP"}))["spec"]
    assert "nodePort" not in spec["ports"][0] and spec["clusterIP"] == made["clusterIP"]
    await client.create(SERVICES, node_port("b", 30080))
    named = (await patched(client, "a", {"type": "ExternalName", "externalName": "a.b"}))["spec"]
    assert "clusterIP" not in named
    await client.create(SERVICES, service("c", clusterIP=made["clusterIP"]))
    again = (await patched(client, "a", {"type": "NodePort", "externalName": None}))["spec"]
    assert again["clusterIP"] not in ("", made["clusterIP"]) and again["ports"][0]["nodePort"] != 30080


async def test_a_refused_change_takes_nothing(client: LocalClient):
    await client.create(SERVICES, service("a"))
    bad = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30090}], "sessionAffinity": "Odd"}
    await refused(patched(client, "a", bad))
    await refused(
        client.create(SERVICES, node_port("c", 30090, clusterIP="10.96.0.99", sessionAffinity="Odd"))
    )
    await client.create(SERVICES, node_port("b", 30090, clusterIP="10.96.0.99"))


async def test_a_dry_run_takes_nothing(client: LocalClient):
    dry = WriteOptions(dry_run=True)
    shown = await client.create(SERVICES, node_port("a", 30080, clusterIP="10.96.0.10"), options=dry)
    assert shown["spec"]["ports"][0]["nodePort"] == 30080
    assert (await client.create(SERVICES, node_port("b"), options=dry))["spec"]["clusterIP"]
    await client.create(SERVICES, node_port("c", 30080, clusterIP="10.96.0.10"))


async def test_a_taken_name_is_the_first_to_be_told(client: LocalClient):
    await client.create(SERVICES, service(clusterIP="10.96.0.10"))
    assert "already exists" in await refused(client.create(SERVICES, service(clusterIP="10.96.0.10")))


async def test_when_all_addresses_are_taken(store: Any):
    client = await opened(store, SMALL)
    for number in range(14):
        await client.create(SERVICES, service(f"s{number}"))
    message = await refused(client.create(SERVICES, service("more")))
    assert message == "Internal error occurred: failed to allocate a serviceIP: range is full"
    freed = (await client.get(SERVICES, "s3", "default"))["spec"]["clusterIP"]
    await client.delete(SERVICES, "s3", "default")
    assert (await client.create(SERVICES, service("more")))["spec"]["clusterIP"] == freed


async def test_another_start_knows_what_is_taken(store: Any):
    first = await opened(store, SMALL)
    made = [(await first.create(SERVICES, service(f"s{n}")))["spec"]["clusterIP"] for n in range(13)]
    await first.delete(SERVICES, "s0", "default")
    second = await opened(store, "10.111.0.0/20")
    assert (await second.get(SERVICE_CIDRS, "kubernetes"))["spec"]["cidrs"] == [SMALL]
    got = {(await second.create(SERVICES, service(f"t{n}")))["spec"]["clusterIP"] for n in range(2)}
    assert len(got) == 2 and got.isdisjoint(made[1:])
    assert "range is full" in await refused(second.create(SERVICES, service("more")))


async def test_the_network_is_told_and_stays(client: LocalClient):
    found = await client.get(SERVICE_CIDRS, "kubernetes")
    assert found["spec"]["cidrs"] == ["10.96.0.0/16"]
    assert [(c["type"], c["status"]) for c in found["status"]["conditions"]] == [("Ready", "True")]
    await client.delete(SERVICE_CIDRS, "kubernetes")
    assert (await client.get(SERVICE_CIDRS, "kubernetes"))["metadata"]["deletionTimestamp"]


async def test_a_caller_who_goes_away_neither_leaks_nor_doubles(store: Any):
    client = await opened(store, SMALL)
    for number in range(60):
        work = asyncio.create_task(client.create(SERVICES, service("a")))
        for _ in range(number % 9):
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        work = asyncio.create_task(client.delete(SERVICES, "a", "default"))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    for _ in range(20):
        await asyncio.sleep(0)
    left = len((await client.list(SERVICES)).items)
    for number in range(14 - left):
        await client.create(SERVICES, service(f"s{number}"))
    assert "range is full" in await refused(client.create(SERVICES, service("more")))


@given(seed=st.integers(0, 2**32), steps=st.integers(10, 60))
@settings(max_examples=15, deadline=None)
def test_whatever_happens_at_once_nothing_is_given_twice(seed: int, steps: int) -> None:
    asyncio.run(_at_once(seed, steps))


async def _at_once(seed: int, steps: int) -> None:
    dice = random.Random(seed)
    store = open_store(None, clock=FakeClock())
    try:
        client = await opened(store, SMALL)

        def work() -> Any:
            name = f"s{dice.randrange(12)}"
            match dice.randrange(6):
                case 0:
                    return client.create(
                        SERVICES, service(name, clusterIP=f"10.96.0.{dice.randrange(1, 15)}")
                    )
                case 1:
                    return client.create(SERVICES, node_port(name, dice.choice([None, 30001, 30002, 30003])))
                case 2:
                    return client.delete(SERVICES, name, "default")
                case 3:
                    return patched(client, name, {"type": "ExternalName", "externalName": "a.b"})
                case 4:
                    return patched(client, name, {"type": "NodePort", "externalName": None})
                case _:
                    return client.create(SERVICES, service(name))

        for _ in range(steps // 5):
            async with asyncio.timeout(30):
                await asyncio.gather(*(work() for _ in range(5)), return_exceptions=True)
            _check(await client.list(SERVICES))
        stored = [item["metadata"]["name"] for item in (await client.list(SERVICES)).items]
        for name in stored:
            await client.delete(SERVICES, name, "default")
        for number in range(14):
            await client.create(SERVICES, service(f"t{number}"))
    finally:
        await store.close()


def _check(listing: Any) -> None:
    addresses = [i["spec"]["clusterIP"] for i in listing.items if i["spec"].get("clusterIP")]
    ports = [port for item in listing.items for port in node_ports_of(item)]
    assert len(addresses) == len(set(addresses))
    assert len(ports) == len(set(ports))
    for item in listing.items:
        assert bool(item["spec"].get("clusterIP")) == (item["spec"]["type"] != "ExternalName")


def test_engines_side_by_side_get_networks_of_their_own() -> None:
    first = free_service_range("a", ())
    taken = (ipaddress.IPv4Network(first), ipaddress.IPv4Network("10.96.0.0/13"))
    second = free_service_range("a", taken)
    network = ipaddress.IPv4Network(second)
    assert not any(network.overlaps(other) for other in taken)
    assert network.subnet_of(ipaddress.IPv4Network("10.96.0.0/12")) and network.prefixlen == 20
