"""Networks of cluster IPs beside the cluster's first one: ready, used when that is full, kept while needed."""

from __future__ import annotations

import pytest
from controllers_world import World

from ktui.client.base import PatchType
from ktui.kube.errors import StatusError
from ktui.kube.kinds import IP_ADDRESSES, SERVICE_CIDRS, SERVICES


@pytest.fixture
async def world():
    made = World()
    await made.start()
    yield made
    await made.stop()


def service(name, **spec):
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}


def network(name, *cidrs):
    return {"metadata": {"name": name}, "spec": {"cidrs": list(cidrs)}}


async def ready(world, name):
    found = await world.client.get(SERVICE_CIDRS, name)
    (condition,) = found["status"]["conditions"]
    return condition["status"], condition["reason"]


async def test_a_new_network_is_ready_and_its_addresses_can_be_asked_for(world):
    with pytest.raises(StatusError, match="is not in the valid range"):
        await world.client.create(SERVICES, service("early", clusterIP="203.0.113.10"))
    await world.client.create(SERVICE_CIDRS, network("more", "203.0.113.0/24"))
    await world.settle()
    assert await ready(world, "more") == ("True", "")
    made = await world.client.create(SERVICES, service("web", clusterIP="203.0.113.10"))
    assert made["spec"]["clusterIPs"] == ["203.0.113.10"]


async def test_a_full_network_is_followed_by_the_next(world):
    """The cluster's own is deleted here: nobody gets an address of it any more."""
    await world.client.create(SERVICE_CIDRS, network("b", "203.0.113.0/30"))
    await world.client.create(SERVICE_CIDRS, network("c", "203.0.113.8/30"))
    await world.client.create(SERVICES, service("first"))
    await world.client.delete(SERVICE_CIDRS, "kubernetes")
    await world.settle()
    assert await ready(world, "kubernetes") == ("False", "Terminating")
    given = [(await world.client.create(SERVICES, service(f"s{n}")))["spec"]["clusterIP"] for n in range(4)]
    assert sorted(given) == ["203.0.113.1", "203.0.113.10", "203.0.113.2", "203.0.113.9"]
    assert set(given[:2]) == {"203.0.113.1", "203.0.113.2"}
    with pytest.raises(StatusError, match="range is full"):
        await world.client.create(SERVICES, service("more"))


async def test_a_network_stays_until_no_service_needs_it(world):
    await world.client.create(SERVICE_CIDRS, network("more", "203.0.113.0/24"))
    await world.settle()
    await world.client.create(SERVICES, service("web", clusterIP="203.0.113.10"))
    await world.client.delete(SERVICE_CIDRS, "more")
    await world.advance(20, step=10)
    assert await ready(world, "more") == ("False", "Terminating")
    # One that holds its addresses takes its place.
    await world.client.create(SERVICE_CIDRS, network("larger", "203.0.112.0/23"))
    await world.advance(20, step=10)
    with pytest.raises(StatusError, match="not found"):
        await world.client.get(SERVICE_CIDRS, "more")
    await world.client.delete(SERVICES, "web", "default")
    await world.client.delete(SERVICE_CIDRS, "larger")
    await world.advance(20, step=10)
    with pytest.raises(StatusError, match="not found"):
        await world.client.get(SERVICE_CIDRS, "larger")


async def test_an_address_that_somebody_keeps_is_given_to_nobody_else(world):
    kept = {
        "metadata": {"name": "203.0.113.1"},
        "spec": {"parentRef": {"resource": "gateways", "group": "example.com", "name": "g"}},
    }
    await world.client.create(IP_ADDRESSES, kept)
    await world.client.create(SERVICE_CIDRS, network("more", "203.0.113.0/24"))
    await world.settle()
    with pytest.raises(StatusError, match="provided IP is already allocated"):
        await world.client.create(SERVICES, service("web", clusterIP="203.0.113.1"))
    await world.client.delete(IP_ADDRESSES, "203.0.113.1")
    await world.client.create(SERVICES, service("web", clusterIP="203.0.113.1"))


async def test_a_network_that_is_not_ready_gives_nothing(world):
    await world.client.create(SERVICE_CIDRS, network("more", "203.0.113.0/24"))
    await world.settle()
    conditions = {"status": {"conditions": []}}
    await world.runner.stop()
    await world.client.patch(
        SERVICE_CIDRS, "more", conditions, patch_type=PatchType.MERGE, subresource="status"
    )
    with pytest.raises(StatusError, match="not in the valid range"):
        await world.client.create(SERVICES, service("web", clusterIP="203.0.113.1"))
