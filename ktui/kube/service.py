"""What a Service's type and fields mean: whether it has a cluster IP, node ports, a health check port.

In: a Service as JSON data. These are the facts on which defaulting, validation, allocation, tables and the
network parts have to agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.resource import Object

HEADLESS: Final = "None"
"""The cluster IP of a service that wants none."""
SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
"""On an EndpointSlice: the service it belongs to."""
MANAGED_BY_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
"""On an EndpointSlice: which controller writes it."""
HEADLESS_LABEL: Final = "service.kubernetes.io/headless"
"""On Endpoints and EndpointSlices of headless services."""
NODE_PORTS: Final = (30000, 32767)
"""The first and the last port of the range that node ports are taken from."""


def type_of(service: Object) -> str:
    """`ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`."""
    return string(section(service, "spec"), "type")


def ports_of(service: Object) -> list[Object]:
    return items(section(service, "spec"), "ports")


def cluster_ips(service: Object) -> list[str]:
    return strings(section(service, "spec"), "clusterIPs")


def is_headless(service: Object) -> bool:
    """It has no cluster IP on purpose: its name resolves to its endpoints."""
    return cluster_ips(service) == [HEADLESS]


def needs_cluster_ip(service: Object) -> bool:
    """Of a type that can have a cluster IP (headless ones can too)."""
    return type_of(service) in ("ClusterIP", "NodePort", "LoadBalancer")


def needs_node_ports(service: Object) -> bool:
    """Each of its ports is also a port of every node."""
    kind = type_of(service)
    wanted = section(service, "spec").get("allocateLoadBalancerNodePorts")
    return kind == "NodePort" or (kind == "LoadBalancer" and wanted is not False)


def needs_health_check(service: Object) -> bool:
    """A load balancer asks a port of each node whether it has endpoints of its own."""
    return (
        type_of(service) == "LoadBalancer"
        and section(service, "spec").get("externalTrafficPolicy") == "Local"
    )


def is_external(service: Object) -> bool:
    """Reachable from outside the cluster."""
    kind = type_of(service)
    has_addresses = bool(section(service, "spec").get("externalIPs"))
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and has_addresses)


def count_endpoints(slices: Iterable[Object]) -> tuple[int, int]:
    """How many endpoints of a service are ready, and how many there are, from its EndpointSlices.

    One in slices of two address families counts once; one that no port of the service leads to (its targetPort names
    none of the pod's) is not ready.
    """
    ready: set[str] = set()
    known: set[str] = set()
    for each in slices:
        is_headless = HEADLESS_LABEL in mapping(section(each, "metadata"), "labels")
        leads_there = is_headless or bool(items(each, "ports"))
        for endpoint in items(each, "endpoints"):
            address = ",".join(strings(endpoint, "addresses"))
            who = str(section(endpoint, "targetRef").get("uid") or address)
            known.add(who)
            if leads_there and section(endpoint, "conditions").get("ready") is not False:
                ready.add(who)
    return len(ready), len(known)
