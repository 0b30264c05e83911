"""The service proxy's rules, in the kernel, with real connections."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from dataclasses import replace

import pytest
from pod_network import PodNetwork, ask

from ktui.engine.network.nft import nft
from ktui.engine.network.proxy.connections import forget_stale
from ktui.engine.network.proxy.rules import service_rules
from ktui.engine.network.ruleset import difference, merge
from ktui.engine.network.services import Endpoint
from ktui.kube.resource import ObjectKey


async def test_connections_are_spread_over_the_endpoints_and_keep_their_source(network: PodNetwork) -> None:
    client, a, b = network.pod(), network.pod(), network.pod()
    for pod in (a, b):
        await pod.serve(8080)
    await network.apply(network.port(a, b, node_port=30080))
    from_pod = Counter([await ask(network.vip(10), 80, client) for _ in range(40)])
    assert from_pod.keys() == {(a.address, client.address), (b.address, client.address)}
    assert min(from_pod.values()) > 5
    assert {served for served, _ in [await ask(network.vip(10), 80) for _ in range(40)]} == {
        a.address,
        b.address,
    }


async def test_a_pod_reaches_itself_through_its_service(network: PodNetwork) -> None:
    pod = network.pod()
    await pod.serve(8080)
    await network.apply(network.port(pod))
    assert (await ask(network.vip(10), 80, pod))[0] == pod.address


async def test_node_ports_answer_on_every_address_of_the_host(network: PodNetwork) -> None:
    pod, client = network.pod(), network.pod()
    await pod.serve(8080)
    await network.apply(network.port(pod, node_port=30081))
    for address in ("127.0.0.1", network.settings.gateway):
        assert (await ask(address, 30081))[0] == pod.address
    assert (await ask(network.settings.gateway, 30081, client))[0] == pod.address


@pytest.mark.parametrize("from_pod", [False, True])
async def test_without_endpoints_connections_are_refused_at_once(network: PodNetwork, from_pod: bool) -> None:
    source = network.pod() if from_pod else None
    await network.apply(network.port(node_port=30082))
    for address, port in ((network.vip(10), 80), (network.settings.gateway, 30082)):
        with pytest.raises(ConnectionRefusedError):
            await ask(address, port, source)


async def test_an_address_without_a_service_is_refused_and_never_leaves_the_host(network: PodNetwork) -> None:
    pod = network.pod()
    await network.apply()
    for source in (None, pod):
        with pytest.raises(ConnectionRefusedError):
            await ask(network.vip(99), 80, source)


async def test_a_client_stays_with_its_endpoint_where_affinity_is_asked_for(network: PodNetwork) -> None:
    pods = [network.pod() for _ in range(3)]
    for pod in pods:
        await pod.serve(8080)
    client, other = network.pod(), network.pod()
    sticky = network.port(*pods, affinity_seconds=60)
    await network.apply(sticky)
    first = (await ask(network.vip(10), 80, client))[0]
    assert {(await ask(network.vip(10), 80, client))[0] for _ in range(15)} == {first}
    left = tuple(endpoint for endpoint in sticky.endpoints if endpoint.address != first)
    before, after = (
        merge([service_rules(port, network.settings)]) for port in (sticky, replace(sticky, endpoints=left))
    )
    await nft(difference(network.settings.table, before, after))
    second = (await ask(network.vip(10), 80, client))[0]
    assert second != first
    assert {(await ask(network.vip(10), 80, client))[0] for _ in range(10)} == {second}
    assert (await ask(network.vip(10), 80, other))[0] != first


async def test_affinity_holds_with_one_endpoint_and_long_names(network: PodNetwork) -> None:
    pod, client = network.pod(), network.pod()
    await pod.serve(8080)
    sticky = network.port(pod, affinity_seconds=60, node_port=30084)
    await network.apply(replace(sticky, service=ObjectKey("n" * 63, "s" * 63)))
    assert (await ask(network.vip(10), 80, client))[0] == pod.address


async def test_a_local_policy_without_a_local_endpoint_serves_pods_and_node_and_drops_others(
    network: PodNetwork,
) -> None:
    pod, client = network.pod(), network.pod()
    await pod.serve(8080)
    away = replace(
        network.port(node_port=30085, external_ips=(network.vip(201),), external_local=True),
        endpoints=(Endpoint(pod.address, 8080, "other"),),
    )
    await network.apply(away)
    for source in (client, None):
        assert (await ask(network.vip(201), 80, source))[0] == pod.address
    assert (await ask(network.settings.gateway, 30085, client))[0] == pod.address
    outside = network.outsider()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ask(outside.gateway, 30085, outside)


async def test_a_closed_load_balancer_lets_nobody_in(network: PodNetwork) -> None:
    pod, client = network.pod(), network.pod()
    await pod.serve(8080)
    await network.apply(network.port(pod, load_balancer_ips=(network.vip(202),), is_closed=True))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ask(network.vip(202), 80, client)


async def test_local_policies_keep_to_the_node(network: PodNetwork) -> None:
    here = network.pod()
    await here.serve(8080)
    away = Endpoint(f"{network.settings.pod_cidr.rpartition('.')[0]}.250", 8080, "other")
    both = network.port(here, node_port=30083)
    both = replace(both, endpoints=(*both.endpoints, away), internal_local=True, external_local=True)
    await network.apply(both)
    assert {(await ask(network.vip(10), 80))[0] for _ in range(10)} == {here.address}


async def test_a_load_balancer_lets_in_whom_its_source_ranges_name(network: PodNetwork) -> None:
    pod, client = network.pod(), network.pod()
    await pod.serve(8080)
    await network.apply(
        network.port(
            pod,
            load_balancer_ips=(network.vip(200),),
            source_ranges=(f"{client.address}/32",),
        )
    )
    assert (await ask(network.vip(200), 80, client)) == (pod.address, client.address)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ask(network.vip(200), 80, pod)


async def test_a_udp_flow_leaves_an_endpoint_that_is_gone(network: PodNetwork) -> None:
    a, b, client = network.pod(), network.pod(), network.pod()
    for pod in (a, b):
        await pod.serve_udp(8080)
    both = network.port(a, b, protocol="udp")
    await network.apply(both)
    loop = asyncio.get_running_loop()
    with client.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.setblocking(False)
        sock.connect((network.vip(10), 80))

        async def asked() -> str:
            await loop.sock_sendall(sock, b"?")
            async with asyncio.timeout(5):
                return (await loop.sock_recv(sock, 100)).decode().partition(" ")[0]

        first = await asked()
        assert await asked() == first
        left = replace(both, endpoints=tuple(e for e in both.endpoints if e.address != first))
        rules = [merge([service_rules(port, network.settings)]) for port in (both, left)]
        await nft(difference(network.settings.table, *rules))
        assert await asked() == first
        await forget_stale([both], [left])
        assert await asked() != first


async def test_two_engines_do_not_meet(network: PodNetwork) -> None:
    other = PodNetwork()
    try:
        await other.start()
        pods = (network.pod(), other.pod())
        for pod, world in zip(pods, (network, other), strict=True):
            await pod.serve(8080)
            await world.apply(world.port(pod))
        for pod, world in zip(pods, (network, other), strict=True):
            assert (await ask(world.vip(10), 80))[0] == pod.address
    finally:
        await other.stop()
    assert (await ask(network.vip(10), 80))[0] == pods[0].address
