"""nftables rules of Services: a pure function of what they ask for and where their endpoints are.

A connection's first packet is looked up once, in a map from address, protocol and port to the Service's chain, so
its cost does not grow with their number (as in kube-proxy's nftables mode,
https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-nftables); those that follow meet one rule
a hook. Sources are kept: only a
pod that reaches itself, the loopback address, and traffic that leaves for an address that is no pod's are
masqueraded.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ktui.engine.network.ruleset import Ruleset
from ktui.engine.network.services import Endpoint, ServicePort
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.resource import ObjectKey

_MASQUERADE = "0x00004000"
_KEY = "type ipv4_addr . inet_proto . inet_service : verdict ;"
_PORT_KEY = "type inet_proto . inet_service : verdict ;"
_LOOKUP = "ip daddr . meta l4proto . th dport vmap"
_LOCAL_LOOKUP = "fib daddr type local meta l4proto . th dport vmap"


def base_rules(settings: NetworkSettings) -> Iterator[str]:
    """The fixed part of the table, as commands without the table's name."""
    yield f"add map service-ips {{ {_KEY} }}"
    yield f"add map node-ports {{ {_PORT_KEY} }}"
    yield f"add map idle-service-ips {{ {_KEY} }}"
    yield f"add map idle-node-ports {{ {_PORT_KEY} }}"
    yield f"add map firewalled-ips {{ {_KEY} }}"
    yield "add set service-networks { type ipv4_addr ; flags interval ; }"
    yield "add set hairpins { type ipv4_addr . ipv4_addr ; }"
    pods = [str(address) for address in ipaddress.ip_network(settings.pod_cidr).hosts()]
    yield f"add element hairpins {{ {', '.join(f'{pod} . {pod}' for pod in pods)} }}"
    yield from _fixed_chains(settings)


def _fixed_chains(settings: NetworkSettings) -> Iterator[str]:
    chains: dict[str, tuple[str, ...]] = {
        "refuse": ("meta l4proto tcp reject with tcp reset", "reject"),
        "drop-it": ("drop",),
        "services": (f"{_LOOKUP} @service-ips", f"{_LOCAL_LOOKUP} @node-ports"),
        "idle": (
            f"{_LOOKUP} @idle-service-ips",
            f"{_LOCAL_LOOKUP} @idle-node-ports",
            f"ip daddr {settings.service_cidr} goto refuse",
            "ip daddr @service-networks goto refuse",
        ),
        # Also packets of connections that are there: a pod must not get into the host's own.
        "guard { type filter hook prerouting priority -110 ; }": (
            f'iifname "{settings.bridge}" ip daddr 127.0.0.0/8 drop',
            f'iifname "{settings.bridge}" ip saddr 127.0.0.0/8 drop',
            f"ct state new {_LOOKUP} @firewalled-ips",
        ),
        "prerouting { type nat hook prerouting priority -105 ; }": ("jump services",),
        "output { type nat hook output priority -105 ; }": ("jump services",),
        "postrouting { type nat hook postrouting priority 95 ; }": tuple(_masquerading(settings)),
    }
    for hook in ("input", "forward", "output"):
        # After the translation of addresses, which for what the host sends itself happens at -105.
        chains[f"idle-{hook} {{ type filter hook {hook} priority 0 ; }}"] = ("ct state new jump idle",)
    for chain in chains:
        yield f"add chain {chain}"
    for chain, rules in chains.items():
        for rule in rules:
            yield f"add rule {chain.partition(' ')[0]} {rule}"


def _masquerading(settings: NetworkSettings) -> Iterator[str]:
    yield f"meta mark & {_MASQUERADE} == {_MASQUERADE} masquerade fully-random"
    yield "ct status dnat ip saddr . ip daddr @hairpins masquerade"
    yield f'ip saddr 127.0.0.0/8 oifname "{settings.bridge}" masquerade'
    if not settings.filters_bridged:
        # A pod's answer would go to the other pod directly, past the translation of its address.
        yield f"ct status dnat ip saddr {settings.pod_cidr} ip daddr {settings.pod_cidr} masquerade"


def age(port: ServicePort) -> tuple[str, ObjectKey]:
    """The order of Services: of two that claim an address and port, the older one has it."""
    return port.created, port.service


def service_rules(port: ServicePort, settings: NetworkSettings) -> Ruleset:
    """The chains of one service port and what leads to them."""
    rules = _Rules(port, settings)
    rules.cluster()
    rules.external()
    return Ruleset(rules.sets, rules.chains, rules.elements)


class _Rules:
    def __init__(self, port: ServicePort, settings: NetworkSettings) -> None:
        self.sets: dict[str, str] = {}
        self.chains: dict[str, tuple[str, ...]] = {}
        self.elements: dict[tuple[str, str], str] = {}
        self._port = port
        self._settings = settings
        self._name = f"{port.service.namespace}/{port.service.name}/{port.protocol}/{port.port}"

    def cluster(self) -> None:
        """What clients in the cluster get."""
        port = self._port
        endpoints = port.local(self._settings.node) if port.internal_local else port.endpoints
        chain = self._balanced("service", endpoints)
        for address in port.cluster_ips:
            if chain:
                self.elements["service-ips", self._key(address)] = f"goto {chain}"
            else:
                self.elements["idle-service-ips", self._key(address)] = _refusal(bool(port.endpoints))

    def external(self) -> None:
        """What comes by node ports, external addresses and load balancers."""
        port = self._port
        if not (port.node_port or port.external_ips or port.load_balancer_ips):
            return
        chain = self._external_chain()
        # From outside nobody is served where the policy leaves no endpoint; pods and the node itself are.
        is_idle = not chain or (port.external_local and not port.local(self._settings.node))
        keys = [
            ("service-ips", self._key(address)) for address in (*port.external_ips, *port.load_balancer_ips)
        ]
        if port.node_port:
            keys.append(("node-ports", f"{port.protocol} . {port.node_port}"))
        for target, key in keys:
            if chain:
                self.elements[target, key] = f"goto {chain}"
            if is_idle:
                self.elements[f"idle-{target}", key] = _refusal(bool(port.endpoints))
        if port.source_ranges or port.is_closed:
            firewall = f"firewall/{self._name}"
            ranges = ", ".join(port.source_ranges)
            self.chains[firewall] = (f"ip saddr != {{ {ranges} }} drop" if ranges else "drop",)
            for address in port.load_balancer_ips:
                self.elements["firewalled-ips", self._key(address)] = f"goto {firewall}"

    def _external_chain(self) -> str:
        port, settings = self._port, self._settings
        if not port.external_local:
            return self._balanced("service" if not port.internal_local else "any", port.endpoints)
        inside = self._balanced("service" if not port.internal_local else "any", port.endpoints)
        if not inside:
            return ""
        outside = self._balanced("local", port.local(settings.node))
        chain = f"external/{self._name}"
        self.chains[chain] = (
            f"ip saddr {settings.pod_cidr} goto {inside}",
            f"fib saddr type local goto {inside}",
            *((f"goto {outside}",) if outside else ()),
        )
        return chain

    def _key(self, address: str) -> str:
        return f"{address} . {self._port.protocol} . {self._port.port}"

    def _balanced(self, prefix: str, endpoints: tuple[Endpoint, ...]) -> str:
        """A chain that spreads new connections evenly over the endpoints; "" without any."""
        if not endpoints:
            return ""
        chain = f"{prefix}/{self._name}"
        if chain in self.chains:
            return chain
        marks = (f"meta mark set meta mark | {_MASQUERADE}",) if self._leaves(endpoints) else ()
        if self._port.affinity_seconds:
            self.chains[chain] = (*marks, *self._sticky(prefix, endpoints))
        else:
            self.chains[chain] = (
                *marks,
                f"meta l4proto {self._port.protocol} dnat ip to {_spread(endpoints)}",
            )
        return chain

    def _leaves(self, endpoints: tuple[Endpoint, ...]) -> bool:
        """Whether an endpoint is neither a pod's nor the node's own address: its answers would not come back here."""
        pods = ipaddress.ip_network(self._settings.pod_cidr)
        own = self._settings.host_address
        return any(
            endpoint.address != own and ipaddress.ip_address(endpoint.address) not in pods
            for endpoint in endpoints
        )

    def _sticky(self, prefix: str, endpoints: tuple[Endpoint, ...]) -> Iterator[str]:
        chains: list[str] = []
        for endpoint in endpoints:
            name = f"{prefix}/{self._name}/{endpoint.address}/{endpoint.port}"
            clients, chain = f"clients-{name}", f"to-{name}"
            timeout = f"timeout {self._port.affinity_seconds}s"
            self.sets[clients] = f"set {{ type ipv4_addr ; flags dynamic,timeout ; {timeout} ; }}"
            self.chains[chain] = (
                f"update @{clients} {{ ip saddr {timeout} }}",
                f"meta l4proto {self._port.protocol} dnat ip to {endpoint.address}:{endpoint.port}",
            )
            chains.append(chain)
            yield f"ip saddr @{clients} goto {chain}"
        choices = ", ".join(f"{index} : goto {chain}" for index, chain in enumerate(chains))
        yield f"numgen random mod {len(chains)} vmap {{ {choices} }}"


def _spread(endpoints: tuple[Endpoint, ...]) -> str:
    if len(endpoints) == 1:
        return f"{endpoints[0].address}:{endpoints[0].port}"
    choices = ", ".join(f"{index} : {e.address} . {e.port}" for index, e in enumerate(endpoints))
    return f"numgen random mod {len(endpoints)} map {{ {choices} }}"


def _refusal(has_others: bool) -> str:
    """Refused at once without any endpoint; where a policy only rules out those there are, dropped
    (https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-policies)."""
    return "goto drop-it" if has_others else "goto refuse"
