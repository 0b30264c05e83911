"""Services that the cluster itself offers to pods: the API (`kubernetes`) and DNS (`kube-dns`).

In: where each is reached. Out: a Service at its fixed place in the services' network, with hand-made endpoints.
Who changes or deletes them finds them put right.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from lightkube.models.core_v1 import Endpoints, Service
from lightkube.models.discovery_v1 import EndpointSlice

from ktui.client.base import Client
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.endpointslicemirroring import SKIP_LABEL
from ktui.engine.controllers.objects import labels_of, plain
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.data import items, section, strings
from ktui.kube.kinds import ENDPOINT_SLICES, ENDPOINTS, SERVICE_CIDRS, SERVICES
from ktui.kube.resource import Object, ObjectKey, Resource
from ktui.kube.service import SERVICE_NAME_LABEL

_RANGE: Final = "kubernetes"
_API: Final = 443
_DNS: Final = 53


class Port(NamedTuple):
    """One port of a published service, and the one behind it."""

    name: str
    port: int
    target: int
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One service: `place` is which address of the network it has, `ip` where it runs ("": nowhere now)."""

    key: ObjectKey
    place: int
    ip: str
    ports: Sequence[Port]
    labels: dict[str, str] = field(default_factory=dict[str, str])


def api_service(ip: str, port: int) -> Published:
    """`kubernetes.default`: pods reach the API server at this address."""
    return Published(
        key=ObjectKey("default", "kubernetes"),
        place=1,
        ip=_reachable(ip),
        ports=(Port("https", _API, port or _API),),
        labels={"component": "apiserver", "provider": "kubernetes"},
    )


def dns_service(ip: str) -> Published:
    """`kube-dns.kube-system`: pods resolve names at this address."""
    return Published(
        key=ObjectKey("kube-system", "kube-dns"),
        place=10,
        ip=_reachable(ip),
        ports=(Port("dns", _DNS, _DNS, "UDP"), Port("dns-tcp", _DNS, _DNS)),
        labels={
            "k8s-app": "kube-dns",
            "kubernetes.io/cluster-service": "true",
            "kubernetes.io/name": "CoreDNS",
        },
    )


def _reachable(ip: str) -> str:
    """A loopback address means something else to each pod."""
    return "" if not ip or ipaddress.ip_address(ip).is_loopback else ip


class PublishedServices(Controller[ObjectKey]):
    """Makes the Services, their Endpoints and their EndpointSlices."""

    name = "published-services-controller"

    def __init__(self, client: Client, published: Sequence[Published]) -> None:
        self._client = client
        self._published = {each.key: each for each in published}

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        if not self._published:
            return
        self._services = informers.of(SERVICES, Service)
        self._endpoints = informers.of(ENDPOINTS, Endpoints)
        self._slices = informers.of(ENDPOINT_SLICES, EndpointSlice)

        def changed(delta: Delta[Any]) -> None:
            if delta.key in self._published:
                queue.add(delta.key)

        for informer in (self._services, self._endpoints, self._slices):
            informer.add_handler(changed)
        for key in self._published:
            queue.add(key)

    async def reconcile(self, key: ObjectKey) -> Result | None:
        wanted = self._published[key]
        service = self._services.get(key)
        if service is None:
            await self._client.create(SERVICES, await self._service(wanted), key.namespace)
        elif [plain(port) for port in (service.spec and service.spec.ports) or ()] != _service_ports(wanted):
            change: Object = {"spec": {"ports": _service_ports(wanted)}}
            await self._client.patch(SERVICES, key.name, change, key.namespace)
        await self._put(ENDPOINTS, self._endpoints.get(key), _endpoints(wanted))
        await self._put(ENDPOINT_SLICES, self._slices.get(key), _slice(wanted))
        return None

    async def _service(self, wanted: Published) -> Object:
        found = await self._client.get(SERVICE_CIDRS, _RANGE)
        network = ipaddress.ip_network(strings(section(found, "spec"), "cidrs")[0])
        spec: Object = {"clusterIP": str(network[wanted.place]), "ports": _service_ports(wanted)}
        return {**_typed(SERVICES, wanted.key, wanted.labels), "spec": {**spec, "type": "ClusterIP"}}

    async def _put(self, resource: Resource, found: Any, wanted: Object) -> None:
        if found is None:
            await self._client.create(resource, wanted, wanted["metadata"]["namespace"])
        elif _differs(found, wanted):
            await self._client.update(resource, wanted)


def _service_ports(wanted: Published) -> list[Object]:
    return [
        {"name": port.name, "port": port.port, "protocol": port.protocol, "targetPort": port.target}
        for port in wanted.ports
    ]


def _target_ports(wanted: Published) -> list[Object]:
    return [{"name": port.name, "port": port.target, "protocol": port.protocol} for port in wanted.ports]


def _endpoints(wanted: Published) -> Object:
    subset: Object = {"addresses": [{"ip": wanted.ip}], "ports": _target_ports(wanted)}
    return {**_typed(ENDPOINTS, wanted.key, {SKIP_LABEL: "true"}), "subsets": [subset] if wanted.ip else []}


def _slice(wanted: Published) -> Object:
    endpoint: Object = {"addresses": [wanted.ip], "conditions": {"ready": True}}
    return {
        **_typed(ENDPOINT_SLICES, wanted.key, {SERVICE_NAME_LABEL: wanted.key.name}),
        "addressType": "IPv4",
        "endpoints": [endpoint] if wanted.ip else [],
        "ports": _target_ports(wanted),
    }


def _typed(resource: Resource, key: ObjectKey, labels: dict[str, str]) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": key.name, "namespace": key.namespace, "labels": dict(labels)},
    }


def _differs(found: Any, wanted: Object) -> bool:
    """Whether what was published is no longer what is there."""
    there = plain(found)
    labels: dict[str, str] = section(wanted, "metadata")["labels"]
    return not labels.items() <= labels_of(found).items() or any(
        items(there, name) != items(wanted, name) for name in ("subsets", "endpoints", "ports")
    )
