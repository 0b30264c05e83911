"""Where a proxied request goes: to a port of a pod, to a service's pod, to a node's agent, or to a node's port.

In: the subresource `proxy` of an object and a name like `https:web-0:8443`. Out: something to dial. A pod is
dialled by its own node's agent, inside its network, and a node at the address it declares: no address that a
client names is ever used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ktui.client.base import ListOptions
from ktui.client.node import NodeAgent
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode
from ktui.engine.api.reading import Reader
from ktui.engine.api.request import Request
from ktui.engine.api.subresources.streams import PodStreams
from ktui.kube.address import join_host_port
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import StatusError, bad_request, unavailable
from ktui.kube.kinds import ENDPOINT_SLICES, NODES, PODS, SERVICES
from ktui.kube.resource import Object, Resource

KUBELET_PORT = 10250
_SCHEMES = ("", "http", "https")
_DEFAULT_PORTS = {"": 80, "http": 80, "https": 443}

Dial = Callable[[], Awaitable[tuple[object, object]]]


@dataclass(frozen=True, slots=True)
class Backend:
    """A server behind the proxy. `address` is what messages call it."""

    address: str
    dial: Dial
    tls: bool = False


class Opened(Protocol):
    """The server's check that a caller may do something; gives the kind's declaration."""

    async def __call__(
        self, request: Request, verb: str, resource: Resource, namespace: str, name: str, subresource: str
    ) -> Declaration: ...


class Proxies:
    """Finds the backends of objects that have a `proxy`."""

    def __init__(
        self,
        opened: Opened,
        reader: Reader,
        streams: PodStreams,
        declaration_of: Callable[[Resource], Declaration],
    ) -> None:
        self._opened = opened
        self._declaration_of = declaration_of
        self._reader = reader
        self._streams = streams
        self._kinds: dict[str, Callable[[Object, str, str], Awaitable[Backend | NodeAgent]]] = {
            PODS.key: self._pod,
            SERVICES.key: self._service,
            NODES.key: self._node,
        }

    def serves(self, resource: Resource) -> bool:
        """Whether objects of this kind can be proxied to."""
        return resource.key in self._kinds

    async def backend(
        self, request: Request, verb: str, resource: Resource, namespace: str, name: str
    ) -> Backend | NodeAgent:
        """What answers for an object, if the caller may reach it so. Raises StatusError."""
        declaration = await self._opened(request, verb, resource, namespace, name, "proxy")
        scheme, plain, port = split_name(name, resource)
        obj = decode((await self._reader.get(declaration, namespace, plain)).data)
        return await self._kinds[resource.key](obj, scheme, port)

    async def dial_service(self, namespace: str, name: str, port: int) -> tuple[object, object]:
        """A connection to what is behind a service, for the server's own calls: a ready pod, an address outside of
        the cluster, or the name an ExternalName service stands for. Raises StatusError, OSError."""
        entry = await self._reader.get(self._declaration_of(SERVICES), namespace, name)
        service = decode(entry.data)
        spec = section(service, "spec")
        if spec.get("type") == "ExternalName":
            return await asyncio.open_connection(string(spec, "externalName"), port)
        try:
            backend = await self._service(service, "https", str(port))
        except StatusError:
            outside = await self._outside(namespace, name, _port_name(service, str(port)))
            if not outside:
                raise
            return await asyncio.open_connection(*random.choice(outside))
        return await backend.dial()

    async def _outside(self, namespace: str, service: str, port: str) -> list[tuple[str, int]]:
        """The ready endpoints of a service that are no pods."""
        return [
            (address, number)
            for endpoint, number in await self._endpoints(namespace, service, port)
            if section(endpoint, "targetRef").get("kind") != PODS.kind
            for address in strings(endpoint, "addresses")
            if _is_allowed(address)
        ]

    async def _pod(self, pod: Object, scheme: str, port: str) -> Backend:
        ip = string(section(pod, "status"), "podIP")
        if not ip:
            raise bad_request("address not allowed")
        number = _number(port) if port else _first_port(pod) or _DEFAULT_PORTS[scheme]
        return self._port_of(pod, ip, number, scheme)

    def _port_of(self, pod: Object, ip: str, port: int, scheme: str) -> Backend:
        dial = partial(self._streams.connect, pod, port)
        return Backend(join_host_port(ip, port), dial, scheme == "https")

    async def _service(self, service: Object, scheme: str, port: str) -> Backend:
        """One of the service's ready pods, by chance."""
        metadata = section(service, "metadata")
        name, namespace = string(metadata, "name"), string(metadata, "namespace")
        wanted = _port_name(service, port)
        found = [
            (pod, ip, number)
            for endpoint, number in await self._endpoints(namespace, name, wanted)
            if (pod := await self._pod_behind(namespace, endpoint)) is not None
            for ip in (string(section(pod, "status"), "podIP"),)
            if ip and ip in strings(endpoint, "addresses")
        ]
        if not found:
            raise unavailable(f'no endpoints available for service "{name}"')
        pod, ip, number = random.choice(found)
        return self._port_of(pod, ip, number, scheme)

    async def _endpoints(self, namespace: str, service: str, port: str) -> list[tuple[Object, int]]:
        """The ready endpoints behind a port, and its number there."""
        options = ListOptions(label_selector=f"kubernetes.io/service-name={service}")
        slices = await self._reader.list(self._declaration_of(ENDPOINT_SLICES), namespace, options)
        return [
            (endpoint, int(number))
            for each in slices.items
            for served in items(each, "ports")
            if string(served, "name") == port and (number := served.get("port"))
            for endpoint in items(each, "endpoints")
            if section(endpoint, "conditions").get("ready") is not False
        ]

    async def _pod_behind(self, namespace: str, endpoint: Object) -> Object | None:
        """The pod an endpoint is; None for addresses that are nobody's pod."""
        target = section(endpoint, "targetRef")
        if target.get("kind") != PODS.kind:
            return None
        try:
            entry = await self._reader.get(self._declaration_of(PODS), namespace, string(target, "name"))
        except StatusError:
            return None
        return decode(entry.data)

    async def _node(self, node: Object, scheme: str, port: str) -> Backend | NodeAgent:
        if port in ("", str(KUBELET_PORT)):
            return self._streams.agent(string(section(node, "metadata"), "name"))
        addresses = items(section(node, "status"), "addresses")
        host = next((string(a, "address") for a in addresses if a.get("type") == "InternalIP"), "")
        if not _is_allowed(host):
            raise bad_request("address not allowed")
        number = _number(port)
        dial = partial(asyncio.open_connection, host, number)
        return Backend(join_host_port(host, number), dial, scheme == "https")


def split_name(name: str, resource: Resource) -> tuple[str, str, str]:
    """Scheme, name and port of `[scheme:]name[:port]`."""
    parts = name.split(":")
    match parts:
        case [plain]:
            scheme, port = "", ""
        case [plain, port]:
            scheme = ""
        case [scheme, plain, port]:
            pass
        case _:
            scheme, plain, port = "?", "", ""
    if scheme not in _SCHEMES or not plain:
        raise bad_request(f'invalid {resource.singular} request "{name}"')
    return scheme, plain, port


def _number(port: str) -> int:
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise bad_request(f'invalid port "{port}": must be a number between 1 and 65535')
    return int(port)


def _port_name(service: Object, port: str) -> str:
    """The name of a service's port, which is told by name or number; "" for the port without a name."""
    if not (port.isascii() and port.isdigit()):
        return port
    name = string(section(service, "metadata"), "name")
    for each in items(section(service, "spec"), "ports"):
        if each.get("port") == int(port):
            return string(each, "name")
    raise unavailable(f'no service port {port} found for service "{name}"')


def _first_port(pod: Object) -> int | None:
    """The first port that a container of the pod names."""
    for container in items(section(pod, "spec"), "containers"):
        for port in items(container, "ports"):
            return int(port["containerPort"])
    return None


def _is_allowed(host: str) -> bool:
    """Not this machine's loopback, nor an address that only means something on a link."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)
