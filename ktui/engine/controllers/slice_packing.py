"""How endpoints are laid out in slices of a hundred, with as few and as small writes as possible.

In: the slices there are and the endpoints there should be, by the ports they have. Out: which slices to create,
change, delete and leave. As Kubernetes packs: an endpoint stays in its slice; new ones fill slices that change
anyway, then full new slices are made, and what is left goes into the fullest slice that has room for all of it.
Slices are never balanced for its own sake. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from lightkube.models.discovery_v1 import Endpoint, EndpointPort, EndpointSlice

MOST_ENDPOINTS: Final = 100

Ports: TypeAlias = tuple[tuple[str, str, int, str], ...]
"""Ports in an order that makes equal ones equal: name, protocol, number, application protocol."""


class Change(NamedTuple):
    """A slice and the endpoints it shall have."""

    slice: EndpointSlice
    endpoints: list[Endpoint]


class New(NamedTuple):
    """A slice to be made."""

    ports: list[EndpointPort]
    endpoints: list[Endpoint]


@dataclass(slots=True)
class Packing:
    """What to do about the slices of one service and address type."""

    create: list[New] = field(default_factory=list[New])
    update: list[Change] = field(default_factory=list[Change])
    delete: list[EndpointSlice] = field(default_factory=list[EndpointSlice])
    keep: list[EndpointSlice] = field(default_factory=list[EndpointSlice])


@dataclass(slots=True)
class Wanted:
    """Endpoints with the same ports."""

    ports: list[EndpointPort]
    endpoints: list[Endpoint] = field(default_factory=list[Endpoint])


def ports_key(ports: Iterable[EndpointPort]) -> Ports:
    return tuple(
        sorted(
            (port.name or "", port.protocol or "TCP", port.port or 0, port.appProtocol or "")
            for port in ports
        )
    )


def group(endpoints: Iterable[tuple[list[EndpointPort], Endpoint]]) -> dict[Ports, Wanted]:
    """Endpoints by their ports."""
    found: dict[Ports, Wanted] = {}
    for ports, endpoint in endpoints:
        found.setdefault(ports_key(ports), Wanted(ports)).endpoints.append(endpoint)
    return found


def pack(
    existing: Sequence[EndpointSlice], wanted: Mapping[Ports, Wanted], most: int = MOST_ENDPOINTS
) -> Packing:
    """The writes that turn `existing` into `wanted`. At least one slice stays or is made, if only an empty one."""
    packing = Packing()
    by_ports: dict[Ports, list[EndpointSlice]] = {}
    for found in existing:
        by_ports.setdefault(ports_key(found.ports or ()), []).append(found)
    for ports, slices in by_ports.items():
        if ports not in wanted:
            packing.delete += slices
    for ports, group_ in wanted.items():
        _pack_group(packing, by_ports.get(ports, []), group_, most)
    if not packing.create and not packing.update and not packing.keep:
        _placeholder(packing)
    _recycle(packing)
    return packing


def _pack_group(packing: Packing, existing: Sequence[EndpointSlice], wanted: Wanted, most: int) -> None:
    missing = {_identity(endpoint): endpoint for endpoint in wanted.endpoints}
    changed: list[Change] = []
    kept: list[EndpointSlice] = []
    for found in existing:
        before = found.endpoints or []
        after = [missing.pop(key) for endpoint in before if (key := _identity(endpoint)) in missing]
        if not after:
            packing.delete.append(found)
        elif len(after) == len(before) and all(map(_same, before, after)):
            kept.append(found)
        else:
            changed.append(Change(found, after))
    left = list(missing.values())
    for change in sorted(changed, key=lambda change: -len(change.endpoints)):
        room = most - len(change.endpoints)
        change.endpoints.extend(left[:room])
        left = left[room:]
    while len(left) >= most:
        packing.create.append(New(wanted.ports, left[:most]))
        left = left[most:]
    if left:
        fullest = _with_room(kept, len(left), most)
        if fullest is None:
            packing.create.append(New(wanted.ports, left))
        else:
            kept.remove(fullest)
            changed.append(Change(fullest, [*(fullest.endpoints or ()), *left]))
    packing.update += changed
    packing.keep += kept


def _with_room(slices: Iterable[EndpointSlice], needed: int, most: int) -> EndpointSlice | None:
    """The fullest slice that takes all of them."""
    fitting = [found for found in slices if len(found.endpoints or ()) + needed <= most]
    return max(fitting, key=lambda found: len(found.endpoints or ()), default=None)


def _placeholder(packing: Packing) -> None:
    """A service without endpoints has an empty slice, so that one sees that it was looked at."""
    for found in packing.delete:
        if not found.endpoints and not found.ports:
            packing.delete.remove(found)
            packing.keep.append(found)
            return
    packing.create.append(New([], []))


def _recycle(packing: Packing) -> None:
    """Change a slice rather than delete it and make another."""
    while packing.create and packing.delete:
        new, old = packing.create.pop(), packing.delete.pop(0)
        packing.update.append(Change(_with_ports(old, new.ports), new.endpoints))


def _with_ports(found: EndpointSlice, ports: list[EndpointPort]) -> EndpointSlice:
    return EndpointSlice(
        addressType=found.addressType,
        apiVersion=found.apiVersion,
        kind=found.kind,
        metadata=found.metadata,
        ports=ports,
        endpoints=found.endpoints,
    )


def _identity(endpoint: Endpoint) -> tuple[tuple[str, ...], str, str, str]:
    """What makes an endpoint the same one, whatever its condition."""
    target = endpoint.targetRef
    name, namespace = (target.name or "", target.namespace or "") if target else ("", "")
    return tuple(sorted(endpoint.addresses)), endpoint.hostname or "", namespace, name


def _same(one: Endpoint, other: Endpoint) -> bool:
    return _state(one) == _state(other)


def _state(endpoint: Endpoint) -> tuple[object, ...]:
    conditions = endpoint.conditions
    found = (conditions.ready, conditions.serving, conditions.terminating) if conditions else None
    target = endpoint.targetRef
    uid = target.uid or "" if target else ""
    return found, endpoint.nodeName or "", endpoint.zone or "", uid
