"""A pod as an endpoint of a service: whether it is one, its address and conditions, and its ports. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lightkube.models.core_v1 import Container, ObjectReference, Pod, Service, ServicePort
from lightkube.models.discovery_v1 import Endpoint, EndpointConditions, EndpointPort

from ktui.engine.controllers.objects import (
    is_deleting,
    is_finished,
    is_ready,
    name_of,
    namespace_of,
    node_of,
    pod_spec,
    pod_status,
    uid_of,
)


def address_of(pod: Pod, family: str = "IPv4") -> str:
    """The pod's address of a family; "" if it has none yet."""
    status = pod_status(pod)
    addresses = [each.ip for each in status.podIPs or ()] or [status.podIP or ""]
    return next((address for address in addresses if address and (":" in address) == (family == "IPv6")), "")


def is_endpoint(pod: Pod, *, even_terminating: bool) -> bool:
    """It has an address, and its containers have not ended for good."""
    if is_finished(pod) or not (address_of(pod) or address_of(pod, "IPv6")):
        return False
    return even_terminating or not is_deleting(pod)


def publishes_all(service: Service) -> bool:
    """Pods of this service are reached by name before they are ready."""
    return bool(service.spec and service.spec.publishNotReadyAddresses)


def is_headless(service: Service) -> bool:
    return bool(service.spec and service.spec.clusterIP == "None")


def host_name_of(pod: Pod, service: Service) -> str | None:
    """The name a pod has below that of the service, if it asked for one."""
    spec = pod_spec(pod)
    return spec.hostname if spec.hostname and spec.subdomain == name_of(service) else None


def target_of(pod: Pod) -> ObjectReference:
    return ObjectReference(kind="Pod", namespace=namespace_of(pod), name=name_of(pod), uid=uid_of(pod))


def endpoint_of(pod: Pod, service: Service, family: str, zone: str | None) -> Endpoint:
    """The pod as an EndpointSlice has it. A terminating one is not ready, but may still serve."""
    serving, terminating = is_ready(pod), is_deleting(pod)
    return Endpoint(
        addresses=[address_of(pod, family)],
        conditions=EndpointConditions(
            ready=publishes_all(service) or (serving and not terminating),
            serving=serving,
            terminating=terminating,
        ),
        hostname=host_name_of(pod, service),
        nodeName=node_of(pod) or None,
        targetRef=target_of(pod),
        zone=zone,
    )


def service_ports(service: Service) -> Sequence[ServicePort]:
    return (service.spec and service.spec.ports) or ()


def endpoint_ports(service: Service, pod: Pod) -> list[EndpointPort]:
    """The service's ports as this pod has them; one that names a port the pod does not have is left out."""
    return [
        EndpointPort(
            name=port.name or "",
            port=number,
            protocol=port.protocol or "TCP",
            appProtocol=port.appProtocol,
        )
        for port in service_ports(service)
        if (number := port_of(pod, port)) is not None
    ]


def port_of(pod: Pod, port: ServicePort) -> int | None:
    """The pod's port behind a service's port: a number, or the one with that name and protocol."""
    target = port.targetPort
    if target is None or target == 0:
        return port.port
    if isinstance(target, int):
        return target
    protocol = port.protocol or "TCP"
    for container in _serving_containers(pod):
        for found in container.ports or ():
            if found.name == target and (found.protocol or "TCP") == protocol:
                return found.containerPort
    return None


def _serving_containers(pod: Pod) -> Iterator[Container]:
    """Containers, and init containers that keep running beside them."""
    spec = pod_spec(pod)
    yield from spec.containers
    for container in spec.initContainers or ():
        if container.restartPolicy == "Always":
            yield container
