"""The addresses at which a Service, an Ingress or a forward answers in a browser. Pure: objects in, URLs out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ktui.client.port_forward import Forward, Target
from ktui.kube.address import join_host_port
from ktui.kube.data import items, section, string, strings
from ktui.kube.resource import Object
from ktui.kube.service import ports_of, type_of
from ktui.screens.backends import backends_of

_SECURE = {443, 6443, 8443}
_USUAL = {"http": 80, "https": 443}


def url(scheme: str, host: str, port: int, path: str = "/") -> str:
    """An address, without the port where it is the usual one."""
    where = join_host_port(host, port)
    if _USUAL[scheme] == port:
        where = f"[{host}]" if ":" in host else host
    return f"{scheme}://{where}{path}"


def of_forward(forward: Forward) -> str:
    """The forward's address on this machine."""
    host, port = forward.listening[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    named = forward.pair.remote.startswith("https")
    return url("https" if named or forward.remote in _SECURE else "http", host, port)


def of_service(service: Object, nodes: Iterable[Object]) -> Iterator[str]:
    """Where a Service is reached from outside the cluster: its load balancer, external IPs, the nodes' ports."""
    spec = section(service, "spec")
    if type_of(service) == "ExternalName":
        yield url("http", string(spec, "externalName"), 80)
        return
    balancers = items(section(service, "status", "loadBalancer"), "ingress")
    hosts = [string(each, "ip") or string(each, "hostname") for each in balancers] + strings(
        spec, "externalIPs"
    )
    for port in ports_of(service):
        if string(port, "protocol") not in ("", "TCP"):
            continue
        number = int(port.get("port") or 0)
        yield from (url(_scheme(port, number), host, number) for host in hosts if host)
        if port.get("nodePort") and not hosts:
            for host in _node_addresses(nodes):
                yield url(_scheme(port, number), host, int(port["nodePort"]))


def _scheme(port: Object, number: int) -> str:
    told = f"{port.get('appProtocol') or ''} {port.get('name') or ''}".lower()
    return "https" if "https" in told or number in _SECURE else "http"


def _node_addresses(nodes: Iterable[Object]) -> list[str]:
    """The first node's address is enough: every node answers on a node port."""
    for node in nodes:
        for wanted in ("ExternalIP", "InternalIP"):
            for address in items(section(node, "status"), "addresses"):
                if address.get("type") == wanted:
                    return [str(address["address"])]
    return []


def ingress_addresses(ingress: Object) -> list[str]:
    """Where its controller answers."""
    entries = items(section(ingress, "status", "loadBalancer"), "ingress")
    return [address for each in entries if (address := string(each, "ip") or string(each, "hostname"))]


def of_ingress(ingress: Object) -> list[str]:
    """An address for each host and path, at the ports where the controller says it answers."""
    spec = section(ingress, "spec")
    balancer = next(iter(items(section(ingress, "status", "loadBalancer"), "ingress")), None)
    if balancer is None:
        return []
    address = ingress_addresses(ingress)[0]
    ports = [int(port["port"]) for port in items(balancer, "ports")]
    plain, secure = (ports[0], ports[1]) if len(ports) > 1 else (80, 443)
    encrypted = {host for entry in items(spec, "tls") for host in strings(entry, "hosts")}
    found: list[str] = []
    for host, path, _ in backends_of(ingress):
        scheme, port = ("https", secure) if host in encrypted else ("http", plain)
        name = address if host == "*" else host.replace("*", "any", 1) if host.startswith("*.") else host
        found.append(url(scheme, name, port, path if path.startswith("/") else "/"))
    return list(dict.fromkeys(found))


def forward_to(forwards: Iterable[Forward], target: Target) -> Forward | None:
    """A forward there is already."""
    return next((each for each in forwards if each.target == target and each.listening), None)
