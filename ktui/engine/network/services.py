"""Services joined with their EndpointSlices: what the proxies and the DNS server see.

In: the informers of both kinds. Out: for each Service its ports with the endpoints that traffic may go to, as
frozen values that compare equal when nothing changed, and a wake-up with the keys that did. One change costs
the same whatever the number of Services.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lightkube.models.core_v1 import Service
from lightkube.models.core_v1 import ServicePort as ServicePortSpec
from lightkube.models.discovery_v1 import Endpoint as SliceEndpoint
from lightkube.models.discovery_v1 import EndpointSlice

from ktui.client.informer import Delta, Informers
from ktui.kube.kinds import ENDPOINT_SLICES, SERVICES
from ktui.kube.resource import ObjectKey

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
"""A Service with this label is another proxy's."""
_AFFINITY_SECONDS = 10800


class Endpoint(NamedTuple):
    """One address and port behind a service port."""

    address: str
    port: int
    node: str = ""
    is_ready: bool = True
    """False for one that ends and only serves because no other does."""
    pod: str = ""
    """`namespace/name` of the pod, where it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of a Service, and where its traffic goes now."""

    service: ObjectKey
    name: str
    protocol: str
    """`tcp` or `udp`."""
    port: int
    node_port: int = 0
    cluster_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    """Who may use the load balancer's addresses; empty: everybody."""
    is_closed: bool = False
    """The load balancer's addresses let nobody in: its ranges are of another family."""
    affinity_seconds: int = 0
    """How long a client stays with its endpoint; 0 for no affinity."""
    internal_local: bool = False
    """`internalTrafficPolicy: Local`."""
    external_local: bool = False
    """`externalTrafficPolicy: Local`."""
    endpoints: tuple[Endpoint, ...] = ()

    ending: tuple[Endpoint, ...] = ()
    """Those that terminate and still serve: where no other does, they are among `endpoints` too."""
    created: str = ""
    """When the Service was made: of two that claim an address, the older one has it."""

    def local(self, node: str) -> tuple[Endpoint, ...]:
        """The endpoints on a node: the ready ones, or else those that end, though others are ready elsewhere."""
        here = tuple(endpoint for endpoint in self.endpoints if endpoint.node == node)
        return here or tuple(endpoint for endpoint in self.ending if endpoint.node == node)


class ServiceView:
    """All Services with their endpoints. Create it before the informers are awaited."""

    def __init__(self, informers: Informers) -> None:
        self._services = informers.of(SERVICES, Service)
        self._slices = informers.of(ENDPOINT_SLICES, EndpointSlice)
        self._slices.add_index("service", _service_of_slice)
        self._slices.add_index("address", _addresses_of_slice)
        self._services.add_index("address", _addresses_of_service)
        self._changed: set[ObjectKey] = set()
        self._listeners: list[Callable[[], None]] = []
        self.wake = asyncio.Event()
        """Set when `take_changes` has something to give."""
        self._services.add_handler(self._on_service)
        self._slices.add_handler(self._on_slice)

    async def wait_synced(self) -> None:
        """Return once both kinds have been listed."""
        await self._services.wait_synced()
        await self._slices.wait_synced()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` at each change of a Service or of its endpoints."""
        self._listeners.append(listener)

    def take_changes(self) -> set[ObjectKey]:
        """The Services that changed since the last call, themselves or in their endpoints."""
        changed, self._changed = self._changed, set()
        self.wake.clear()
        return changed

    def services(self) -> Iterable[tuple[ObjectKey, Service]]:
        return self._services.items()

    def service(self, key: ObjectKey) -> Service | None:
        return self._services.get(key)

    def slices(self, key: ObjectKey) -> list[EndpointSlice]:
        """The EndpointSlices of a Service, in the order of their names."""
        return self._slices.by_index("service", f"{key.namespace}/{key.name}")

    def services_at(self, address: str) -> list[ObjectKey]:
        """The Services that have a cluster IP."""
        return [
            ObjectKey(service.metadata.namespace or "", service.metadata.name or "")
            for service in self._services.by_index("address", address)
            if service.metadata
        ]

    def endpoints_at(self, address: str) -> list[tuple[ObjectKey, SliceEndpoint]]:
        """The endpoints with an address, and the Service of each."""
        return [
            (_key(value), endpoint)
            for piece in self._slices.by_index("address", address)
            for value in _service_of_slice(piece)
            for endpoint in piece.endpoints or ()
            if address in endpoint.addresses
        ]

    def ports(self, key: ObjectKey) -> tuple[ServicePort, ...]:
        """What a proxy serves for a Service: nothing for a headless, an external or another proxy's one."""
        service = self._services.get(key)
        if service is None or service.spec is None or is_anothers(service):
            return ()
        spec = service.spec
        addresses = cluster_ips(service)
        if spec.type == "ExternalName" or not addresses:
            return ()
        status = service.status.loadBalancer if service.status else None
        balancers = tuple(
            entry.ip
            for entry in (status.ingress if status else None) or ()
            if entry.ip and entry.ipMode != "Proxy" and ":" not in entry.ip
        )
        ranges = tuple(cidr.strip() for cidr in spec.loadBalancerSourceRanges or () if ":" not in cidr)
        affinity = 0
        if spec.sessionAffinity == "ClientIP":
            config = spec.sessionAffinityConfig.clientIP if spec.sessionAffinityConfig else None
            affinity = (config.timeoutSeconds if config else None) or _AFFINITY_SECONDS
        slices = self.slices(key)
        made = service.metadata.creationTimestamp if service.metadata else None
        return tuple(
            ServicePort(
                service=key,
                name=port.name or "",
                protocol=(port.protocol or "TCP").lower(),
                port=port.port,
                node_port=port.nodePort or 0,
                cluster_ips=addresses,
                external_ips=tuple(address for address in spec.externalIPs or () if ":" not in address),
                load_balancer_ips=balancers,
                source_ranges=ranges if balancers else (),
                is_closed=bool(balancers and spec.loadBalancerSourceRanges and not ranges),
                affinity_seconds=affinity,
                internal_local=spec.internalTrafficPolicy == "Local",
                external_local=spec.externalTrafficPolicy == "Local",
                endpoints=usable_endpoints(slices, port),
                ending=ending_endpoints(slices, port),
                created=made.isoformat() if made else "",
            )
            for port in spec.ports or ()
            if (port.protocol or "TCP") in ("TCP", "UDP")
        )

    def _on_service(self, delta: Delta[Service]) -> None:
        self._mark(delta.key)

    def _on_slice(self, delta: Delta[EndpointSlice]) -> None:
        for piece in (delta.old, delta.new):
            for value in _service_of_slice(piece) if piece is not None else ():
                self._mark(_key(value))

    def _mark(self, key: ObjectKey) -> None:
        self._changed.add(key)
        self.wake.set()
        for listener in self._listeners:
            listener()


def is_anothers(service: Service) -> bool:
    """Whether it says that another proxy serves it."""
    return _PROXY_NAME_LABEL in _labels(service)


def cluster_ips(service: Service) -> tuple[str, ...]:
    """The cluster IPs of the family that is served here; none for a headless Service."""
    spec = service.spec
    found = (spec.clusterIPs or (spec.clusterIP or "",)) if spec else ()
    return tuple(address for address in found if address not in ("", "None") and ":" not in address)


def usable_endpoints(slices: Iterable[EndpointSlice], port: ServicePortSpec) -> tuple[Endpoint, ...]:
    """Where traffic for a service port goes: the ready endpoints, and where there are none, those that still
    serve while they terminate
    (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions)."""
    slices = list(slices)
    ready = {
        _endpoint(number, endpoint)
        for number, endpoint in _addressed(slices, port)
        if endpoint.conditions is None or endpoint.conditions.ready is not False
    }
    return tuple(sorted(ready)) or ending_endpoints(slices, port)


def ending_endpoints(slices: Iterable[EndpointSlice], port: ServicePortSpec) -> tuple[Endpoint, ...]:
    """The endpoints that terminate and still serve."""
    ending = {
        _endpoint(number, endpoint)._replace(is_ready=False)
        for number, endpoint in _addressed(slices, port)
        if (conditions := endpoint.conditions) is not None
        and conditions.ready is False
        and conditions.serving
        and conditions.terminating
    }
    return tuple(sorted(ending))


def _endpoint(number: int, endpoint: SliceEndpoint) -> Endpoint:
    return Endpoint(endpoint.addresses[0], number, endpoint.nodeName or "", pod=_pod_of(endpoint))


def _addressed(slices: Iterable[EndpointSlice], port: ServicePortSpec) -> Iterator[tuple[int, SliceEndpoint]]:
    for piece in slices:
        if piece.addressType != "IPv4":
            continue
        for offered in piece.ports or ():
            same = (offered.name or "") == (port.name or "")
            if not same or not offered.port or (offered.protocol or "TCP") != (port.protocol or "TCP"):
                continue
            for endpoint in piece.endpoints or ():
                if endpoint.addresses:
                    yield offered.port, endpoint


def _pod_of(endpoint: SliceEndpoint) -> str:
    target = endpoint.targetRef
    return f"{target.namespace}/{target.name}" if target is not None and target.kind == "Pod" else ""


def _labels(obj: Any) -> Mapping[str, str]:
    return (obj.metadata and obj.metadata.labels) or {}


def _service_of_slice(piece: EndpointSlice) -> Iterable[str]:
    name = _labels(piece).get(SERVICE_NAME_LABEL)
    return (f"{piece.metadata.namespace}/{name}",) if name and piece.metadata else ()


def _key(value: str) -> ObjectKey:
    namespace, _, name = value.partition("/")
    return ObjectKey(namespace, name)


def _addresses_of_service(service: Service) -> Iterable[str]:
    spec = service.spec
    return (spec.clusterIPs or (spec.clusterIP or "",)) if spec else ()


def _addresses_of_slice(piece: EndpointSlice) -> Iterable[str]:
    return {address for endpoint in piece.endpoints or () for address in endpoint.addresses}
