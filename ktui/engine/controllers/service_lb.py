"""Load balancers without a cloud: a LoadBalancer service is reached at the addresses of the nodes themselves.

As in k3s: `status.loadBalancer` gets the nodes' addresses (those with endpoints, when external traffic is to
stay local), and the service proxy answers there. One port of a node serves one service: the older has it, the
other stays pending and says why. A service that names a `loadBalancerClass` of somebody else is left to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lightkube.models.core_v1 import Node, Service
from lightkube.models.discovery_v1 import EndpointSlice

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import (
    created_at,
    is_deleting,
    key_of,
    labels_of,
    namespace_of,
    plain,
    uid_of,
    with_status,
)
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import ENDPOINT_SLICES, NODES, SERVICES
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.service import SERVICE_NAME_LABEL

CLASS: Final = "ktui.dev/node"
"""The `loadBalancerClass` that asks for this one by name."""
_BY_PORT: Final = "balanced port"
_BY_SERVICE: Final = "service"


class ServiceLoadBalancer(Controller[ObjectKey]):
    """Fills in where LoadBalancer services are reached."""

    name = "service-lb-controller"

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._services = informers.of(SERVICES, Service)
        self._nodes = informers.of(NODES, Node)
        self._slices = informers.of(ENDPOINT_SLICES, EndpointSlice)
        self._services.add_index(_BY_PORT, _ports_taken)
        self._slices.add_index(_BY_SERVICE, _service_of)
        self._services.add_handler(self._service_changed)
        self._nodes.add_handler(self._node_changed)
        self._slices.add_handler(self._slice_changed)

    def _service_changed(self, delta: Delta[Service]) -> None:
        for service in (delta.old, delta.new):
            for port in _ports_taken(service) if service is not None else ():
                for sharing in self._services.by_index(_BY_PORT, port):
                    self._queue.add(key_of(sharing))
        if delta.new is not None and _is_ours(delta.new):
            self._queue.add(delta.key)

    def _node_changed(self, delta: Delta[Node]) -> None:
        addresses = [_addresses(node) if node is not None else [] for node in (delta.old, delta.new)]
        if addresses[0] != addresses[1]:
            for key, service in self._services.items():
                if _is_ours(service):
                    self._queue.add(key)

    def _slice_changed(self, delta: Delta[EndpointSlice]) -> None:
        for found in (delta.old, delta.new):
            name = labels_of(found).get(SERVICE_NAME_LABEL) if found is not None else None
            service = self._services.get(ObjectKey(delta.key.namespace, name)) if name else None
            if service is not None and _is_ours(service) and _is_local(service):
                self._queue.add(key_of(service))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        service = self._services.get(key)
        if service is None or not _is_ours(service) or is_deleting(service):
            return None
        older = self._older(service)
        if older is not None:
            port, other = older
            message = f"port {port} of the nodes serves {other} already; this service stays pending"
            self._recorder.event(service, "Warning", "PortTaken", message)
        addresses: list[str] = [] if older is not None else self._reached_at(service)
        wanted: Object = (
            {"ingress": [{"ip": address, "ipMode": "VIP"} for address in addresses]} if addresses else {}
        )
        balancer = service.status.loadBalancer if service.status else None
        if (plain(balancer) if balancer is not None else {}) == wanted:
            return None
        body = with_status(service, None)
        conditions: Object = plain(service.status) if service.status else {}
        body["status"] = {**conditions, "loadBalancer": wanted}
        try:
            await self._client.update(SERVICES, body, subresource="status")
        except StatusError as error:
            if not error.is_not_found:
                raise
        return None

    def _older(self, service: Service) -> tuple[str, ObjectKey] | None:
        """A port that another service had before, and which one."""
        rank = (created_at(service), uid_of(service))
        for port in _ports_taken(service):
            for other in self._services.by_index(_BY_PORT, port):
                if (created_at(other), uid_of(other)) < rank and not is_deleting(other):
                    return port, key_of(other)
        return None

    def _reached_at(self, service: Service) -> list[str]:
        """The addresses of the nodes that answer for it."""
        nodes = {name: _addresses(node) for (_, name), node in self._nodes.items()}
        if _is_local(service):
            serving = self._nodes_with_endpoints(key_of(service))
            nodes = {name: found for name, found in nodes.items() if name in serving}
        return sorted({address for found in nodes.values() for address in found})

    def _nodes_with_endpoints(self, key: ObjectKey) -> set[str]:
        return {
            endpoint.nodeName
            for found in self._slices.by_index(_BY_SERVICE, str(key))
            for endpoint in found.endpoints or ()
            if endpoint.nodeName and (endpoint.conditions is None or endpoint.conditions.ready is not False)
        }


def _is_ours(service: Service) -> bool:
    spec = service.spec
    return spec is not None and spec.type == "LoadBalancer" and spec.loadBalancerClass in (None, "", CLASS)


def _is_local(service: Service) -> bool:
    return service.spec is not None and service.spec.externalTrafficPolicy == "Local"


def _ports_taken(service: Service) -> Iterable[str]:
    if not _is_ours(service) or service.spec is None:
        return ()
    return [f"{port.port}/{port.protocol or 'TCP'}" for port in service.spec.ports or ()]


def _service_of(found: EndpointSlice) -> Iterable[str]:
    name = labels_of(found).get(SERVICE_NAME_LABEL)
    return (str(ObjectKey(namespace_of(found), name)),) if name else ()


def _addresses(node: Node) -> list[str]:
    """Where a node is reached: what it says of itself."""
    status = node.status
    return [
        found.address for found in (status.addresses if status else None) or () if found.type == "InternalIP"
    ]
