"""nftables rules of NetworkPolicies: a pure function of policies, pods and namespaces.

A packet's source is looked up in the map of pods whose egress is restricted, its destination in that of those
whose ingress is; each leads to a chain that returns what its policies allow and drops the rest. Pods under the
same policies share a chain, and whom a rule means by labels is a set of addresses
(https://kubernetes.io/docs/concepts/services-networking/network-policies/).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ktui.engine.network.ruleset import Ruleset
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.data import items, section, string, strings
from ktui.kube.resource import Object
from ktui.kube.selector import Selector

Labels = Mapping[str, str]
Direction = Literal["ingress", "egress"]
_LONGEST_NAME = 100
_ADDRESSES = "set { type ipv4_addr ; }"
_SOCKETS = "set { type ipv4_addr . inet_proto . inet_service ; }"


class PodFacts(NamedTuple):
    """What policies know of a pod on the pods' network."""

    namespace: str
    address: str
    labels: Labels
    ports: Mapping[tuple[str, str], int]
    """Container ports by name and protocol (`TCP`)."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that the rules depend on."""

    policies: Sequence[Object]
    pods: Sequence[PodFacts]
    namespaces: Mapping[str, Labels]


def base_rules(settings: NetworkSettings) -> Iterator[str]:
    """The fixed part of the policies' table, as commands without the table's name.

    What the host itself sends is let through: the kubelet's probes come from there. A pod may always talk to
    itself. Connections that are there already go on.
    """
    pods = ipaddress.ip_network(settings.pod_cidr).hosts()
    yield "add map ingress { type ipv4_addr : verdict ; }"
    yield "add map egress { type ipv4_addr : verdict ; }"
    yield "add set itself { type ipv4_addr . ipv4_addr ; }"
    yield f"add element itself {{ {', '.join(f'{pod} . {pod}' for pod in pods)} }}"
    yield "add chain forward { type filter hook forward priority -5 ; }"
    yield "add chain input { type filter hook input priority -5 ; }"
    yield "add rule forward ct state established,related accept"
    yield "add rule forward ip saddr . ip daddr @itself accept"
    yield "add rule forward ip saddr vmap @egress"
    yield "add rule forward ip daddr vmap @ingress"
    yield "add rule input ct state established,related accept"
    yield f'add rule input iifname "{settings.bridge}" ip saddr vmap @egress'


def policy_rules(cluster: Cluster) -> Ruleset:
    """The chains, sets and elements of all policies. Raises SelectorError for one that can't be read."""
    rules = _Rules(cluster)
    for direction in ("ingress", "egress"):
        rules.restrict(direction)
    return Ruleset(rules.sets, rules.chains, rules.elements)


def applies(policy: Object, direction: Direction) -> bool:
    """Whether a policy is about a direction: as `policyTypes` says, or ingress and what it has rules for."""
    spec = section(policy, "spec")
    types = strings(spec, "policyTypes")
    if types:
        return direction.capitalize() in types
    return direction == "ingress" or bool(spec.get("egress"))


class _Rules:
    def __init__(self, cluster: Cluster) -> None:
        self.sets: dict[str, str] = {}
        self.chains: dict[str, tuple[str, ...]] = {}
        self.elements: dict[tuple[str, str], str] = {}
        self._cluster = cluster

    def restrict(self, direction: Direction) -> None:
        under: dict[str, list[Object]] = {}
        for policy in sorted(self._cluster.policies, key=_name):
            if not applies(policy, direction):
                continue
            for pod in self._selected(policy):
                under.setdefault(pod.address, []).append(policy)
        for address, policies in under.items():
            chain = self._chain(direction, policies)
            self.elements[direction, address] = f"jump {chain}"

    def _selected(self, policy: Object) -> list[PodFacts]:
        namespace = section(policy, "metadata").get("namespace") or ""
        selector = Selector.of(section(policy, "spec").get("podSelector") or {})
        return [
            pod for pod in self._cluster.pods if pod.namespace == namespace and selector.matches(pod.labels)
        ]

    def _chain(self, direction: Direction, policies: Sequence[Object]) -> str:
        names = " ".join(_name(policy) for policy in policies)
        chain = f"{direction}/{hashlib.blake2s(names.encode(), digest_size=8).hexdigest()}"
        if chain not in self.chains:
            rules = [rule for policy in policies for rule in self._allowed(direction, policy)]
            self.chains[chain] = (*dict.fromkeys(rules), "drop")
        return chain

    def _allowed(self, direction: Direction, policy: Object) -> Iterator[str]:
        for index, rule in enumerate(items(section(policy, "spec"), direction)):
            name = f"{direction}/{_short(_name(policy))}/{index}"
            peers = items(rule, "from" if direction == "ingress" else "to")
            targets = self._selected(policy) if direction == "ingress" else self._peers(policy, peers)
            ports = list(self._ports(name, items(rule, "ports"), targets))
            for peer in self._peer_matches(direction, name, policy, peers):
                for port in ports:
                    yield " ".join(word for word in (peer, port, "return") if word)

    def _peer_matches(
        self, direction: Direction, name: str, policy: Object, peers: Sequence[Object]
    ) -> Iterator[str]:
        side = "saddr" if direction == "ingress" else "daddr"
        if not peers:
            yield ""
            return
        for block in (section(peer, "ipBlock") for peer in peers if peer.get("ipBlock")):
            cidr = string(block, "cidr")
            if ":" not in cidr:
                but = "".join(f" ip {side} != {excepted}" for excepted in strings(block, "except"))
                yield f"ip {side} {cidr}{but}"
        by_labels = [peer for peer in peers if not peer.get("ipBlock")]
        if by_labels:
            self.sets[name] = _ADDRESSES
            for pod in self._peers(policy, by_labels):
                self.elements[name, pod.address] = ""
            yield f"ip {side} @{name}"

    def _peers(self, policy: Object, peers: Sequence[Object]) -> list[PodFacts]:
        """The pods that peers mean by labels; all where no peer is named."""
        if not peers:
            return list(self._cluster.pods)
        own = section(policy, "metadata").get("namespace") or ""
        found: dict[str, PodFacts] = {}
        for peer in peers:
            if peer.get("ipBlock"):
                continue
            pods = Selector.of(peer.get("podSelector") or {})
            namespaces = peer.get("namespaceSelector")
            where = Selector.of(namespaces) if namespaces is not None else None
            for pod in self._cluster.pods:
                labels = self._cluster.namespaces.get(pod.namespace, {})
                here = where.matches(labels) if where else pod.namespace == own
                if here and pods.matches(pod.labels):
                    found[pod.address] = pod
        return list(found.values())

    def _ports(self, name: str, ports: Sequence[Object], targets: Iterable[PodFacts]) -> Iterator[str]:
        if not ports:
            yield ""
            return
        numbers: dict[str, list[str]] = {}
        named: list[tuple[str, str]] = []
        for port in ports:
            protocol, asked = str(port.get("protocol") or "TCP"), port.get("port")
            if isinstance(asked, str):
                named.append((asked, protocol))
            else:
                end = port.get("endPort")
                text = (
                    "0-65535" if asked is None else f"{asked}-{end}" if end and end != asked else str(asked)
                )
                numbers.setdefault(protocol.lower(), []).append(text)
        for protocol, texts in numbers.items():
            for text in dict.fromkeys(texts):
                yield f"meta l4proto {protocol} th dport {text}"
        if named:
            sockets = f"{name}/ports"
            self.sets[sockets] = _SOCKETS
            for pod in targets:
                for port, protocol in named:
                    if number := pod.ports.get((port, protocol)):
                        self.elements[sockets, f"{pod.address} . {protocol.lower()} . {number}"] = ""
            yield f"ip daddr . meta l4proto . th dport @{sockets}"


def _name(policy: Object) -> str:
    metadata = section(policy, "metadata")
    return f"{metadata.get('namespace')}/{metadata.get('name')}"


def _short(name: str) -> str:
    """The name, or what is left of one that is too long for a set's."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{hashlib.blake2s(name.encode(), digest_size=8).hexdigest()}"
