"""kubectl's verbs about services and their endpoints."""

from __future__ import annotations

import json

from kubectl_engine import Kubectl, since


def rows_of(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in text.splitlines()]


@since(27)
def test_expose_makes_a_service_with_endpoints(web: Kubectl):
    web.ok("expose", "deployment", "web", "--port=80", "--target-port=8080", "--type=NodePort")
    service = json.loads(web.ok("get", "service", "web", "-o", "json"))
    assert service["spec"]["type"] == "NodePort"
    assert 30000 <= service["spec"]["ports"][0]["nodePort"] <= 32767
    web.ok("wait", "--for=jsonpath={.subsets[0].ports[0].port}=8080", "endpoints/web", "--timeout=20s")
    rows = rows_of(web.ok("get", "service", "web"))
    assert rows[0] == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert rows[1][:4] == ["web", "NodePort", service["spec"]["clusterIP"], "<none>"]
    slices = rows_of(web.ok("get", "endpointslices", "-l", "kubernetes.io/service-name=web"))
    assert slices[0] == ["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"]
    assert slices[1][1:3] == ["IPv4", "8080"]
    described = web.ok("describe", "service", "web")
    assert "TargetPort:               8080/TCP\n" in described and ":8080" in described


def test_what_is_allocated_can_be_asked_for_once(kubectl: Kubectl):
    kubectl.ok("create", "service", "nodeport", "a", "--tcp=80:80", "--node-port=31999")
    refused = kubectl.fails("create", "service", "nodeport", "b", "--tcp=80:80", "--node-port=31999")
    assert "spec.ports[0].nodePort: Invalid value: 31999: provided port is already allocated" in refused
    kubectl.ok("delete", "service", "a")
    kubectl.ok("create", "service", "nodeport", "b", "--tcp=80:80", "--node-port=31999")
    kubectl.ok("delete", "service", "b")


def test_the_clusters_own_service(kubectl: Kubectl):
    network = kubectl.ok("get", "servicecidr", "kubernetes", "-o", "jsonpath={.spec.cidrs[0]}")
    address = kubectl.ok("get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}")
    assert address == network.partition("/")[0].rpartition(".")[0] + ".1"


@since(27)
def test_ingresses_and_policies_are_made(kubectl: Kubectl):
    kubectl.ok("create", "ingress", "shop", "--rule=shop.example.com/cart*=web:80,tls=cert")
    assert rows_of(kubectl.ok("get", "ingress", "shop"))[1][:4] == [
        "shop",
        "<none>",
        "shop.example.com",
        "80,",
    ]
    assert "GROUP:      networking.k8s.io" in kubectl.ok("explain", "networkpolicy.spec")
