"""Endpoints and EndpointSlice: the addresses behind a service, in one object or in slices of a hundred."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, text
from ktui.engine.api.validation.endpoints import (
    validate_endpoints,
    validate_slice,
    validate_slice_update,
)
from ktui.engine.api.validation.metadata import check_metadata_update
from ktui.kube.data import items, string, strings
from ktui.kube.kinds import ENDPOINT_SLICES, ENDPOINTS
from ktui.kube.resource import Object

_SHOWN: Final = 3


def default(endpoints: Object) -> Object:
    subsets = items(endpoints, "subsets")
    if not any(subset.get("ports") for subset in subsets):
        return endpoints
    changed = [
        {**subset, "ports": [_with_protocol(port) for port in items(subset, "ports")]}
        if subset.get("ports")
        else subset
        for subset in subsets
    ]
    return {**endpoints, "subsets": changed}


def _with_protocol(port: Object) -> Object:
    return {**port, "protocol": string(port, "protocol") or "TCP"}


def default_slice(endpoint_slice: Object) -> Object:
    ports = [
        {**_with_protocol(port), "name": string(port, "name")} for port in items(endpoint_slice, "ports")
    ]
    return {**endpoint_slice, "ports": ports} if ports else endpoint_slice


def host_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _addresses(endpoints: Object) -> str:
    subsets = items(endpoints, "subsets")
    if not subsets:
        return NONE
    found: list[str] = []
    for subset in subsets:
        addresses = [string(address, "ip") for address in items(subset, "addresses")]
        ports = items(subset, "ports")
        if not ports:
            found += addresses
        for port in ports:
            found += [host_port(address, port.get("port") or 0) for address in addresses]
    return _some(found)


def _some(found: list[str]) -> str:
    """The first few, and how many more there are."""
    shown = ",".join(found[:_SHOWN])
    return f"{shown} + {len(found) - _SHOWN} more..." if len(found) > _SHOWN else shown


def _slice_ports(endpoint_slice: Object) -> str:
    ports = items(endpoint_slice, "ports")
    return _some([str(port.get("port") or string(port, "name") or "*") for port in ports]) or "<unset>"


def _slice_addresses(endpoint_slice: Object) -> str:
    found = items(endpoint_slice, "endpoints")
    return _some(list(_all(strings(endpoint, "addresses") for endpoint in found))) or "<unset>"


def _all(lists: Iterable[list[str]]) -> Iterable[str]:
    return (item for each in lists for item in each)


DECLARATIONS = (
    Declaration(
        resource=ENDPOINTS,
        schema="io.k8s.api.core.v1.Endpoints",
        warning="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        creates_on_update=True,
        columns=(NAME, text("Endpoints", _addresses, "Addresses that are ready."), AGE),
        default=default,
        validate_create=validate_endpoints,
        validate_update=check_metadata_update,
    ),
    Declaration(
        resource=ENDPOINT_SLICES,
        schema="io.k8s.api.discovery.v1.EndpointSlice",
        columns=(
            NAME,
            text("AddressType", lambda found: string(found, "addressType"), "IPv4, IPv6 or FQDN."),
            text("Ports", _slice_ports, "Ports of its endpoints."),
            text("Endpoints", _slice_addresses, "Addresses of its endpoints."),
            AGE,
        ),
        default=default_slice,
        validate_create=validate_slice,
        validate_update=validate_slice_update,
        has_generation=True,
    ),
)
