"""The subsets of an Endpoints object: addresses with the same ports together, at most a thousand of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from lightkube.models.core_v1 import EndpointAddress, EndpointPort, EndpointSubset, Pod, Service

from ktui.engine.controllers.endpoint_pods import (
    address_of,
    host_name_of,
    is_endpoint,
    is_headless,
    port_of,
    publishes_all,
    service_ports,
    target_of,
)
from ktui.engine.controllers.objects import is_ready, node_of

MOST_ADDRESSES: Final = 1000

_Ports: TypeAlias = tuple[tuple[str, int, str, str], ...]
_Found: TypeAlias = tuple[EndpointAddress, bool, _Ports]
"""An address, whether it is ready, and its ports."""


def subsets_of(service: Service, pods: Iterable[Pod]) -> list[EndpointSubset]:
    """The pods behind a service, ready ones apart from those that are not."""
    by_ports: dict[_Ports, tuple[list[EndpointAddress], list[EndpointAddress]]] = {}
    for address, ready, ports in _addresses(service, pods):
        found = by_ports.setdefault(ports, ([], []))
        found[0 if ready else 1].append(address)
    return [
        EndpointSubset(
            addresses=_sorted(ready) or None,
            notReadyAddresses=_sorted(waiting) or None,
            ports=[
                EndpointPort(
                    name=name or None, port=number, protocol=protocol, appProtocol=application or None
                )
                for name, number, protocol, application in ports
            ]
            or None,
        )
        for ports, (ready, waiting) in sorted(by_ports.items())
    ]


def _addresses(service: Service, pods: Iterable[Pod]) -> Iterator[_Found]:
    everything = publishes_all(service)
    wanted = service_ports(service)
    for pod in pods:
        ip = address_of(pod)
        if not ip or not is_endpoint(pod, even_terminating=everything):
            continue
        address = EndpointAddress(
            ip=ip,
            hostname=host_name_of(pod, service),
            nodeName=node_of(pod) or None,
            targetRef=target_of(pod),
        )
        ports = tuple(
            sorted(
                (port.name or "", number, port.protocol or "TCP", port.appProtocol or "")
                for port in wanted
                if (number := port_of(pod, port)) is not None
            )
        )
        if ports or (not wanted and is_headless(service)):
            yield address, everything or is_ready(pod), ports


def _sorted(addresses: list[EndpointAddress]) -> list[EndpointAddress]:
    return sorted(addresses, key=lambda address: (address.ip, _uid(address)))


def _uid(address: EndpointAddress) -> str:
    return (address.targetRef and address.targetRef.uid) or ""


def truncated(subsets: Sequence[EndpointSubset], most: int = MOST_ADDRESSES) -> list[EndpointSubset] | None:
    """At most that many addresses, a fair share of each subset, ready ones first; None when all fit."""
    ready = sum(len(subset.addresses or ()) for subset in subsets)
    waiting = sum(len(subset.notReadyAddresses or ()) for subset in subsets)
    if ready + waiting <= most:
        return None
    of_ready = min(1.0, most / ready) if ready else 0.0
    of_waiting = max(0, most - ready) / waiting if waiting else 0.0
    cut: list[EndpointSubset] = []
    for subset in subsets:
        kept = (subset.addresses or [])[: round(len(subset.addresses or ()) * of_ready)]
        others = (subset.notReadyAddresses or [])[: round(len(subset.notReadyAddresses or ()) * of_waiting)]
        if kept or others:
            cut.append(
                EndpointSubset(addresses=kept or None, notReadyAddresses=others or None, ports=subset.ports)
            )
    return cut
