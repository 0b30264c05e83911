"""Endpoints and EndpointSlices follow services and their pods, as controllers see them through the API."""

import pytest
from controllers_world import NODE_CONTROLLERS, World

from ktui.engine.controllers.endpoint_subsets import truncated
from ktui.kube.kinds import ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES


@pytest.fixture
async def world():
    world = World(without=NODE_CONTROLLERS)
    world.kubelet.starts = world.kubelet.removes = False
    await world.start()
    yield world
    await world.stop()


def service(name="web", **spec):
    spec = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec}
    spec = {key: value for key, value in spec.items() if value is not None}
    return {"metadata": {"name": name, "namespace": "default", "labels": {"team": "a"}}, "spec": spec}


def condition(ready):
    return {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:07Z"}


async def running(world, name, ip, ready="True", labels=None, **spec):
    container = {"name": "web", "image": "web:1", **spec.pop("container", {})}
    metadata = {"name": name, "namespace": "default", "labels": labels or {"app": "web"}}
    spec = {"nodeName": "node-1", "containers": [container], **spec}
    await world.client.create(PODS, {"metadata": metadata, "spec": spec})
    status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [condition(ready)]}
    await world.client.patch(PODS, name, {"status": status}, "default", subresource="status")
    await world.settle()


async def set_ready(world, name, ready):
    pod = await world.get(PODS, name)
    status = {**pod["status"], "conditions": [condition(ready)]}
    await world.merge(PODS, name, {"status": status}, subresource="status")


async def slices(world, name="web"):
    found = await world.list(ENDPOINT_SLICES)
    return [s for s in found if s["metadata"]["labels"]["kubernetes.io/service-name"] == name]


async def states(world, name="web"):
    """Each address and its ready, serving and terminating conditions."""
    return {
        endpoint["addresses"][0]: "".join(
            letter
            for letter, key in (("r", "ready"), ("s", "serving"), ("t", "terminating"))
            if endpoint["conditions"].get(key)
        )
        for found in await slices(world, name)
        for endpoint in found.get("endpoints") or ()
    }


async def test_a_service_without_pods_has_one_empty_slice(world):
    await world.apply(SERVICES, service())
    [found] = await slices(world)
    assert found["metadata"]["name"].startswith("web-")
    assert found["metadata"]["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    [owner] = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Service", "web", True)
    assert not found.get("endpoints") and not found.get("ports")
    endpoints = await world.get(ENDPOINTS, "web")
    assert not endpoints.get("subsets")


async def test_pods_become_endpoints(world):
    await world.client.create(
        NODES, {"metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "z1"}}}
    )
    await world.apply(SERVICES, service())
    await running(world, "a", "10.0.0.1")
    await running(world, "b", "10.0.0.2", "False")
    await running(world, "other", "10.0.0.3", labels={"app": "db"})
    [found] = await slices(world)
    assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert await states(world) == {"10.0.0.1": "rs", "10.0.0.2": ""}
    first = found["endpoints"][0]
    uid = (await world.get(PODS, "a"))["metadata"]["uid"]
    assert first["targetRef"] == {"kind": "Pod", "namespace": "default", "name": "a", "uid": uid}
    assert (first["nodeName"], first["zone"]) == ("node-1", "z1")
    assert (
        found["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"]
        == "2026-01-01T00:00:07Z"
    )
    [subset] = (await world.get(ENDPOINTS, "web"))["subsets"]
    assert [address["ip"] for address in subset["addresses"]] == ["10.0.0.1"]
    assert [address["ip"] for address in subset["notReadyAddresses"]] == ["10.0.0.2"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]


async def test_endpoints_follow_readiness_and_leave_before_the_pod(world):
    await world.apply(SERVICES, service())
    await running(world, "a", "10.0.0.1")
    await set_ready(world, "a", "False")
    assert await states(world) == {"10.0.0.1": ""}
    await set_ready(world, "a", "True")
    await world.client.delete(PODS, "a", "default")
    await world.settle()
    assert await states(world) == {"10.0.0.1": "st"}
    assert not (await world.get(ENDPOINTS, "web")).get("subsets")
    await world.remove_pod("a")
    await world.settle()
    assert await states(world) == {}


async def test_pods_that_have_ended_are_no_endpoints(world):
    await world.apply(SERVICES, service())
    await running(world, "a", "10.0.0.1")
    await world.merge(PODS, "a", {"status": {"phase": "Succeeded"}}, subresource="status")
    assert await states(world) == {}


async def test_a_service_can_publish_pods_that_are_not_ready(world):
    await world.apply(SERVICES, service(publishNotReadyAddresses=True))
    await running(world, "a", "10.0.0.1", "False")
    assert await states(world) == {"10.0.0.1": "r"}
    assert (await world.get(ENDPOINTS, "web"))["subsets"][0]["addresses"]
    await world.client.delete(PODS, "a", "default")
    await world.settle()
    assert await states(world) == {"10.0.0.1": "rt"}
    assert (await world.get(ENDPOINTS, "web"))["subsets"][0]["addresses"]


async def test_named_ports_are_each_pods_own(world):
    await world.apply(SERVICES, service(ports=[{"port": 80, "targetPort": "web"}]))
    for name, ip, number in (("a", "10.0.0.1", 8080), ("b", "10.0.0.2", 9090), ("c", "10.0.0.3", None)):
        ports = [{"name": "web", "containerPort": number}] if number else []
        await running(world, name, ip, container={"ports": ports})
    found = {
        s["endpoints"][0]["addresses"][0]: [port["port"] for port in s.get("ports") or ()]
        for s in await slices(world)
    }
    assert found == {"10.0.0.1": [8080], "10.0.0.2": [9090], "10.0.0.3": []}
    ports = [s["ports"][0]["port"] for s in (await world.get(ENDPOINTS, "web"))["subsets"]]
    assert ports == [8080, 9090]


async def test_headless_services_know_the_names_of_pods(world):
    await world.apply(SERVICES, service("db", clusterIP="None", ports=None))
    await running(world, "db-0", "10.0.0.1", hostname="db-0", subdomain="db")
    await running(world, "db-1", "10.0.0.2", hostname="db-1", subdomain="other")
    [found] = await slices(world, "db")
    assert [e.get("hostname") for e in found["endpoints"]] == ["db-0", None]
    assert found["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    endpoints = await world.get(ENDPOINTS, "db")
    assert endpoints["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert [a.get("hostname") for a in endpoints["subsets"][0]["addresses"]] == ["db-0", None]


async def test_a_change_of_selector_or_labels_changes_the_endpoints(world):
    await world.apply(SERVICES, service())
    await running(world, "a", "10.0.0.1")
    await running(world, "b", "10.0.0.2", labels={"app": "db"})
    await world.merge(
        SERVICES, "web", {"spec": {"selector": {"app": "db"}}, "metadata": {"labels": {"x": "y"}}}
    )
    assert await states(world) == {"10.0.0.2": "rs"}
    assert (await slices(world))[0]["metadata"]["labels"]["x"] == "y"
    await world.merge(PODS, "b", {"metadata": {"labels": {"app": "web"}}})
    assert await states(world) == {}


async def test_a_deleted_service_takes_its_slices_and_endpoints_along(world):
    await world.apply(SERVICES, service())
    await running(world, "a", "10.0.0.1")
    await world.client.delete(SERVICES, "web", "default")
    await world.settle()
    assert await slices(world) == []
    assert not await world.exists(ENDPOINTS, "web")


async def test_slices_that_somebody_touched_are_put_right(world):
    await world.apply(SERVICES, service())
    await running(world, "a", "10.0.0.1")
    [found] = await slices(world)
    await world.client.update(ENDPOINT_SLICES, {**found, "endpoints": []})
    await world.settle()
    assert await states(world) == {"10.0.0.1": "rs"}
    await world.client.delete(ENDPOINT_SLICES, (await slices(world))[0]["metadata"]["name"], "default")
    await world.settle()
    assert await states(world) == {"10.0.0.1": "rs"}
    await world.client.delete(ENDPOINTS, "web", "default")
    await world.settle()
    assert (await world.get(ENDPOINTS, "web"))["subsets"]


async def test_many_pods_fill_slices_of_a_hundred(world):
    await world.apply(SERVICES, service())
    for number in range(120):
        metadata = {"name": f"p{number}", "namespace": "default", "labels": {"app": "web"}}
        await world.client.create(
            PODS, {"metadata": metadata, "spec": {"containers": [{"name": "a", "image": "a"}]}}
        )
        ip = f"10.0.1.{number}"
        status = {"phase": "Running", "podIP": ip, "conditions": [condition("True")]}
        await world.client.patch(PODS, f"p{number}", {"status": status}, "default", subresource="status")
    await world.settle()
    sizes = [len(found["endpoints"]) for found in await slices(world)]
    assert sum(sizes) == 120 and max(sizes) <= 100
    assert len(await states(world)) == 120


async def test_services_without_selector_keep_what_people_made(world):
    await world.apply(SERVICES, service(selector=None))
    assert await slices(world) == []
    made = {
        "metadata": {"name": "web", "namespace": "default", "labels": {"mine": "1"}},
        "subsets": [
            {
                "addresses": [{"ip": "192.168.1.5", "hostname": "one"}],
                "notReadyAddresses": [{"ip": "fd00::1"}],
                "ports": [{"name": "http", "port": 8080}],
            }
        ],
    }
    await world.apply(ENDPOINTS, made)
    found = {s["addressType"]: s for s in await slices(world)}
    labels = found["IPv4"]["metadata"]["labels"]
    assert labels["endpointslice.kubernetes.io/managed-by"] == "endpointslicemirroring-controller.k8s.io"
    assert labels["mine"] == "1"
    assert found["IPv4"]["endpoints"] == [
        {"addresses": ["192.168.1.5"], "conditions": {"ready": True}, "hostname": "one"}
    ]
    assert found["IPv6"]["endpoints"][0]["conditions"] == {"ready": False}
    assert found["IPv4"]["ports"][0]["port"] == 8080
    await world.merge(ENDPOINTS, "web", {"subsets": [{"addresses": [{"ip": "192.168.1.6"}]}]})
    assert await states(world) == {"192.168.1.6": "r"}
    await world.merge(
        ENDPOINTS, "web", {"metadata": {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}}
    )
    assert await slices(world) == []


async def test_slices_of_deleted_hand_made_endpoints_go(world):
    await world.apply(SERVICES, service(selector=None))
    metadata = {"name": "web", "namespace": "default"}
    await world.apply(ENDPOINTS, {"metadata": metadata, "subsets": [{"addresses": [{"ip": "192.168.1.5"}]}]})
    assert len(await slices(world)) == 1
    await world.client.delete(ENDPOINTS, "web", "default")
    await world.settle()
    assert await slices(world) == []


async def test_hand_made_slices_are_left_alone(world):
    await world.apply(SERVICES, service(selector=None))
    labels = {"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "me"}
    made = {"metadata": {"name": "mine", "namespace": "default", "labels": labels}, "addressType": "IPv4"}
    made["endpoints"] = [{"addresses": ["192.168.1.5"]}]
    await world.apply(ENDPOINT_SLICES, made)
    assert [s["metadata"]["name"] for s in await slices(world)] == ["mine"]


async def test_one_pod_among_many_services_costs_little(world):
    for number in range(200):
        await world.client.create(
            SERVICES, service(f"s{number}", selector={"app": f"a{number}", "tier": "x"})
        )
    await world.settle()
    await running(world, "a", "10.0.0.1", labels={"app": "a7", "tier": "x"})
    before = world.store.revision
    await set_ready(world, "a", "False")
    assert world.store.revision - before == 3
    assert await states(world, "s7") == {"10.0.0.1": ""}


def test_endpoints_over_a_thousand_are_cut_with_ready_ones_first():
    from lightkube.models.core_v1 import EndpointAddress, EndpointSubset

    def addresses(count):
        return [EndpointAddress(ip=f"10.0.{n // 256}.{n % 256}") for n in range(count)]

    assert truncated([EndpointSubset(addresses=addresses(1000))]) is None
    cut = truncated([EndpointSubset(addresses=addresses(900), notReadyAddresses=addresses(300))])
    assert cut is not None
    assert (len(cut[0].addresses or ()), len(cut[0].notReadyAddresses or ())) == (900, 100)
    cut = truncated([EndpointSubset(addresses=addresses(1500)), EndpointSubset(addresses=addresses(500))])
    assert [len(subset.addresses or ()) for subset in cut or ()] == [750, 250]
