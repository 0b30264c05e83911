"""Services, their endpoints, ingresses and network policies, as an API server stores them."""

from __future__ import annotations

from typing import Any

from ktui.kube import kinds
from ktui.kube.resource import Resource

STAMP = "2026-01-02T03:04:05Z"


def made(
    resource: Resource, name: str, labels: dict[str, str] | None = None, **fields: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "creationTimestamp": STAMP,
        "uid": f"{resource.singular}-{name}",
    }
    if resource.namespaced:
        metadata["namespace"] = "shop"
    if labels:
        metadata["labels"] = labels
    if annotations := fields.pop("annotations", None):
        metadata["annotations"] = annotations
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **fields}


FAMILY = {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster"}
WEB = made(
    kinds.SERVICES,
    "web",
    {"app": "web", "tier": "front"},
    annotations={"note": "hello"},
    spec={
        **FAMILY,
        "type": "LoadBalancer",
        "clusterIP": "10.96.0.20",
        "clusterIPs": ["10.96.0.20"],
        "externalIPs": ["192.0.2.7"],
        "externalTrafficPolicy": "Local",
        "healthCheckNodePort": 30100,
        "loadBalancerIP": "10.9.9.9",
        "loadBalancerSourceRanges": ["10.0.0.0/8", "192.168.0.0/16"],
        "selector": {"tier": "front", "app": "web"},
        "sessionAffinity": "ClientIP",
        "ports": [
            {"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080, "protocol": "TCP"},
            {"name": "dns", "port": 53, "targetPort": 5353, "nodePort": 30053, "protocol": "UDP"},
        ],
    },
    status={
        "loadBalancer": {"ingress": [{"ip": "192.168.1.2", "ipMode": "VIP"}, {"hostname": "lb.example.com"}]}
    },
)
DB = made(
    kinds.SERVICES,
    "db",
    spec={"type": "ExternalName", "externalName": "db.example.com", "sessionAffinity": "None"},
)
PEERS = made(
    kinds.SERVICES,
    "peers",
    spec={
        **FAMILY,
        "type": "ClusterIP",
        "clusterIP": "None",
        "clusterIPs": ["None"],
        "selector": {"app": "peers"},
        "sessionAffinity": "None",
        "ports": [{"port": 7000, "targetPort": 7000, "protocol": "TCP"}],
    },
)
SLICE = made(
    kinds.ENDPOINT_SLICES,
    "web-a",
    {"kubernetes.io/service-name": "web"},
    addressType="IPv4",
    ports=[
        {"name": "http", "port": 8080, "protocol": "TCP"},
        {"name": "dns", "port": 5353, "protocol": "UDP"},
    ],
    endpoints=[
        {
            "addresses": ["10.1.0.1"],
            "conditions": {"ready": True},
            "hostname": "web-0",
            "nodeName": "node1",
            "targetRef": {"kind": "Pod", "name": "web-0", "namespace": "shop"},
            "zone": "z1",
        },
        {"addresses": ["10.1.0.2"], "conditions": {"ready": True}, "nodeName": "node1"},
        {"addresses": ["10.1.0.3"], "conditions": {"ready": False, "serving": True, "terminating": True}},
        {"addresses": ["10.1.0.4"]},
        {"addresses": ["10.1.0.5"]},
    ],
)
EMPTY_SLICE = made(kinds.ENDPOINT_SLICES, "empty", addressType="IPv4", ports=[], endpoints=[])
ENDPOINTS = made(
    kinds.ENDPOINTS,
    "manual",
    subsets=[
        {
            "addresses": [{"ip": "10.2.0.1"}, {"ip": "10.2.0.2"}],
            "notReadyAddresses": [{"ip": "10.2.0.3"}],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        },
        {"addresses": [{"ip": "10.3.0.1"}]},
    ],
)


def backend(service: str, **port: Any) -> dict[str, Any]:
    return {"service": {"name": service, "port": port}}


SHOP = made(
    kinds.INGRESSES,
    "shop",
    {"app": "shop"},
    annotations={"ktui.dev/redirect": "true"},
    spec={
        "ingressClassName": "ktui",
        "defaultBackend": backend("web", name="http"),
        "tls": [
            {"hosts": ["shop.example.com", "www.example.com"], "secretName": "cert"},
            {"hosts": ["a.example.com"]},
            {"secretName": "all"},
        ],
        "rules": [
            {
                "host": "shop.example.com",
                "http": {
                    "paths": [
                        {"path": "/cart", "pathType": "Prefix", "backend": backend("web", number=80)},
                        {"path": "/x", "pathType": "Exact", "backend": backend("missing", number=80)},
                    ]
                },
            },
            {
                "http": {
                    "paths": [
                        {
                            "pathType": "ImplementationSpecific",
                            "backend": {
                                "resource": {"apiGroup": "ktui.dev", "kind": "Bucket", "name": "static"}
                            },
                        }
                    ]
                }
            },
            {"host": "bare.example.com"},
        ],
    },
    status={"loadBalancer": {"ingress": [{"ip": "192.168.1.2"}, {"hostname": "lb.example.com"}]}},
)
PLAIN = made(kinds.INGRESSES, "plain", spec={"defaultBackend": backend("nowhere", number=8080)})
CLASS = made(
    kinds.INGRESS_CLASSES,
    "ktui",
    annotations={"ingressclass.kubernetes.io/is-default-class": "true"},
    spec={
        "controller": "ktui.dev/ingress",
        "parameters": {
            "apiGroup": "ktui.dev",
            "kind": "Config",
            "name": "main",
            "scope": "Namespace",
            "namespace": "shop",
        },
    },
)
STRICT = made(
    kinds.NETWORK_POLICIES,
    "strict",
    {"a": "b"},
    spec={
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "ports": [
                    {"port": 80, "protocol": "TCP"},
                    {"port": 53, "protocol": "UDP"},
                    {"port": "http", "protocol": "TCP"},
                    {"port": 32000, "endPort": 32768, "protocol": "TCP"},
                    {"protocol": "TCP"},
                ],
                "from": [
                    {"podSelector": {"matchLabels": {"app": "front"}}},
                    {
                        "namespaceSelector": {"matchLabels": {"team": "a"}},
                        "podSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]},
                    },
                    {"namespaceSelector": {"matchLabels": {"team": "b"}}},
                    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.0.0/16"]}},
                ],
            },
            {"from": [{"podSelector": {}}]},
        ],
        "egress": [{}],
    },
)
DENY = made(kinds.NETWORK_POLICIES, "deny", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
OUT = made(
    kinds.NETWORK_POLICIES,
    "out",
    spec={
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
        ],
    },
)

CASES: list[tuple[Resource, dict[str, Any]]] = [
    (kinds.SERVICES, WEB),
    (kinds.SERVICES, DB),
    (kinds.SERVICES, PEERS),
    (kinds.ENDPOINT_SLICES, SLICE),
    (kinds.ENDPOINT_SLICES, EMPTY_SLICE),
    (kinds.ENDPOINTS, ENDPOINTS),
    (kinds.INGRESSES, SHOP),
    (kinds.INGRESSES, PLAIN),
    (kinds.INGRESS_CLASSES, CLASS),
    (kinds.NETWORK_POLICIES, STRICT),
    (kinds.NETWORK_POLICIES, DENY),
    (kinds.NETWORK_POLICIES, OUT),
]
