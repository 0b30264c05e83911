"""Rules for a Service, whether new or changed. What an update may not change is in `service_updates`."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.validation.addresses import (
    check_cidr,
    check_ip,
    check_port,
    check_port_or_name,
    check_reachable,
)
from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    one_of,
    required,
    unsupported,
)
from ktui.engine.api.validation.metadata import check_labels, check_metadata
from ktui.engine.api.validation.service_addresses import check_cluster_ips
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object
from ktui.kube.service import (
    cluster_ips,
    is_external,
    is_headless,
    needs_cluster_ip,
    needs_health_check,
    ports_of,
    type_of,
)

TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS: Final = ("TCP", "UDP")
_POLICIES: Final = ("Cluster", "Local")
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameNode", "PreferSameZone")
_LONGEST_AFFINITY: Final = 86400
_KUBELET_PORT: Final = 10250
_SOURCE_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_MODE: Final = "service.kubernetes.io/topology-mode"
_ONLY_BALANCED: Final = "may only be used when `type` is 'LoadBalancer'"


def validate_service(service: Object) -> list[Cause]:
    spec = section(service, "spec")
    causes = check_metadata(service, namespaced=True, name_rule=names.dns_label)
    causes += _topology(mapping(section(service, "metadata"), "annotations"))
    causes += _by_type(service, spec)
    causes += _ports(service)
    causes += check_labels(spec.get("selector"), "spec.selector")
    causes += _affinity(spec)
    causes += check_cluster_ips(service)
    for index, address in enumerate(strings(spec, "externalIPs")):
        at = f"spec.externalIPs[{index}]"
        causes += check_ip(at, address) or check_reachable(at, address)
    return causes + _source_ranges(service) + _balancing(service, spec) + _policies(service, spec)


def _topology(annotations: dict[str, str]) -> list[Cause]:
    hints, mode = annotations.get(_HINTS), annotations.get(_MODE)
    if hints is None or mode is None or hints == mode:
        return []
    why = f"must match annotations[{_HINTS}] when both are specified"
    return [invalid(f"metadata.annotations[{_MODE}]", mode, why)]


def _by_type(service: Object, spec: Object) -> list[Cause]:
    kind = type_of(service)
    causes: list[Cause] = []
    if not kind:
        causes.append(required("spec.type"))
    else:
        causes += one_of("spec.type", kind, TYPES)
    if not spec.get("ports") and not is_headless(service) and kind != "ExternalName":
        causes.append(required("spec.ports"))
    if kind in ("LoadBalancer", "NodePort") and is_headless(service):
        why = f"may not be set to 'None' for {kind} services"
        causes.append(invalid("spec.clusterIPs[0]", cluster_ips(service)[0], why))
    if kind == "LoadBalancer":
        for index, port in enumerate(ports_of(service)):
            if port.get("port") == _KUBELET_PORT:
                why = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
                causes.append(invalid(f"spec.ports[{index}]", _KUBELET_PORT, why))
    if kind == "ExternalName":
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field):
                causes.append(forbidden(f"spec.{field}", "may not be set for ExternalName services"))
        name = string(spec, "externalName").removesuffix(".")
        causes += (
            each_invalid("spec.externalName", name, names.dns_subdomain(name))
            if name
            else [required("spec.externalName")]
        )
    return causes


def _ports(service: Object) -> list[Cause]:
    causes: list[Cause] = []
    ports = ports_of(service)
    seen_names: set[str] = set()
    seen: set[tuple[str, int]] = set()
    seen_on_nodes: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        at = f"spec.ports[{index}]"
        causes += _port(port, at, needs_name=len(ports) > 1, seen=seen_names)
        protocol, node_port = string(port, "protocol"), port.get("nodePort") or 0
        if node_port:
            if type_of(service) == "ClusterIP":
                causes.append(forbidden(f"{at}.nodePort", "may not be used when `type` is 'ClusterIP'"))
            if (protocol, node_port) in seen_on_nodes:
                causes.append(duplicate(f"{at}.nodePort", node_port))
            seen_on_nodes.add((protocol, node_port))
        number = port.get("port") or 0
        if (protocol, number) in seen:
            causes.append(duplicate(at, _shown_port(protocol, number)))
        seen.add((protocol, number))
    return causes


def _shown_port(protocol: str, number: int) -> Object:
    """A port as kube-apiserver shows one in its error."""
    shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number}
    return {**shown, "TargetPort": 0, "NodePort": 0}


def _port(port: Object, at: str, *, needs_name: bool, seen: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    name, protocol = string(port, "name"), string(port, "protocol")
    if name:
        causes += each_invalid(f"{at}.name", name, names.dns_label(name))
        if name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
    elif needs_name:
        causes.append(required(f"{at}.name"))
    causes += check_port(f"{at}.port", port.get("port") or 0)
    causes += check_protocol(f"{at}.protocol", protocol)
    causes += check_port_or_name(f"{at}.targetPort", port.get("targetPort", 0))
    application = port.get("appProtocol")
    if application is not None:
        causes += each_invalid(f"{at}.appProtocol", application, names.qualified_name(application))
    return causes


def check_protocol(path: str, protocol: str) -> list[Cause]:
    """TCP or UDP; Kubernetes also knows SCTP, which nothing here can carry."""
    if not protocol:
        return [required(path)]
    if protocol in _PROTOCOLS:
        return []
    refused = unsupported(path, protocol, _PROTOCOLS)
    if protocol != "SCTP":
        return [refused]
    return [Cause(path, refused.reason, f"{refused.message} (ktui's service proxy carries TCP and UDP only)")]


def _affinity(spec: Object) -> list[Cause]:
    affinity, config = string(spec, "sessionAffinity"), spec.get("sessionAffinityConfig")
    at = "spec.sessionAffinityConfig"
    if not affinity:
        return [required("spec.sessionAffinity")]
    if affinity == "None":
        if config is None:
            return []
        return [forbidden(at, "must not be set when session affinity is None")]
    if affinity != "ClientIP":
        return [unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))]
    return _timeout(config, at)


def _timeout(config: Any, at: str) -> list[Cause]:
    why = "when session affinity type is ClientIP"
    if config is None:
        return [required(at, why)]
    if config.get("clientIP") is None:
        return [required(f"{at}.clientIP", why)]
    seconds = config["clientIP"].get("timeoutSeconds")
    if seconds is None:
        return [required(f"{at}.clientIP.timeoutSeconds", why)]
    if 0 < seconds <= _LONGEST_AFFINITY:
        return []
    limits = f"must be greater than 0 and less than {_LONGEST_AFFINITY}"
    return [invalid(f"{at}.clientIP.timeoutSeconds", seconds, limits)]


def _source_ranges(service: Object) -> list[Cause]:
    spec = section(service, "spec")
    ranges = strings(spec, "loadBalancerSourceRanges")
    annotation = mapping(section(service, "metadata"), "annotations").get(_SOURCE_RANGES)
    causes: list[Cause] = []
    if ranges:
        at = "spec.LoadBalancerSourceRanges"
        if type_of(service) != "LoadBalancer":
            causes.append(forbidden(at, _ONLY_BALANCED))
        for index, text in enumerate(ranges):
            causes += check_cidr(f"{at}[{index}]", text.strip())
    elif annotation is not None:
        at = f"metadata.annotations[{_SOURCE_RANGES}]"
        if type_of(service) != "LoadBalancer":
            causes.append(forbidden(at, _ONLY_BALANCED))
        for text in annotation.strip().split(",") if annotation.strip() else ():
            causes += check_cidr(at, text.strip())
    return causes


def _balancing(service: Object, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    node_ports, load_balancer = spec.get("allocateLoadBalancerNodePorts"), spec.get("loadBalancerClass")
    if type_of(service) == "LoadBalancer":
        if node_ports is None:
            causes.append(required("allocateLoadBalancerNodePorts"))
        if load_balancer is not None:
            problems = names.qualified_name(load_balancer)
            causes += each_invalid("spec.loadBalancerClass", load_balancer, problems)
        return causes
    if node_ports is not None:
        causes.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCED))
    if load_balancer is not None:
        causes.append(forbidden("spec.loadBalancerClass", _ONLY_BALANCED))
    return causes


def _policies(service: Object, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    external = string(spec, "externalTrafficPolicy")
    at = "spec.externalTrafficPolicy"
    if not is_external(service):
        if external:
            causes.append(invalid(at, external, "may only be set for externally-accessible services"))
    elif not external:
        causes.append(required(at))
    else:
        causes += one_of(at, external, _POLICIES)
    port = spec.get("healthCheckNodePort") or 0
    at = "spec.healthCheckNodePort"
    if not needs_health_check(service):
        if port:
            why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            causes.append(invalid(at, port, why))
    elif not port:
        causes.append(required(at))
    else:
        causes += check_port(at, port)
    internal = spec.get("internalTrafficPolicy")
    at = "spec.internalTrafficPolicy"
    if internal is None:
        if needs_cluster_ip(service):
            causes.append(required(at))
    else:
        causes += one_of(at, internal, _POLICIES)
    distribution = spec.get("trafficDistribution")
    if distribution is not None:
        causes += one_of("spec.trafficDistribution", distribution, _DISTRIBUTIONS)
    return causes


def validate_service_status(service: Object, old: Object) -> list[Cause]:
    """The addresses at which a load balancer says that it is reached."""
    at = "status.loadBalancer.ingress"
    entries = items(section(service, "status", "loadBalancer"), "ingress")
    if entries and type_of(service) != "LoadBalancer":
        return [forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")]
    causes: list[Cause] = []
    for index, entry in enumerate(entries):
        here = f"{at}[{index}]"
        address, mode = string(entry, "ip"), entry.get("ipMode")
        if address:
            causes += check_ip(f"{here}.ip", address)
            if mode is None:
                causes.append(required(f"{here}.ipMode", "must be specified when `ip` is set"))
            else:
                causes += one_of(f"{here}.ipMode", mode, ("Proxy", "VIP"))
        elif mode is not None:
            causes.append(forbidden(f"{here}.ipMode", "may not be specified when `ip` is not set"))
        causes += check_host_name(f"{here}.hostname", string(entry, "hostname"))
    return causes


def check_host_name(path: str, name: str) -> list[Cause]:
    """The DNS name of a load balancer."""
    if not name:
        return []
    causes = each_invalid(path, name, names.dns_subdomain(name))
    if not names.ip_address(name):
        causes.append(invalid(path, name, "must be a DNS name, not an IP address"))
    return causes
