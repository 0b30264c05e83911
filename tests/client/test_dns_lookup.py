"""Looking names up: nslookup in the pod, the search domains where it leaves them out, the cluster's DNS without it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any, cast

import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns import asyncquery

from ktui.client.base import Client, ExecOptions, ObjectList
from ktui.client.dns_lookup import candidates, look_up
from ktui.kube.errors import internal, not_found
from ktui.kube.kinds import SERVICES
from ktui.kube.resource import Object

KNOWN = {("web.shop.svc.cluster.local.", "A"): "10.96.0.9", ("example.com.", "A"): "192.0.2.1"}


def answered(wire: bytes) -> bytes:
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    name, kind = query.question[0].to_text().split()[0], query.question[0].to_text().split()[2]
    if (name, kind) in KNOWN:
        response.answer.append(dns.rrset.from_text(name, 5, "IN", kind, KNOWN[name, kind]))
    elif not any(known == name for known, _ in KNOWN):
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


class Session:
    def __init__(self, output: bytes, code: int) -> None:
        self.output, self.code = output, code

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        yield 1, self.output

    async def wait(self) -> int:
        return self.code

    async def close(self) -> None:
        pass


class Stream:
    """DNS over TCP, the answer in two pieces."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def write(self, data: bytes) -> None:
        wire = answered(data[2:])
        whole = struct.pack("!H", len(wire)) + wire
        self.pieces = [whole[:5], whole[5:]]

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    async def close(self) -> None:
        pass


class Cluster:
    """Names that nslookup knows, and a kube-dns before a pod or at an address."""

    def __init__(self, service: Object | None = None, *names: str, has_nslookup: bool = True) -> None:
        self.service, self.names, self.has_nslookup = service, names, has_nslookup
        self.asked: list[str] = []

    async def exec(self, pod: str, namespace: str, *, options: ExecOptions) -> Session:
        name = options.command[1]
        self.asked.append(name)
        if not self.has_nslookup:
            raise internal('exec: "nslookup": executable file not found in $PATH')
        return Session(b"Address: 10.96.0.9", 0) if name in self.names else Session(b"NXDOMAIN", 1)

    async def get(self, *_: Any, **__: Any) -> Object:
        if self.service is None:
            raise not_found(SERVICES, "kube-dns")
        return self.service

    async def list(self, *_: Any, **__: Any) -> ObjectList:
        pod = b'{"metadata":{"name":"coredns","namespace":"kube-system"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
        return ObjectList([pod], "1")

    async def port_forward(self, pod: str, namespace: str, port: int) -> Stream:
        assert (pod, namespace, port) == ("coredns", "kube-system", 53)
        return Stream()


def kube_dns(address: str, selector: Object | None = None) -> Object:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    spec = {"clusterIPs": [address], "selector": selector, "ports": ports}
    return {"kind": "Service", "metadata": {"name": "kube-dns"}, "spec": spec}


async def ask(cluster: Cluster, name: str, pod: str = "web-1") -> Any:
    async with asyncio.timeout(10):
        return await look_up(cast(Client, cluster), name, "shop", pod, "main")


async def test_nslookup_in_the_pod_answers() -> None:
    answer = await ask(Cluster(None, "web"), "web")
    assert (answer.found, answer.text, answer.asked) == (
        True,
        "Address: 10.96.0.9",
        "nslookup web in pod web-1",
    )


async def test_search_domains_are_tried_where_nslookup_does_not() -> None:
    cluster = Cluster(None, "web.shop.svc.cluster.local.")
    assert (await ask(cluster, "web.shop")).found
    assert cluster.asked == ["web.shop", "web.shop.shop.svc.cluster.local.", "web.shop.svc.cluster.local."]
    assert not (await ask(Cluster(None), "web.shop")).found


async def test_an_image_without_nslookup_has_the_cluster_asked_through_its_dns_pod() -> None:
    cluster = Cluster(kube_dns("10.96.0.10", {"k8s-app": "kube-dns"}), has_nslookup=False)
    answer = await ask(cluster, "web")
    assert (answer.found, answer.text) == (True, "web.shop.svc.cluster.local. 5 IN A 10.96.0.9")
    assert answer.asked == "kube-dns through pod coredns (the image of web-1 has no nslookup)"
    assert (await ask(cluster, "example.com")).text == "example.com. 5 IN A 192.0.2.1"
    missing = await ask(cluster, "none.")
    assert (missing.found, missing.text) == (False, "no address for none.: NXDOMAIN; tried\n  none.")


async def test_kube_dns_at_an_address_is_asked_by_udp(monkeypatch: pytest.MonkeyPatch) -> None:
    async def udp(query: Any, where: str, **_: Any) -> tuple[Any, bool]:
        assert where == "10.96.0.10"
        return dns.message.from_wire(answered(query.to_wire())), False

    monkeypatch.setattr(asyncquery, "udp_with_fallback", udp)
    answer = await ask(Cluster(kube_dns("10.96.0.10")), "web", pod="")
    assert answer.asked == "kube-dns at 10.96.0.10 (there is no pod to ask from)"
    assert answer.found


async def test_a_cluster_without_dns_is_an_error_that_says_so() -> None:
    with pytest.raises(OSError, match="the cluster has no DNS to ask"):
        await ask(Cluster(), "web", pod="")


def test_the_names_a_resolver_tries() -> None:
    assert candidates("a.b.c.d.e.f", "shop")[0] == "a.b.c.d.e.f."
    assert candidates("web.", "shop") == ["web."]
    assert candidates("web", "shop")[-1] == "web."
