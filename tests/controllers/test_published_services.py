"""What the cluster itself offers (`kubernetes`, `kube-dns`), and load balancers at the nodes' addresses."""

import asyncio

import pytest
from controllers_world import NODE_CONTROLLERS, World

from ktui.engine.controllers.published_services import PublishedServices, api_service, dns_service
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.kube.kinds import ENDPOINT_SLICES, ENDPOINTS, NODES, SERVICES


@pytest.fixture
async def world():
    world = World(without=NODE_CONTROLLERS)
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def publish(world):
    """Run a publisher beside the other controllers, as another start of the engine does."""
    running = []

    async def publish(*published):
        await stop()
        runner = ControllerRunner([PublishedServices(world.client, published)], world.informers, world.clock)
        running.append((runner, asyncio.create_task(runner.run())))
        await world.settle()

    async def stop():
        for runner, task in running:
            await runner.stop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        running.clear()

    yield publish
    await stop()


async def test_the_api_is_the_first_address_of_the_services(world, publish):
    await publish(api_service("10.130.0.1", 6443), dns_service("10.130.0.1"))
    service = await world.get(SERVICES, "kubernetes")
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    assert service["spec"]["ports"] == [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    assert service["metadata"]["labels"] == {"component": "apiserver", "provider": "kubernetes"}
    [subset] = (await world.get(ENDPOINTS, "kubernetes"))["subsets"]
    assert subset["addresses"] == [{"ip": "10.130.0.1"}] and subset["ports"][0]["port"] == 6443
    assert await world.names(ENDPOINT_SLICES) == ["kubernetes"]
    dns = await world.get(SERVICES, "kube-dns", "kube-system")
    assert dns["spec"]["clusterIP"] == "10.96.0.10"
    found = await world.get(ENDPOINT_SLICES, "kube-dns", "kube-system")
    assert [(port["name"], port["protocol"]) for port in found["ports"]] == [
        ("dns", "UDP"),
        ("dns-tcp", "TCP"),
    ]


async def test_what_is_published_is_put_right(world, publish):
    await publish(api_service("10.130.0.1", 6443))
    await world.client.delete(SERVICES, "kubernetes", "default")
    await world.merge(ENDPOINTS, "kubernetes", {"subsets": []})
    await world.client.delete(ENDPOINT_SLICES, "kubernetes", "default")
    await world.settle()
    assert (await world.get(SERVICES, "kubernetes"))["spec"]["clusterIP"] == "10.96.0.1"
    assert (await world.get(ENDPOINTS, "kubernetes"))["subsets"]
    assert (await world.get(ENDPOINT_SLICES, "kubernetes"))["endpoints"]


async def test_another_start_publishes_another_address(world, publish):
    await publish(api_service("10.130.0.1", 6443))
    await publish(api_service("10.131.0.1", 7443))
    assert (await world.get(SERVICES, "kubernetes"))["spec"]["ports"][0]["targetPort"] == 7443
    found = await world.get(ENDPOINT_SLICES, "kubernetes")
    assert (found["endpoints"][0]["addresses"], found["ports"][0]["port"]) == (["10.131.0.1"], 7443)


@pytest.mark.parametrize("address", ["", "127.0.0.1"])
async def test_an_api_that_pods_cannot_reach_has_no_endpoints(world, publish, address):
    await publish(api_service(address, 0))
    assert (await world.get(SERVICES, "kubernetes"))["spec"]["ports"][0]["targetPort"] == 443
    assert not (await world.get(ENDPOINT_SLICES, "kubernetes")).get("endpoints")


def balanced(name, port=80, **spec):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": port}], "selector": {"app": name}, **spec},
    }


async def addressed(world, name="node-1", ip="192.168.1.2"):
    await world.client.create(NODES, {"metadata": {"name": name}})
    status = {"addresses": [{"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": name}]}
    await world.client.patch(NODES, name, {"status": status}, subresource="status")
    await world.settle()


async def ingress(world, name):
    found = await world.get(SERVICES, name)
    return [entry["ip"] for entry in found["status"]["loadBalancer"].get("ingress") or ()]


async def test_a_load_balancer_is_reached_at_the_nodes(world):
    await world.apply(SERVICES, balanced("web"))
    assert await ingress(world, "web") == []
    await addressed(world)
    assert await ingress(world, "web") == ["192.168.1.2"]
    assert (await world.get(SERVICES, "web"))["status"]["loadBalancer"]["ingress"][0]["ipMode"] == "VIP"
    await addressed(world, "node-2", "192.168.1.3")
    assert await ingress(world, "web") == ["192.168.1.2", "192.168.1.3"]
    await world.merge(SERVICES, "web", {"spec": {"type": "ClusterIP"}})
    assert await ingress(world, "web") == []


async def test_one_port_serves_one_load_balancer(world):
    await addressed(world)
    await world.apply(SERVICES, balanced("first"))
    await world.clock.advance(5)
    await world.apply(SERVICES, balanced("second"))
    await world.apply(SERVICES, balanced("other", 81))
    assert await ingress(world, "second") == []
    assert await ingress(world, "other") == ["192.168.1.2"]
    assert await world.events("PortTaken") == [
        "port 80/TCP of the nodes serves default/first already; this service stays pending"
    ]
    await world.client.delete(SERVICES, "first", "default")
    await world.settle()
    assert await ingress(world, "second") == ["192.168.1.2"]


async def test_another_class_is_left_to_its_own(world):
    await addressed(world)
    await world.apply(SERVICES, balanced("web", loadBalancerClass="example.com/lb"))
    await world.apply(SERVICES, balanced("ours", loadBalancerClass="ktui.dev/node"))
    assert await ingress(world, "web") == []
    assert await ingress(world, "ours") == ["192.168.1.2"]


async def test_local_traffic_is_balanced_over_nodes_with_endpoints(world):
    await addressed(world)
    await addressed(world, "node-2", "192.168.1.3")
    await world.apply(SERVICES, balanced("web", externalTrafficPolicy="Local", selector=None))
    assert await ingress(world, "web") == []
    labels = {"kubernetes.io/service-name": "web"}
    await world.apply(
        ENDPOINT_SLICES,
        {
            "metadata": {"name": "mine", "namespace": "default", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.2"], "nodeName": "node-2"}],
        },
    )
    assert await ingress(world, "web") == ["192.168.1.3"]
