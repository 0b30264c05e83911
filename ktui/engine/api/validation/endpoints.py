"""Rules for Endpoints and EndpointSlices: the addresses behind a service."""

from __future__ import annotations

import re
from typing import Final

from ktui.engine.api.validation.addresses import address_of, check_ip, check_port, check_reachable
from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    immutable,
    invalid,
    one_of,
    required,
    too_many,
)
from ktui.engine.api.validation.metadata import check_labels, check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import items, mapping, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_TYPES: Final = ("FQDN", "IPv4", "IPv6")
_MOST_ADDRESSES: Final = 100
_MOST_ENDPOINTS: Final = 1000
_MOST_LABELS: Final = 16
_MOST_PORTS: Final = 20000


def validate_endpoints(endpoints: Object) -> list[Cause]:
    causes = check_metadata(endpoints, namespaced=True)
    for index, subset in enumerate(items(endpoints, "subsets")):
        at = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            causes.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for position, address in enumerate(items(subset, field)):
                causes += _address(address, f"{at}.{field}[{position}]")
        ports = items(subset, "ports")
        for position, port in enumerate(ports):
            causes += _port(port, f"{at}.ports[{position}]", needs_name=len(ports) > 1)
    return causes


def _address(address: Object, at: str) -> list[Cause]:
    text, host, node = string(address, "ip"), string(address, "hostname"), address.get("nodeName")
    causes = check_ip(f"{at}.ip", text)
    if host:
        causes += each_invalid(f"{at}.hostname", host, names.dns_label(host))
    if node is not None:
        causes += each_invalid(f"{at}.nodeName", node, names.dns_subdomain(node))
    return causes if names.ip_address(text) else causes + check_reachable(f"{at}.ip", text)


def _port(port: Object, at: str, *, needs_name: bool) -> list[Cause]:
    name = string(port, "name")
    causes: list[Cause] = []
    if name:
        causes += each_invalid(f"{at}.name", name, names.dns_label(name))
    elif needs_name:
        causes.append(required(f"{at}.name"))
    causes += check_port(f"{at}.port", port.get("port") or 0)
    return causes + _protocol(port, at) + _application(port, at)


def _protocol(port: Object, at: str) -> list[Cause]:
    protocol = string(port, "protocol")
    return one_of(f"{at}.protocol", protocol, _PROTOCOLS) if protocol else [required(f"{at}.protocol")]


def _application(port: Object, at: str) -> list[Cause]:
    name = port.get("appProtocol")
    return [] if name is None else each_invalid(f"{at}.appProtocol", name, names.qualified_name(name))


def validate_slice(endpoint_slice: Object) -> list[Cause]:
    causes = check_metadata(endpoint_slice, namespaced=True)
    kind = string(endpoint_slice, "addressType")
    causes += one_of("addressType", kind, _TYPES) if kind else [required("addressType")]
    found = items(endpoint_slice, "endpoints")
    if len(found) > _MOST_ENDPOINTS:
        causes.append(too_many("endpoints", len(found), _MOST_ENDPOINTS))
    else:
        for index, endpoint in enumerate(found):
            causes += _endpoint(endpoint, kind, f"endpoints[{index}]")
    return causes + _slice_ports(items(endpoint_slice, "ports"))


def validate_slice_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    return causes + immutable("addressType", new.get("addressType"), old.get("addressType"))


def _endpoint(endpoint: Object, kind: str, at: str) -> list[Cause]:
    addresses = strings(endpoint, "addresses")
    causes: list[Cause] = []
    if not addresses:
        causes.append(required(f"{at}.addresses", "must contain at least 1 address"))
    elif len(addresses) > _MOST_ADDRESSES:
        causes.append(too_many(f"{at}.addresses", len(addresses), _MOST_ADDRESSES))
    for index, address in enumerate(addresses):
        causes += _slice_address(address, kind, f"{at}.addresses[{index}]")
    labels = mapping(endpoint, "deprecatedTopology")
    if len(labels) > _MOST_LABELS:
        causes.append(too_many(f"{at}.deprecatedTopology", len(labels), _MOST_LABELS))
    causes += check_labels(labels, f"{at}.deprecatedTopology")
    host, node = endpoint.get("hostname"), endpoint.get("nodeName")
    if host is not None:
        causes += each_invalid(f"{at}.hostname", host, names.dns_label(host))
    if node is not None:
        causes += each_invalid(f"{at}.nodeName", node, names.dns_subdomain(node))
    return causes


def _slice_address(address: str, kind: str, at: str) -> list[Cause]:
    if kind == "FQDN":
        return _full_name(address, at)
    if kind not in ("IPv4", "IPv6"):
        return []
    found = address_of(address)
    causes: list[Cause] = []
    if found is None:
        causes += check_ip(at, address)
    elif f"IPv{found.version}" != kind:
        causes.append(invalid(at, address, f"must be a valid {kind} address"))
    return causes + (check_reachable(at, address) if found is not None else [])


def _full_name(name: str, at: str) -> list[Cause]:
    if not name:
        return [required(at)]
    bare = name.removesuffix(".")
    problems = names.dns_subdomain(bare)
    if problems:
        return each_invalid(at, bare, problems)
    if not re.search(r"\.", bare):
        return [invalid(at, bare, "should be a domain with at least two segments separated by dots")]
    return [cause for label in bare.split(".") for cause in each_invalid(at, label, names.dns_label(label))]


def _slice_ports(ports: list[Object]) -> list[Cause]:
    if len(ports) > _MOST_PORTS:
        return [too_many("ports", len(ports), _MOST_PORTS)]
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at = f"ports[{index}]"
        name = string(port, "name")
        if name:
            causes += each_invalid(f"{at}.name", name, names.dns_label(name))
        if name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
        number = port.get("port")
        if number is not None:
            causes += check_port(f"{at}.port", number)
        causes += _protocol(port, at) + _application(port, at)
    return causes
