"""Which endpoint gets the next request of a backend: one after the other, among those that are ready."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from lightkube.models.core_v1 import Service
from lightkube.models.core_v1 import ServicePort as ServicePortSpec

from ktui.engine.network.ingress.routes import Backend
from ktui.engine.network.services import ServiceView, usable_endpoints


class Target(NamedTuple):
    """Where to connect to; `host` is an address, or an external Service's name."""

    host: str
    port: int
    pod: str = ""
    """`namespace/name` of a pod that is reached through the node."""


class Balancer:
    """Endpoints of backends, looked up once between two changes of Services."""

    def __init__(self, view: ServiceView, *, through_node: bool = False) -> None:
        self._view = view
        self._through_node = through_node
        self._known: dict[Backend, tuple[Target, ...]] = {}
        self._turn = count()
        view.on_change(self._known.clear)

    def targets(self, backend: Backend) -> tuple[Target, ...]:
        """In the order in which to try them; empty when none is ready or there is no such Service or port."""
        found = self._known.get(backend)
        if found is None:
            found = self._known[backend] = self._look(backend)
        if len(found) < 2:
            return found
        first = next(self._turn) % len(found)
        return found[first:] + found[:first]

    def has_service(self, backend: Backend) -> bool:
        """Whether there is the Service at all, with such a port."""
        service = self._view.service(backend.service)
        return service is not None and _port(service, backend.port) is not None

    def _look(self, backend: Backend) -> tuple[Target, ...]:
        service = self._view.service(backend.service)
        port = _port(service, backend.port) if service is not None else None
        if service is None or service.spec is None or port is None:
            return ()
        if service.spec.type == "ExternalName":
            return (Target(service.spec.externalName or "", port.port),)
        endpoints = usable_endpoints(self._view.slices(backend.service), port)
        return tuple(
            Target(endpoint.address, endpoint.port, endpoint.pod if self._through_node else "")
            for endpoint in endpoints
        )


def _port(service: Service, wanted: int | str) -> ServicePortSpec | None:
    spec = service.spec
    for port in (spec.ports if spec else None) or ():
        if wanted in (port.port, port.name):
            return port
    if spec and spec.type == "ExternalName" and isinstance(wanted, int):
        return ServicePortSpec(port=wanted)
    return None
