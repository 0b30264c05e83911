"""Services, Endpoints and EndpointSlices: what is reached, and what stands behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ktui.describe.fields import metadata_of, write_events, write_names
from ktui.describe.related import Related
from ktui.describe.text import NONE, UNSET, Text
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.resource import Object

_SHOWN = 3


def describe_service(out: Text, obj: Object, related: Related) -> None:
    """Write a Service; `related.slices` are its own."""
    spec = section(obj, "spec")
    write_names(out, obj)
    out.field("Selector", _pairs(mapping(spec, "selector")))
    out.field("Type", string(spec, "type"))
    if spec.get("ipFamilyPolicy") is not None:
        out.field("IP Family Policy", spec["ipFamilyPolicy"])
    out.field("IP Families", ",".join(strings(spec, "ipFamilies")) or NONE)
    out.field("IP", string(spec, "clusterIP"))
    out.field("IPs", ",".join(strings(spec, "clusterIPs")) or NONE)
    for label, value in (
        ("External IPs", ",".join(strings(spec, "externalIPs"))),
        ("Desired LoadBalancer IP", string(spec, "loadBalancerIP")),
        ("External Name", string(spec, "externalName")),
        ("LoadBalancer Ingress", _balancers(obj)),
    ):
        if value:
            out.field(label, value)
    slices = (related.slices or {}).get(string(metadata_of(obj), "name"), ())
    for port in items(spec, "ports"):
        _write_port(out, port, slices)
    out.field("Session Affinity", string(spec, "sessionAffinity"))
    for label, field in (
        ("External Traffic Policy", "externalTrafficPolicy"),
        ("Internal Traffic Policy", "internalTrafficPolicy"),
        ("HealthCheck NodePort", "healthCheckNodePort"),
    ):
        if spec.get(field):
            out.field(label, spec[field])
    if ranges := strings(spec, "loadBalancerSourceRanges"):
        out.field("LoadBalancer Source Ranges", ",".join(ranges))
    if related.causes:
        out.line("Why it has no endpoints:")
        for cause in related.causes:
            out.line(f"- {cause}", level=1)
    write_events(out, related.events)


def _write_port(out: Text, port: Object, slices: Sequence[Object]) -> None:
    name, protocol = string(port, "name") or UNSET, string(port, "protocol")
    out.row("Port:", name, f"{port.get('port')}/{protocol}")
    out.field("TargetPort", f"{port.get('targetPort')}/{protocol}")
    if port.get("nodePort"):
        out.row("NodePort:", name, f"{port['nodePort']}/{protocol}")
    out.field("Endpoints", ready_endpoints(slices, string(port, "name")))


def _pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


def _balancers(obj: Object) -> str:
    return ", ".join(
        f"{string(entry, 'ip')} ({entry['ipMode']})"
        if entry.get("ip") and entry.get("ipMode")
        else string(entry, "ip") or string(entry, "hostname")
        for entry in items(section(obj, "status", "loadBalancer"), "ingress")
    )


def ready_endpoints(slices: Sequence[Object], port_name: str) -> str:
    """The first few addresses behind a port, and how many more there are."""
    if not slices:
        return NONE
    found: list[str] = []
    for each in slices:
        addresses = [strings(endpoint, "addresses")[0] for endpoint in _ready(items(each, "endpoints"))]
        ports = items(each, "ports")
        if not ports:
            found += addresses
        for port in ports:
            if port.get("name") in (None, port_name):
                found += [_host_port(address, port.get("port") or 0) for address in addresses]
    shown = ",".join(found[:_SHOWN])
    return f"{shown} + {len(found) - _SHOWN} more..." if len(found) > _SHOWN else shown


def _ready(endpoints: Iterable[Object]) -> Iterable[Object]:
    return (
        each
        for each in endpoints
        if each.get("addresses") and section(each, "conditions").get("ready") is not False
    )


def _host_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def describe_endpoints(out: Text, obj: Object, related: Related) -> None:
    """Write an Endpoints."""
    write_names(out, obj)
    out.line("Subsets:")
    for subset in items(obj, "subsets"):
        for label, field in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            addresses = ",".join(string(address, "ip") for address in items(subset, field))
            out.field(label, addresses or NONE, level=1)
        if ports := items(subset, "ports"):
            out.line("Ports:", level=1)
            _write_ports(out, ports, level=2)
        out.line()
    write_events(out, related.events)


def _write_ports(out: Text, ports: Iterable[Object], level: int) -> None:
    out.row("Name", "Port", "Protocol", level=level)
    out.row("----", "----", "--------", level=level)
    for port in ports:
        number = port.get("port")
        cells = (string(port, "name") or UNSET, UNSET if number is None else number, string(port, "protocol"))
        out.row(*cells, level=level)


def describe_endpoint_slice(out: Text, obj: Object, related: Related) -> None:
    """Write an EndpointSlice."""
    write_names(out, obj)
    out.field("AddressType", string(obj, "addressType"))
    if ports := items(obj, "ports"):
        out.line("Ports:")
        _write_ports(out, ports, level=1)
    else:
        out.line(f"Ports: {UNSET}")
    endpoints = items(obj, "endpoints")
    out.line("Endpoints:" if endpoints else f"Endpoints: {NONE}")
    for endpoint in endpoints:
        _write_endpoint(out, endpoint)
    write_events(out, related.events)


def _write_endpoint(out: Text, endpoint: Object) -> None:
    out.field("- Addresses", ",".join(strings(endpoint, "addresses")) or NONE, level=1)
    out.line("Conditions:", level=2)
    ready = section(endpoint, "conditions").get("ready")
    out.field("Ready", UNSET if ready is None else str(ready).lower(), level=3)
    out.field("Hostname", endpoint.get("hostname") or UNSET, level=2)
    if target := section(endpoint, "targetRef"):
        out.field("TargetRef", f"{string(target, 'kind')}/{string(target, 'name')}", level=2)
    out.field("NodeName", endpoint.get("nodeName") or UNSET, level=2)
    out.field("Zone", endpoint.get("zone") or UNSET, level=2)
