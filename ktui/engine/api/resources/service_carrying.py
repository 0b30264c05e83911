"""What an update of a Service keeps of what was allocated to it, and drops when its type no longer has it.

A client that sends a Service without its cluster IP or node ports means the ones it has; one that changes the
type of a Service means that fields of the old type go, unless it changed them as well. Pure functions from the
new and the old Service to the one to be allocated for, checked and stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ktui.kube.data import section, string
from ktui.kube.resource import Object
from ktui.kube.service import (
    cluster_ips,
    is_external,
    needs_cluster_ip,
    needs_health_check,
    needs_node_ports,
    ports_of,
    type_of,
)


def with_cluster_ips(service: Object) -> Object:
    """A new Service's clusterIP is also the first of its clusterIPs."""
    spec = section(service, "spec")
    if not string(spec, "clusterIP") or spec.get("clusterIPs"):
        return service
    return {**service, "spec": {**spec, "clusterIPs": [spec["clusterIP"]]}}


def carried_over(new: Object, old: Object) -> Object:
    """The new Service with what it has of the old one."""
    new = _patched(new, old)
    new = _agreeing(new, old)
    return _dropped(new, old)


def _patched(new: Object, old: Object) -> Object:
    spec, before = dict(section(new, "spec")), section(old, "spec")
    if needs_cluster_ip(old) and needs_cluster_ip(new):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
            _set(spec, "clusterIPs", before.get("clusterIPs"))
    if needs_node_ports(old) and needs_node_ports(new) and "ports" in spec:
        spec["ports"] = _node_ports_kept(ports_of(new), ports_of(old))
    if needs_health_check(old) and needs_health_check(new) and not spec.get("healthCheckNodePort"):
        _set(spec, "healthCheckNodePort", before.get("healthCheckNodePort"))
    return {**new, "spec": spec}


def _set(spec: Object, field: str, value: Any) -> None:
    if value:
        spec[field] = value


def _node_ports_kept(new: list[Object], old: list[Object]) -> list[Object]:
    """By a port's name, unless another port of the service has taken the number."""
    asked = {port.get("nodePort") for port in new}
    by_name = {string(port, "name"): port.get("nodePort") for port in old}
    kept: list[Object] = []
    for port in new:
        known = by_name.get(string(port, "name"))
        if not port.get("nodePort") and known and known not in asked:
            port = {**port, "nodePort": known}
        kept.append(port)
    return kept


def _agreeing(new: Object, old: Object) -> Object:
    """A client that changed clusterIP alone, or took it away, did not have to know of clusterIPs."""
    spec = dict(section(new, "spec"))
    after, before = string(spec, "clusterIP"), string(section(old, "spec"), "clusterIP")
    if after == before or cluster_ips(new) != cluster_ips(old):
        return new
    if after:
        spec["clusterIPs"] = [after]
    else:
        spec.pop("clusterIPs", None)
    return {**new, "spec": spec}


_TYPED: tuple[tuple[Callable[[Object], bool], tuple[str, ...]], ...] = (
    (needs_cluster_ip, ("clusterIP", "clusterIPs")),
    (needs_cluster_ip, ("ipFamilies", "ipFamilyPolicy")),
    (needs_health_check, ("healthCheckNodePort",)),
    (lambda service: type_of(service) == "LoadBalancer", ("allocateLoadBalancerNodePorts",)),
    (lambda service: type_of(service) == "LoadBalancer", ("loadBalancerClass",)),
    (is_external, ("externalTrafficPolicy",)),
    (needs_cluster_ip, ("internalTrafficPolicy",)),
)
"""Which services have which fields."""


def _dropped(new: Object, old: Object) -> Object:
    """Without fields of the old type that the new one does not have and the client left as they were."""
    spec, before = dict(section(new, "spec")), section(old, "spec")
    for has, fields in _TYPED:
        if has(old) and not has(new) and all(spec.get(name) == before.get(name) for name in fields):
            for name in fields:
                spec.pop(name, None)
    if needs_node_ports(old) and not needs_node_ports(new) and _same_node_ports(new, old):
        spec["ports"] = [
            {name: value for name, value in port.items() if name != "nodePort"} for port in ports_of(new)
        ]
    return {**new, "spec": spec}


def _same_node_ports(new: Object, old: Object) -> bool:
    after, before = ({port.get("nodePort") or 0 for port in ports_of(each)} for each in (new, old))
    return after - {0} <= before
