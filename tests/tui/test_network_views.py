"""Services, Ingresses and forwards in the browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from fake_node import FakeNode
from test_browser import browsing
from tui_cluster import TuiCluster, until

from ktui.client.forward_ports import PortError, PortPair
from ktui.kube.kinds import ENDPOINT_SLICES, INGRESSES, PODS, SERVICES
from ktui.kube.resource import Object
from ktui.screens.actions.forwards import check_form, read_pairs
from ktui.screens.backends import backend_rows
from ktui.screens.endpoint_counts import endpoint_counts
from ktui.screens.forwards import bytes_text
from ktui.screens.web_addresses import of_ingress, of_service, url
from ktui.screens.web_browser import has_browser


class AnsweringNode(FakeNode):
    """A node whose pods say their name to whoever connects."""

    async def dial(self, pod: Object, port: int) -> tuple[object, object]:
        ours, theirs = socket.socketpair()
        _, writer = await asyncio.open_connection(sock=theirs)
        writer.write(f"{pod['metadata']['name']}:{port}".encode())
        writer.close()
        return await asyncio.open_connection(sock=ours)


async def service(cluster: TuiCluster, name: str = "web", **spec: Any) -> Object:
    port = {"name": "http", "port": 80, "targetPort": 8080}
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [port], **spec},
    }
    return await cluster.client.create(SERVICES, body, "default")


async def endpoints(cluster: TuiCluster, *ready: bool, name: str = "web") -> Object:
    found = [{"addresses": [f"10.1.0.{n}"], "conditions": {"ready": each}} for n, each in enumerate(ready, 1)]
    metadata = {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}}
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": found,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }
    return await cluster.client.create(ENDPOINT_SLICES, body, "default")


async def test_services_tell_their_endpoints_and_open_into_their_pods(cluster: TuiCluster) -> None:
    await cluster.pod("web")
    await cluster.pod("other")
    await service(cluster)
    async with browsing(cluster, command="svc") as browser:
        await browser.shows("web")
        await browser.says("<none>")
        made = await endpoints(cluster, True, True, False)
        await browser.says("2/3")
        changed = {
            **made,
            "endpoints": [{**each, "conditions": {"ready": False}} for each in made["endpoints"]],
        }
        await cluster.client.update(ENDPOINT_SLICES, changed)
        await browser.says("0/3")
        assert browser.screen.model.table.rows()[0].trouble
        await browser.pilot.press("enter")
        await browser.shows("web")
        await browser.says("service/web › Pods [1]")


async def test_why_a_service_has_no_endpoints(cluster: TuiCluster) -> None:
    await cluster.pod("web")
    await service(cluster, selector={"app": "wbe"})
    async with browsing(cluster, size=(120, 50), command="svc") as browser:
        await browser.shows("web")
        await browser.pilot.press("w")
        await browser.says("app=web? It matches pod web.")
        await browser.pilot.press("escape", "d")
        await browser.says("Why it has no endpoints:")


async def test_an_ingress_opens_into_its_backends_and_they_into_services(cluster: TuiCluster) -> None:
    await service(cluster)
    await endpoints(cluster, True)
    await cluster.client.create(INGRESSES, ingress(), "default")
    async with browsing(cluster, size=(130, 24), command="ing") as browser:
        await browser.shows("shop")
        await browser.pilot.press("enter")
        await browser.shows("none", "web")
        await browser.says("ingress/shop › Backends [2]")
        await browser.says("Invalid: there is no such service")
        await browser.says("1/1")
        await browser.pilot.press("down", "enter")
        await browser.says("backend/web › Services [1]")


async def test_the_tree_follows_and_leads_to_objects(cluster: TuiCluster) -> None:
    await cluster.node()
    pod = await cluster.pod("web")
    await service(cluster)
    made = await endpoints(cluster, True)
    target = {"kind": "Pod", "name": "web", "namespace": "default", "uid": pod["metadata"]["uid"]}
    linked = [{**made["endpoints"][0], "targetRef": target}]
    await cluster.client.update(ENDPOINT_SLICES, {**made, "endpoints": linked})
    async with browsing(cluster, size=(110, 30), command="svc") as browser:
        await browser.shows("web")
        await browser.pilot.press("t")
        await browser.says("Pod/web  ● Running 1/1")
        await browser.says("Node/node-1  ● Ready")
        await cluster.client.create(INGRESSES, ingress(), "default")
        await browser.says("↑ Ingress/shop  ◐ shop.example no address yet")
        await cluster.set_status(pod, waiting="CrashLoopBackOff", restarts=2)
        await browser.says("Pod/web  ✗ CrashLoopBackOff 0/1, 2 restarts")
        await browser.pilot.press("down", "space")
        await until(browser.pilot, lambda: "Pod/web" not in browser.text)
        await browser.pilot.press("space", "down", "d")
        await browser.says("Describe pod/web")
        await browser.pilot.press("escape")
        await browser.says("Node/node-1")
        await browser.pilot.press("enter")
        await browser.shows("web")
        await browser.says("tree of service/web › Pods [1]")


async def test_a_name_is_looked_up_in_the_pod(cluster: TuiCluster) -> None:
    node = AnsweringNode()
    node.session = cast(Any, Answer(b"Name:\tweb\nAddress: 10.96.0.9\n"))
    cluster.server.register_node("node-1", cast(Any, node))
    await cluster.pod("web")
    async with browsing(cluster, size=(110, 30)) as browser:
        await browser.shows("web")
        await browser.pilot.press("D")
        await browser.says("As pod web resolves it.")
        await browser.pilot.press("enter")
        await browser.says("Address: 10.96.0.9")
        name, options = node.executed[0]
        assert (name, options.command) == ("web", ("nslookup", "kubernetes.default.svc.cluster.local"))


class Answer:
    """An exec session that prints something and ends well."""

    def __init__(self, output: bytes) -> None:
        self.output = output

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        yield 1, self.output

    async def wait(self) -> int:
        return 0

    async def close(self) -> None:
        pass


def ingress() -> Object:
    def path(at: str, name: str) -> Object:
        return {
            "path": at,
            "pathType": "Prefix",
            "backend": {"service": {"name": name, "port": {"number": 80}}},
        }

    rule = {"host": "shop.example", "http": {"paths": [path("/", "web"), path("/api", "none")]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"rules": [rule]},
    }


async def test_a_forward_from_its_dialog_to_the_end_of_the_app(cluster: TuiCluster) -> None:
    cluster.server.register_node("node-1", cast(Any, AnsweringNode()))
    await cluster.pod("web")
    await service(cluster)
    async with browsing(cluster, size=(130, 30), command="svc") as browser:
        await browser.shows("web")
        await browser.pilot.press("F")
        await browser.says("Forward to service/web")
        await browser.says("8080")
        await browser.pilot.press("tab", "end", *["backspace"] * 4, "x", "enter")
        await browser.says("error parsing local port 'x'")
        await browser.pilot.press("backspace", "0", "enter")
        await browser.says(":pf lists them")
        forward = browser.app.session.forwards.all()[0].forward
        assert await ask(forward.local) == b"web:8080"
        await browser.pilot.press("F")
        await browser.says("Forward to service/web")
        await browser.pilot.press("tab", "end", *["backspace"] * 4, *str(forward.local), "enter")
        await browser.says("leads to service/web")
        browser.screen.command("pf")
        await browser.shows("service/web")
        await browser.says(f"127.0.0.1:{forward.local}")
        await browser.says("Active")
        await browser.says("80 (8080)")
        await cluster.client.delete(PODS, "web", "default")
        await browser.says("web has gone;")
        await browser.says("Waiting")
        browser.screen.command("svc")
        await browser.shows("web")
        await browser.pilot.press("F")
        await browser.says("Forward to service/web")
        await browser.pilot.press("enter")
        await browser.says("Not forwarded")
        browser.screen.command("pf")
        await browser.shows("service/web")
        await browser.pilot.press("ctrl+d")
        await browser.says("Stopped")
        await browser.shows()
        await browser.says("shift+f on a pod, service or workload starts one")
        with pytest.raises(OSError):
            await ask(forward.local)


async def test_forwards_end_with_the_app(cluster: TuiCluster) -> None:
    cluster.server.register_node("node-1", cast(Any, AnsweringNode()))
    await cluster.pod("web")
    opened: list[str] = []
    async with browsing(cluster, size=(130, 30), command="svc") as browser:
        browser.app.session.open_url = lambda address: bool(opened.append(address))
        await service(cluster)
        await browser.shows("web")
        await browser.pilot.press("b")
        await browser.says("service/web has no address outside")
        await browser.says("There is no browser here")
        forward = browser.app.session.forwards.all()[0].forward
        assert opened == [f"http://127.0.0.1:{forward.local}/"]
        assert browser.app.clipboard == opened[0]
        await browser.pilot.press("b")
        await until(browser.pilot, lambda: len(opened) == 2)
        assert len(browser.app.session.forwards.all()) == 1
    with pytest.raises(OSError):
        await ask(forward.local)


async def ask(port: int) -> bytes:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await reader.read()
        finally:
            writer.close()


def test_two_fields_of_ports_make_pairs() -> None:
    assert read_pairs("80, http", "8080, 0") == [PortPair(8080, "80"), PortPair(0, "http")]
    assert read_pairs("80 http", "") == [PortPair(0, "80"), PortPair(0, "http")]
    with pytest.raises(PortError, match="2 ports of the pod, but 1 local ones"):
        read_pairs("80,81", "80")
    assert check_form(("80", "", "127.0.0.1")) == ""
    assert check_form(("", "", "127.0.0.1")).startswith("which port of the pod?")
    assert check_form(("80", "", "")).startswith("an address to listen on")


def test_an_endpoint_in_slices_of_two_families_counts_once() -> None:
    metadata = {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}}
    four = {"addresses": ["10.1.0.1"], "targetRef": {"uid": "a"}}
    six = {"addresses": ["fd00::1"], "targetRef": {"uid": "a"}, "conditions": {"ready": True}}
    other = {"addresses": ["10.1.0.2"], "conditions": {"ready": False}}
    common = {"metadata": metadata, "ports": [{"port": 80}]}
    slices = [{**common, "endpoints": [four, other]}, {**common, "endpoints": [six]}]
    assert list(endpoint_counts([*slices, {"metadata": {}, "endpoints": [four]}]).values()) == ["1/2"]
    portless = {"metadata": metadata, "endpoints": [four]}
    assert list(endpoint_counts([portless]).values()) == ["0/1"]
    labels = {**metadata["labels"], "service.kubernetes.io/headless": ""}
    assert list(endpoint_counts([{**portless, "metadata": {**metadata, "labels": labels}}]).values()) == [
        "1/1"
    ]


def test_what_a_path_of_an_ingress_comes_to() -> None:
    found: Object = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 81}]}}
    paths = backend_rows(ingress(), [found], [])
    assert [row["cells"][-1] for row in paths] == [
        "Invalid: the service has no port 80",
        "Invalid: there is no such service",
    ]
    found["spec"]["ports"] = [{"port": 80}]
    assert backend_rows(ingress(), [found], [])[0]["cells"][-1] == "NotReady: no endpoints"


def test_addresses_for_a_browser() -> None:
    node = {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}
    ports = [
        {"name": "http", "port": 80, "nodePort": 30080},
        {"name": "https", "port": 443, "nodePort": 30443},
    ]
    by_node: Object = {"spec": {"type": "NodePort", "ports": ports}}
    assert list(of_service(by_node, [node])) == ["http://10.0.0.1:30080/", "https://10.0.0.1:30443/"]
    balanced = {**by_node, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}}}
    assert list(of_service(balanced, [node])) == ["http://10.0.0.9/", "https://10.0.0.9/"]
    assert list(of_service({"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}, [node])) == []
    served = {**ingress(), "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}
    assert of_ingress(served) == ["http://shop.example/", "http://shop.example/api"]
    served["status"]["loadBalancer"]["ingress"][0]["ports"] = [{"port": 8080}, {"port": 8443}]
    served["spec"] = {**served["spec"], "tls": [{"hosts": ["shop.example"]}]}
    assert of_ingress(served)[0] == "https://shop.example:8443/"
    assert of_ingress(ingress()) == []
    assert url("http", "::1", 80) == "http://[::1]/"


def test_where_there_is_a_browser() -> None:
    assert has_browser({"DISPLAY": ":0"}, "linux")
    assert has_browser({}, "darwin")
    assert not has_browser({}, "linux")
    assert not has_browser({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1"}, "linux")


def test_bytes_in_few_letters() -> None:
    assert [bytes_text(n) for n in (0, 999, 1434, 5_000_000)] == ["0B", "999B", "1.4Ki", "4.8Mi"]
