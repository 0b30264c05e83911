"""Which ports a forward means: what the user wrote (`8080:80`, `:http`), and the container's port it comes to.

In: the text, the pod and the object that was named, as JSON data. Out: numbers, or PortError in kubectl's words.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ktui.kube.data import items, section, string
from ktui.kube.resource import Object
from ktui.kube.service import is_headless, ports_of


class PortError(ValueError):
    """A port that is none, or that nothing has."""


class PortPair(NamedTuple):
    """`local` None: the same number as the remote one; 0: any free one. `remote` is a number or a port's name."""

    local: int | None
    remote: str

    def __str__(self) -> str:
        if self.local is None:
            return self.remote
        return f"{self.local or ''}:{self.remote}"


def parse_pair(text: str) -> PortPair:
    """`80`, `8080:80`, `:80` or a port's name in place of the second number. Raises PortError."""
    local, colon, remote = text.strip().partition(":")
    if not colon:
        local, remote = "", local
    if not remote or ":" in remote or " " in remote:
        raise PortError(f"invalid port format '{text}'")
    if remote.isdigit() and not 0 < int(remote) < 65536:
        raise PortError(f"error parsing remote port '{remote}': it must be between 1 and 65535")
    if local and not (local.isascii() and local.isdigit() and int(local) < 65536):
        raise PortError(f"error parsing local port '{local}': it must be between 0 and 65535")
    if not colon:
        return PortPair(None, remote)
    return PortPair(int(local or 0), remote)


def container_port(obj: Object, pod: Object, remote: str) -> int:
    """The port of the pod that `remote` means on a Service, a workload or the pod itself. Raises PortError."""
    if obj.get("kind") == "Service":
        return _behind_service(obj, pod, remote)
    if remote.isdigit():
        return int(remote)
    return _named(pod, remote)


def own_number(obj: Object, pod: Object, remote: str) -> int:
    """The number the user sees: a Service's own port, else the container's."""
    if obj.get("kind") == "Service":
        return int(_service_port(obj, remote).get("port") or 0)
    return container_port(obj, pod, remote)


def _behind_service(service: Object, pod: Object, remote: str) -> int:
    port = _service_port(service, remote)
    if port.get("protocol") == "UDP":
        raise PortError(f"UDP protocol is not supported for {remote}")
    number = int(port.get("port") or 0)
    if is_headless(service):
        return number
    target: int | str = port.get("targetPort") or number
    return target if isinstance(target, int) else _named(pod, target)


def _service_port(service: Object, remote: str) -> Object:
    name = string(service["metadata"], "name")
    for port in ports_of(service):
        if string(port, "name") == remote or (remote.isdigit() and port.get("port") == int(remote)):
            return port
    if remote.isdigit():
        raise PortError(f"Service {name} does not have a service port {remote}")
    raise PortError(f"Service '{name}' does not have a named port '{remote}'")


def _named(pod: Object, wanted: str) -> int:
    for _, port in container_ports(pod):
        if string(port, "name") == wanted:
            if port.get("protocol") == "UDP":
                raise PortError(f"UDP protocol is not supported for {wanted}")
            return int(port["containerPort"])
    raise PortError(f"Pod '{string(pod['metadata'], 'name')}' does not have a named port '{wanted}'")


def container_ports(pod: Object) -> Iterator[tuple[str, Object]]:
    """(container, port) for each port a pod declares; init containers only if they go on running."""
    spec = section(pod, "spec")
    sidecars = [c for c in items(spec, "initContainers") if c.get("restartPolicy") == "Always"]
    for container in (*items(spec, "containers"), *sidecars):
        for port in items(container, "ports"):
            yield string(container, "name"), port


def offered(obj: Object, pod: Object | None) -> Sequence[PortPair]:
    """The pairs to propose for an object: a Service's ports, or those that the pod's containers declare.

    Ports that need rights are offered on the same number with 8000 more: 80 as 8080, 443 as 8443.
    """
    if obj.get("kind") == "Service":
        ports = [int(p["port"]) for p in ports_of(obj) if string(p, "protocol") != "UDP"]
    else:
        ports = [int(p["containerPort"]) for _, p in container_ports(pod or {}) if p.get("protocol") != "UDP"]
    return [PortPair(_unprivileged(port), str(port)) for port in dict.fromkeys(ports)]


def _unprivileged(port: int) -> int:
    return port if port >= 1024 else port + 8000
