"""The services a container finds in its environment: `WEB_SERVICE_HOST`, `WEB_PORT_80_TCP_ADDR` and their kin.

Every pod gets those of the API (`KUBERNETES_SERVICE_HOST`); those of its own namespace unless it says
`enableServiceLinks: false`. What comes or goes later changes nothing in running containers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lightkube.models.core_v1 import Pod, Service

from ktui.client.informer import Informers
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.environment import ConfigError
from ktui.kube.kinds import SERVICES
from ktui.kube.resource import ObjectKey

API_SERVICE = ObjectKey("default", "kubernetes")
_BY_NAMESPACE = "namespace"


class ServiceVariables:
    """What `Kubelet(service_variables=…)` asks for, from a cache of all services."""

    def __init__(self, informers: Informers) -> None:
        self._services = informers.of(SERVICES, Service)
        self._services.add_index(_BY_NAMESPACE, _namespace_of)

    def __call__(self, pod: Pod) -> dict[str, str]:
        """The variables of a pod's containers. Raises ConfigError before the services are known."""
        if not self._services.has_synced:
            raise ConfigError("services have not yet been read at least once, cannot construct envvars")
        namespace = pods.meta(pod).namespace or ""
        has_links = pods.spec(pod).enableServiceLinks is not False
        chosen = list(self._services.by_index(_BY_NAMESPACE, namespace)) if has_links else []
        api = self._services.get(API_SERVICE)
        if api is not None and api not in chosen:
            chosen.append(api)
        return variables(chosen)


def _namespace_of(service: Service) -> Iterable[str]:
    return ((service.metadata and service.metadata.namespace) or "",)


def variables(services: Iterable[Service]) -> dict[str, str]:
    """The variables of some services; those without a cluster IP have none. Pure."""
    return {name: value for service in services for name, value in _variables(service)}


def _variables(service: Service) -> Iterator[tuple[str, str]]:
    name = (service.metadata and service.metadata.name) or ""
    spec = service.spec
    if spec is None or not spec.clusterIP or spec.clusterIP == "None" or spec.type == "ExternalName":
        return
    prefix, address, ports = _spelled(name), spec.clusterIP, spec.ports or []
    yield f"{prefix}_SERVICE_HOST", address
    if not ports:
        return
    yield f"{prefix}_SERVICE_PORT", str(ports[0].port)
    for port in ports:
        if port.name:
            yield f"{prefix}_SERVICE_PORT_{_spelled(port.name)}", str(port.port)
    host = f"[{address}]" if ":" in address else address
    for index, port in enumerate(ports):
        protocol = port.protocol or "TCP"
        url = f"{protocol.lower()}://{host}:{port.port}"
        if index == 0:
            yield f"{prefix}_PORT", url
        link = f"{prefix}_PORT_{port.port}_{protocol}"
        yield link, url
        yield f"{link}_PROTO", protocol.lower()
        yield f"{link}_PORT", str(port.port)
        yield f"{link}_ADDR", address


def _spelled(name: str) -> str:
    return name.upper().replace("-", "_")
