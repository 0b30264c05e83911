"""The part of the network agent that enforces NetworkPolicies.

Pods are watched only once there is a policy: most clusters have none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

from lightkube.models.core_v1 import Namespace, Pod

from ktui.client.informer import Delta, Informer, Informers
from ktui.engine.network.follow import follow
from ktui.engine.network.policy.rules import Cluster, Labels, PodFacts, base_rules, policy_rules
from ktui.engine.network.settings import NetworkSettings
from ktui.engine.network.table import Table
from ktui.kube.clock import Clock
from ktui.kube.kinds import NAMESPACES, NETWORK_POLICIES, PODS
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

_ENDED = ("Succeeded", "Failed")
_DNS_NAMESPACE = "kube-system"
_DNS_LABELS = {"k8s-app": "kube-dns"}


class PolicyPart:
    """Keeps the policies' table until cancelled; the rules stay in the kernel then."""

    def __init__(self, informers: Informers, settings: NetworkSettings, clock: Clock) -> None:
        self._informers = informers
        self._settings = settings
        self._clock = clock
        self.table = Table(settings.policy_table, base_rules(settings))
        self._policies: Informer[Object] = informers.of(NETWORK_POLICIES, dict[str, Any])
        self._namespaces = informers.of(NAMESPACES, Namespace)
        self._pods: Informer[Pod] | None = None
        self._facts: dict[str, PodFacts] = {}
        self._wake = asyncio.Event()
        self._policies.add_handler(lambda _: self._wake.set())
        self._namespaces.add_handler(self._on_namespace)
        self.synced = asyncio.Event()
        """Set once the rules have been in the kernel."""

    async def run(self) -> None:
        await self._policies.wait_synced()
        await self._namespaces.wait_synced()
        await follow(self.table, self._wake, self._pass, self.synced, self._clock)

    async def _pass(self) -> None:
        policies = self._policies.list()
        if policies and self._pods is None:
            self._pods = self._informers.of(PODS, Pod)
            self._pods.add_handler(self._on_pod)
            await self._pods.wait_synced()
            self._tell_what_is_not_enforced()
        self._wake.clear()
        await self.table.apply(policy_rules(Cluster(policies, self._known_pods(), self._labels())))

    def _tell_what_is_not_enforced(self) -> None:
        if not self._settings.filters_bridged:
            log.warning(
                "NetworkPolicies hold only for traffic from and to the outside: packets between pods don't pass "
                "the rules; `sysctl -w net.bridge.bridge-nf-call-iptables=1` mends it"
            )

    def _known_pods(self) -> list[PodFacts]:
        """The pods, and the cluster's DNS server as the pod that it is elsewhere: policies name it so."""
        dns = PodFacts(
            _DNS_NAMESPACE, self._settings.gateway, _DNS_LABELS, {("dns", "UDP"): 53, ("dns-tcp", "TCP"): 53}
        )
        return [dns, *self._facts.values()]

    def _labels(self) -> dict[str, Labels]:
        return {key.name: _labels(namespace) for key, namespace in self._namespaces.items()}

    def _on_namespace(self, delta: Delta[Namespace]) -> None:
        if delta.old is None or delta.new is None or _labels(delta.old) != _labels(delta.new):
            self._wake.set()

    def _on_pod(self, delta: Delta[Pod]) -> None:
        facts = _facts(delta.new) if delta.new is not None else None
        if facts == self._facts.get(str(delta.key)):
            return
        if facts is None:
            del self._facts[str(delta.key)]
        else:
            self._facts[str(delta.key)] = facts
        self._wake.set()


def _facts(pod: Pod) -> PodFacts | None:
    """None for a pod that policies don't know: without an address, on the host's network, or ended."""
    status, spec = pod.status, pod.spec
    if status is None or spec is None or not status.podIP or spec.hostNetwork or status.phase in _ENDED:
        return None
    assert pod.metadata is not None
    return PodFacts(pod.metadata.namespace or "", status.podIP, _labels(pod), dict(_named_ports(pod)))


def _named_ports(pod: Pod) -> Iterator[tuple[tuple[str, str], int]]:
    assert pod.spec is not None
    for container in (*pod.spec.containers, *(pod.spec.initContainers or ())):
        for port in container.ports or ():
            if port.name:
                yield (port.name, port.protocol or "TCP"), port.containerPort


def _labels(obj: Any) -> Labels:
    return (obj.metadata and obj.metadata.labels) or {}
