"""Service: a name, an address and ports for a set of pods. Addresses and ports come from `api.allocation`."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, UNKNOWN, text
from ktui.engine.api.resources.service_carrying import carried_over, with_cluster_ips
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.service_addresses import validate_service_update
from ktui.engine.api.validation.services import validate_service, validate_service_status
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.kinds import SERVICES
from ktui.kube.resource import Object
from ktui.kube.service import cluster_ips, is_external, needs_cluster_ip, ports_of, type_of

_AFFINITY_SECONDS: Final = 10800


def default(service: Object) -> Object:
    spec: Object = {**section(service, "spec")}
    spec["type"] = string(spec, "type") or "ClusterIP"
    spec["sessionAffinity"] = string(spec, "sessionAffinity") or "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        spec["sessionAffinityConfig"] = _affinity(section(spec, "sessionAffinityConfig"))
    if spec.get("ports"):
        spec["ports"] = [default_port(port) for port in items(spec, "ports")]
    changed = {**service, "spec": spec}
    if spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True
    if is_external(changed) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if needs_cluster_ip(changed) and spec.get("internalTrafficPolicy") is None:
        spec["internalTrafficPolicy"] = "Cluster"
    return changed


def _affinity(config: Object) -> Object:
    if section(config, "clientIP").get("timeoutSeconds") is not None:
        return config
    return {"clientIP": {"timeoutSeconds": _AFFINITY_SECONDS}}


def default_port(port: Object) -> Object:
    changed = {**port, "protocol": string(port, "protocol") or "TCP"}
    if changed.get("targetPort") in (None, 0, ""):
        changed["targetPort"] = changed.get("port") or 0
    return changed


def prepare_create(service: Object) -> Object:
    return {**with_cluster_ips(without_status(service)), "status": {"loadBalancer": {}}}


def prepare_update(new: Object, old: Object) -> Object:
    kept = keep_status(carried_over(new, old), old)
    if type_of(old) == "LoadBalancer" and type_of(kept) != "LoadBalancer" and "status" in kept:
        return {**kept, "status": {**section(kept, "status"), "loadBalancer": {}}}
    return kept


def prepare_status(new: Object, old: Object) -> Object:
    """Addresses of a load balancer are virtual ones unless it says something else."""
    entries = items(section(new, "status", "loadBalancer"), "ingress")
    if any(entry.get("ip") and entry.get("ipMode") is None for entry in entries):
        named = [
            {**entry, "ipMode": entry.get("ipMode") or "VIP"} if entry.get("ip") else entry
            for entry in entries
        ]
        balancer = {**section(new, "status", "loadBalancer"), "ingress": named}
        new = {**new, "status": {**section(new, "status"), "loadBalancer": balancer}}
    return status_and_metadata(new, old)


def balancer_addresses(obj: Object) -> list[str]:
    """Where a load balancer or an Ingress says it is reached."""
    entries = items(section(obj, "status", "loadBalancer"), "ingress")
    return sorted({string(entry, "ip") or string(entry, "hostname") for entry in entries} - {""})


def _cluster_ip(service: Object) -> str:
    addresses = cluster_ips(service)
    return addresses[0] if addresses else NONE


def _external_ip(service: Object) -> str:
    spec = section(service, "spec")
    external = strings(spec, "externalIPs")
    match type_of(service):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or NONE
        case "LoadBalancer":
            return ",".join([*balancer_addresses(service), *external]) or "<pending>"
        case "ExternalName":
            return string(spec, "externalName")
        case _:
            return UNKNOWN


def _ports(service: Object) -> str:
    return ",".join(_port(port) for port in ports_of(service)) or NONE


def _port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port') or 0}{node}/{string(port, 'protocol')}"


def _selector(service: Object) -> str:
    selector = mapping(section(service, "spec"), "selector")
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or NONE


DECLARATIONS = (
    Declaration(
        resource=SERVICES,
        schema="io.k8s.api.core.v1.Service",
        creates_on_update=True,
        returns_deleted=True,
        columns=(
            NAME,
            text("Type", type_of, "How it is exposed."),
            text("Cluster-IP", _cluster_ip, "Its address inside the cluster."),
            text("External-IP", _external_ip, "Where it is reached from outside."),
            text("Port(s)", _ports, "Its ports and the nodes' ports."),
            AGE,
            text("Selector", _selector, "Labels of the pods behind it.", priority=1),
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=prepare_update,
        prepare_status=prepare_status,
        validate_create=validate_service,
        validate_update=validate_service_update,
        validate_status=validate_service_status,
        has_status=True,
        selectable_fields={
            "spec.clusterIP": lambda service: string(section(service, "spec"), "clusterIP"),
            "spec.type": type_of,
        },
    ),
)
