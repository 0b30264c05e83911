"""Services, Ingresses and NetworkPolicies with kubectl: made, described, reached through the API and forwarded."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from kubectl_engine import Kubectl, ended, line_of, since

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: np}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {a: b}}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]
    ports: [{port: 80}, {protocol: UDP, port: 100, endPort: 200}]
  egress:
  - to: [{namespaceSelector: {}}]
"""
DESCRIBED_POLICY = """\
Spec:
  PodSelector:     app=web
  Allowing ingress traffic:
    To Port: 80/TCP
    To Port Range: 100-200/UDP
    From:
      PodSelector: a=b
    From:
      IPBlock:
        CIDR: 10.0.0.0/8
        Except: 10.1.0.0/16
  Allowing egress traffic:
    To Port: <any> (traffic allowed to all ports)
    To:
      NamespaceSelector: <none>
  Policy Types: Ingress, Egress
"""


@pytest.fixture
def front(web: Kubectl) -> Kubectl:
    """kubectl where the Service `front` leads to the pods of `web`: port 80 to theirs, 81 to one without a server."""
    ports = [
        {"name": "http", "port": 8000, "targetPort": 80},
        {"name": "closed", "port": 81, "targetPort": "nope"},
    ]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front"},
        "spec": {"selector": {"app": "web"}, "ports": ports},
    }
    web.ok("apply", "-f", "-", stdin=json.dumps(service))
    ready = "jsonpath={.items[*].endpoints[*].conditions.ready}"
    web.until("true true", "get", "endpointslices", "-l", "kubernetes.io/service-name=front", "-o", ready)
    return web


@since(24)
def test_a_service_is_reached_through_the_api(front: Kubectl):
    base = f"/api/v1/namespaces/{front.namespace}/services"
    for name in ("front:http", "front:8000", "http:front:http", "http:front:8000"):
        assert front.ok("get", "--raw", f"{base}/{name}/proxy/any/path?x=y") == "sim\n", name
    for name, why in (
        ("front", 'no endpoints available for service "front"'),
        ("front:closed", 'no endpoints available for service "front"'),
        ("front:9", 'no service port 9 found for service "front"'),
    ):
        error = front.fails("get", "--raw", f"{base}/{name}/proxy/")
        assert error == f"Error from server (ServiceUnavailable): {why}\n", name
    error = front.fails("get", "--raw", f"{base}/nope:80/proxy/")
    assert error == 'Error from server (NotFound): services "nope" not found\n'
    error = front.fails("get", "--raw", f"{base}/ftp:front:http/proxy/")
    assert 'invalid service request "ftp:front:http"' in error
    front.ok("scale", "deploy/web", "--replicas=0")
    front.ok("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=30s")
    front.until("", "get", "endpointslices", "-o", "jsonpath={.items[*].endpoints[*].addresses}")
    error = front.fails("get", "--raw", f"{base}/front:http/proxy/")
    assert error == 'Error from server (ServiceUnavailable): no endpoints available for service "front"\n'


@since(24)
def test_a_service_is_reached_through_kubectl_proxy(front: Kubectl):
    process = front.start("proxy", "--port=0")
    try:
        address = line_of(process).split()[-1]
        url = f"http://{address}/api/v1/namespaces/{front.namespace}/services/front:http/proxy"
        for method, path in (("GET", "/"), ("POST", "/a/b"), ("GET", "")):
            request = urllib.request.Request(url + path, b"x" if method == "POST" else None, method=method)
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert (answer.status, answer.read()) == (200, b"sim\n"), path
    finally:
        ended(process)


@since(24)
@pytest.mark.parametrize("websockets", ["false", "true"])
def test_a_services_port_is_forwarded(front: Kubectl, websockets: str):
    front.environment["KUBECTL_PORT_FORWARD_WEBSOCKETS"] = websockets
    for port, shown in (":8000", "80"), (":http", "80"):
        process = front.start("port-forward", "service/front", port, "--address=127.0.0.1")
        try:
            said = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)", line_of(process))
            assert said is not None and said[2] == shown
            with urllib.request.urlopen(f"http://127.0.0.1:{said[1]}/", timeout=10) as answer:
                assert answer.read() == b"sim\n"
        finally:
            ended(process)
    error = front.fails("port-forward", "svc/front", ":9")
    assert error == "error: Service front does not have a service port 9\n"


def test_expose_takes_what_selects_pods(web: Kubectl):
    web.ok("run", "one", "--image=i", "--port=8080", "--labels=app=one")
    replica_set = web.ok("get", "rs", "-o", "name").strip()
    for words, name in (
        (("deploy", "web"), "web"),
        (("pod", "one", "--type=ClusterIP", "--cluster-ip=None"), "one"),
        ((replica_set, "--port=81", "--name=rs", "--type=LoadBalancer"), "rs"),
        (("service", "web", "--port=443", "--target-port=http", "--name=again"), "again"),
        (("deploy", "web", "--port=80", "--name=sticky", "--session-affinity=ClientIP"), "sticky"),
    ):
        assert web.ok("expose", *words) == f"service/{name} exposed\n"
    ports = "jsonpath={.spec.ports[*].port} {.spec.ports[*].targetPort} {.spec.clusterIP}"
    assert web.ok("get", "svc", "one", "-o", ports) == "8080 8080 None"
    assert web.ok("get", "svc", "again", "-o", ports).startswith("443 http 10.")
    affinity = "jsonpath={.spec.sessionAffinity} {.spec.sessionAffinityConfig.clientIP.timeoutSeconds}"
    assert web.ok("get", "svc", "sticky", "-o", affinity) == "ClientIP 10800"
    assert (
        web.fails("expose", "deploy", "nope", "--port=1")
        == 'Error from server (NotFound): deployments.apps "nope" not found\n'
    )
    assert (
        web.fails("expose", "configmap", "kube-root-ca.crt", "--port=1")
        == "error: cannot expose a ConfigMap\n"
    )
    web.ok("delete", "svc", "rs")


def test_every_type_of_service_is_created_and_listed(kubectl: Kubectl):
    for words, name in (
        (("clusterip", "ci", "--tcp=80:8080", "--tcp=443:https"), "ci"),
        (("clusterip", "hl", "--clusterip=None"), "hl"),
        (("externalname", "en", "--external-name=example.com"), "en"),
        (("nodeport", "np", "--tcp=80"), "np"),
    ):
        assert kubectl.ok("create", "service", *words) == f"service/{name} created\n"
    rows = [line.split() for line in kubectl.ok("get", "svc", "-o", "wide").splitlines()]
    assert rows[0] == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]
    shown = {row[0]: [*row[1:5], row[6]] for row in rows[1:]}
    assert shown["ci"][0] == "ClusterIP" and shown["ci"][2:] == ["<none>", "80/TCP,443/TCP", "app=ci"]
    assert shown["hl"] == ["ClusterIP", "None", "<none>", "<none>", "app=hl"]
    assert shown["en"] == ["ExternalName", "<none>", "example.com", "<none>", "app=en"]
    assert re.fullmatch(r"80:3[0-2]\d{3}/TCP", shown["np"][3])
    assert (
        kubectl.fails("create", "service", "clusterip", "ci", "--tcp=80")
        == 'error: failed to create ClusterIP service: services "ci" already exists\n'
    )
    described = kubectl.ok("describe", "svc", "en")
    assert "Type:              ExternalName\n" in described
    assert "External Name:     example.com\n" in described


@since(24)
def test_endpoints_are_shown_and_said_to_be_deprecated(front: Kubectl):
    found = front.run("get", "endpoints", "front")
    assert (
        found.err == "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n"
    )
    assert found.rows[0] == ["NAME", "ENDPOINTS", "AGE"]
    addresses = front.ok("get", "pods", "-o", "jsonpath={.items[*].status.podIP}").split()
    assert sorted(found.rows[1][1].split(",")) == sorted(f"{ip}:80" for ip in addresses)
    described = front.ok("describe", "endpoints", "front")
    assert "  NotReadyAddresses:  <none>\n  Ports:\n    Name  Port  Protocol\n" in described
    assert "    http  80    TCP\n" in described
    described = front.ok("describe", "endpointslices", "-l", "kubernetes.io/service-name=front")
    assert described.count("    Conditions:\n      Ready:    true\n") == 2
    assert "    TargetRef:  Pod/web-" in described


@since(33)
def test_a_service_is_described(front: Kubectl):
    address = front.ok("get", "svc", "front", "-o", "jsonpath={.spec.clusterIP}")
    described = front.ok("describe", "svc", "front")
    endpoints = re.search(r"^Endpoints: +(\S+)$", described, re.MULTILINE)
    assert endpoints is not None and endpoints[1].count(":80") == 2
    assert [line for line in described.splitlines() if not line.startswith(("Endpoints", "Annotations", " "))] == [
        "Name:                     front",
        f"Namespace:                {front.namespace}",
        "Labels:                   <none>",
        "Selector:                 app=web",
        "Type:                     ClusterIP",
        "IP Family Policy:         SingleStack",
        "IP Families:              IPv4",
        f"IP:                       {address}",
        f"IPs:                      {address}",
        "Port:                     http  8000/TCP",
        "TargetPort:               80/TCP",
        "Port:                     closed  81/TCP",
        "TargetPort:               nope/TCP",
        "Session Affinity:         None",
        "Internal Traffic Policy:  Cluster",
        "Events:                   <none>",
    ]  # fmt: skip


@since(24)
def test_ingresses_are_created_and_described(front: Kubectl):
    rules = ("--rule=a.example/=front:http", "--rule=b.example/x*=front:8000,tls=cert", "--rule=/y*=gone:1")
    made = front.ok("create", "ingress", "shop", "--class=own", "--default-backend=front:http", *rules)
    assert made == "ingress.networking.k8s.io/shop created\n"
    rows = [line.split() for line in front.ok("get", "ingress").splitlines()]
    assert rows == [
        ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"],
        ["shop", "own", "a.example,b.example", "80,", "443", rows[1][5]],
    ]
    described = front.ok("describe", "ingress", "shop")
    shown = re.sub(r"\([\d.:,]+\)", "(ADDRESSES)", described.replace('endpoints "gone"', 'services "gone"'))
    assert shown.splitlines() == [
        "Name:             shop",
        "Labels:           <none>",
        f"Namespace:        {front.namespace}",
        "Address:          ",
        "Ingress Class:    own",
        "Default backend:  front:http (ADDRESSES)",
        "TLS:",
        "  cert terminates b.example",
        "Rules:",
        "  Host        Path  Backends",
        "  ----        ----  --------",
        "  a.example   ",
        "              /   front:http (ADDRESSES)",
        "  b.example   ",
        "              /x   front:8000 (ADDRESSES)",
        "  *           ",
        '              /y   gone:1 (<error: services "gone" not found>)',
        "Annotations:  <none>",
        "Events:       <none>",
    ]


@since(31)
def test_policies_are_listed_and_described(kubectl: Kubectl):
    assert kubectl.ok("apply", "-f", "-", stdin=POLICY) == "networkpolicy.networking.k8s.io/np created\n"
    rows = [line.split() for line in kubectl.ok("get", "netpol").splitlines()]
    assert rows == [["NAME", "POD-SELECTOR", "AGE"], ["np", "app=web", rows[1][2]]]
    assert kubectl.ok("describe", "netpol", "np").partition("Spec:")[2] == DESCRIBED_POLICY[5:]
