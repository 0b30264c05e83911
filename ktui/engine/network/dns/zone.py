"""What the cluster's zone says: Kubernetes' DNS-based service discovery, version 1.1.0
(https://github.com/kubernetes/dns/blob/master/docs/specification.md).

Nothing is copied: an answer is looked up among the Services and their endpoints as they are now. Names that
are there without records of the asked type give no data; all others in the zone do not exist.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import dns.name
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.rrset
from lightkube.models.core_v1 import Namespace, Service
from lightkube.models.discovery_v1 import Endpoint, EndpointSlice

from ktui.client.informer import Delta, Informers
from ktui.engine.network.services import ServiceView, cluster_ips
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.kinds import NAMESPACES
from ktui.kube.resource import ObjectKey

TTL = 5
"""Seconds that a client may keep an answer."""
_VERSION = "1.1.0"
_SERIAL = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """The sections of a response."""

    records: list[dns.rrset.RRset] = field(default_factory=list[dns.rrset.RRset])
    additional: list[dns.rrset.RRset] = field(default_factory=list[dns.rrset.RRset])
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    alias: str = ""
    """Where a name outside the zone is to be looked up: an ExternalName."""


NO_DATA = Answer()
NO_NAME = Answer(rcode=dns.rcode.NXDOMAIN)


class Zone:
    """The names under the cluster's domain, and of its addresses."""

    def __init__(self, view: ServiceView, informers: Informers, settings: NetworkSettings) -> None:
        self._view = view
        self._namespaces = informers.of(NAMESPACES, Namespace)
        self._origin = dns.name.from_text(settings.domain)
        self._server = f"ns.dns.{self._origin.to_text()}"
        self._address = settings.gateway
        self._networks = [
            ipaddress.ip_network(cidr) for cidr in (settings.service_cidr, settings.pod_cidr) if cidr
        ]

    async def wait_synced(self) -> None:
        await self._view.wait_synced()
        await self._namespaces.wait_synced()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a namespace comes or goes."""

        def handle(delta: Delta[Namespace]) -> None:
            if delta.old is None or delta.new is None:
                listener()

        self._namespaces.add_handler(handle)

    def holds(self, name: dns.name.Name) -> bool:
        """Whether the zone alone answers for a name."""
        if name.is_subdomain(self._origin):
            return True
        address = _reversed_address(name)
        return address is not None and (
            any(address in network for network in self._networks)
            or bool(self._view.services_at(str(address)))
        )

    def authority(self) -> dns.rrset.RRset:
        """The record that says how long a "no" may be kept."""
        origin = self._origin.to_text()
        text = f"{self._server} hostmaster.{origin} {_SERIAL} 7200 1800 86400 {TTL}"
        return dns.rrset.from_text(self._origin, TTL, "IN", "SOA", text)

    def answer(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Answer:
        """The answer for a name that the zone holds."""
        if not name.is_subdomain(self._origin):
            return self._pointer(name, kind)
        labels = [label.decode("latin-1").lower() for label in name.relativize(self._origin).labels]
        match labels:
            case []:
                if kind is dns.rdatatype.SOA:
                    return Answer([self.authority()])
                return _only(name, kind, "NS", [self._server])
            case ["svc" | "pod"]:
                return NO_DATA
            case ["dns"]:
                return NO_DATA
            case ["ns", "dns"]:
                return _only(name, kind, "A", [self._address])
            case ["dns-version"]:
                return _only(name, kind, "TXT", [f'"{_VERSION}"'])
            case [*_, namespace, "svc" | "pod"] if not self._namespaces.get(ObjectKey("", namespace)):
                return NO_NAME
            case [_, "svc" | "pod"]:
                return NO_DATA
            case [dashed, _, "pod"]:
                address = _address(dashed)
                return _only(name, kind, "A", [address]) if address else NO_NAME
            case [*more, service, namespace, "svc"] if len(more) <= 2:
                return self._service(name, kind, ObjectKey(namespace, service), more)
            case _:
                return NO_NAME

    def _service(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType, key: ObjectKey, more: list[str]
    ) -> Answer:
        service = self._view.service(key)
        if service is None or service.spec is None:
            return NO_NAME
        if service.spec.type == "ExternalName":
            return self._external(name, kind, service.spec.externalName or "") if not more else NO_NAME
        is_headless = service.spec.clusterIP in (None, "", "None")
        slices = self._view.slices(key)
        ready = [endpoint for piece in slices for endpoint in _ready(piece)]
        if is_headless and not ready:
            return NO_NAME
        match more:
            case []:
                if kind is dns.rdatatype.SRV:
                    return self._srv(name, key, service, slices)
                return _only(name, kind, "A", _addresses(ready) if is_headless else cluster_ips(service))
            case [label] if label in ("_tcp", "_udp"):
                return NO_DATA
            case [label]:
                found = [endpoint for endpoint in ready if _host_label(endpoint) == label]
                return _only(name, kind, "A", _addresses(found)) if found else NO_NAME
            case [port, protocol]:
                if not port.startswith("_") or protocol not in ("_tcp", "_udp"):
                    return NO_NAME
                answer = self._srv(name, key, service, slices, port[1:], protocol[1:].upper())
                if answer is NO_NAME or kind in (dns.rdatatype.SRV, dns.rdatatype.ANY):
                    return answer
                return NO_DATA
            case _:
                return NO_NAME

    def _external(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, target: str) -> Answer:
        canonical = target.rstrip(".") + "."
        record = dns.rrset.from_text(name, TTL, "IN", "CNAME", canonical)
        return Answer([record], alias="" if kind is dns.rdatatype.CNAME else canonical)

    def _srv(
        self,
        name: dns.name.Name,
        key: ObjectKey,
        service: Service,
        slices: list[EndpointSlice],
        port: str = "",
        protocol: str = "",
    ) -> Answer:
        """The ports of a Service (or one by name), with the addresses of what they lead to."""
        assert service.spec is not None
        base = f"{key.name}.{key.namespace}.svc.{self._origin.to_text()}"
        targets: set[tuple[int, str, str]] = set()
        if service.spec.clusterIP in (None, "", "None"):
            for piece in slices:
                for offered in piece.ports or ():
                    if _is_asked(offered.name, offered.protocol, port, protocol) and offered.port:
                        targets |= {
                            (offered.port, f"{_host_label(endpoint)}.{base}", endpoint.addresses[0])
                            for endpoint in _ready(piece)
                        }
        else:
            targets = {
                (offered.port, base, address)
                for offered in service.spec.ports or ()
                if _is_asked(offered.name, offered.protocol, port, protocol)
                for address in cluster_ips(service)
            }
        if not targets:
            return NO_NAME if port else NO_DATA
        weight = max(1, 100 // len(targets))
        records = [f"0 {weight} {number} {host}" for number, host, _ in sorted(targets)]
        additional = [
            dns.rrset.from_text(dns.name.from_text(host), TTL, "IN", "A", address)
            for host, address in sorted({(host, address) for _, host, address in targets})
        ]
        return Answer([dns.rrset.from_text_list(name, TTL, "IN", "SRV", records)], additional)

    def _pointer(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Answer:
        address = str(_reversed_address(name) or "")
        origin = self._origin.to_text()
        names = [f"{key.name}.{key.namespace}.svc.{origin}" for key in self._view.services_at(address)]
        names += [
            f"{_host_label(endpoint)}.{key.name}.{key.namespace}.svc.{origin}"
            for key, endpoint in self._view.endpoints_at(address)
            if _is_ready(endpoint)
        ]
        return _only(name, kind, "PTR", names) if names else NO_NAME


def _is_asked(offered: str | None, by: str | None, port: str, protocol: str) -> bool:
    return not port or ((offered or "").lower() == port and (by or "TCP") == protocol)


def _only(name: dns.name.Name, kind: dns.rdatatype.RdataType, having: str, values: Iterable[str]) -> Answer:
    """The values where their type is asked for, else no data."""
    texts = list(dict.fromkeys(values))
    if not texts or kind not in (dns.rdatatype.from_text(having), dns.rdatatype.ANY):
        return NO_DATA
    return Answer([dns.rrset.from_text_list(name, TTL, "IN", having, texts)])


def _ready(piece: EndpointSlice) -> Iterator[Endpoint]:
    if piece.addressType != "IPv4":
        return
    for endpoint in piece.endpoints or ():
        if endpoint.addresses and _is_ready(endpoint):
            yield endpoint


def _is_ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def _addresses(endpoints: Iterable[Endpoint]) -> list[str]:
    return [endpoint.addresses[0] for endpoint in endpoints]


def _host_label(endpoint: Endpoint) -> str:
    return (endpoint.hostname or endpoint.addresses[0].replace(".", "-")).lower()


def _address(dashed: str) -> str:
    """The address that a pod's name stands for; "" when it is none."""
    try:
        return str(ipaddress.IPv4Address(dashed.replace("-", ".")))
    except ValueError:
        return ""


def _reversed_address(name: dns.name.Name) -> ipaddress.IPv4Address | None:
    if not name.is_subdomain(dns.reversename.ipv4_reverse_domain) or len(name.labels) != 7:
        return None
    try:
        return ipaddress.IPv4Address(dns.reversename.to_address(name))
    except ValueError:
        return None
