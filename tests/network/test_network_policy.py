"""NetworkPolicies, in the kernel, with real connections between namespaces that stand for pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pod_network import Pod, PodNetwork, ask

from ktui.engine.network.nft import nft, remove_table
from ktui.engine.network.policy.rules import Cluster, PodFacts, base_rules, policy_rules
from ktui.engine.network.ruleset import creation, difference


def policy(name: str = "p", namespace: str = "default", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": {}, **spec}}


def pods(**labels: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": labels}}


class Policed:
    """Three pods that serve ports 8080 and 8081: web and client in default, other in elsewhere."""

    def __init__(self, network: PodNetwork) -> None:
        self.network = network
        self.web, self.client, self.other = network.pod(), network.pod(), network.pod()
        self._facts = [
            PodFacts("default", self.web.address, {"app": "web"}, {("http", "TCP"): 8080}),
            PodFacts("default", self.client.address, {"app": "client"}, {}),
            PodFacts("elsewhere", self.other.address, {"app": "client"}, {("http", "TCP"): 8081}),
        ]
        self._rules = None

    async def serve(self) -> None:
        for pod in (self.web, self.client, self.other):
            for port in (8080, 8081):
                await pod.serve(port)

    async def apply(self, *policies: dict[str, Any]) -> None:
        labels = {"default": {"team": "a"}, "elsewhere": {"team": "b"}}
        rules, table = (
            policy_rules(Cluster(policies, self._facts, labels)),
            self.network.settings.policy_table,
        )
        if self._rules is None:
            await nft(creation(table, base_rules(self.network.settings), rules))
        else:
            await nft(difference(table, self._rules, rules))
        self._rules = rules

    async def reaches(self, source: Pod | None, target: Pod, port: int = 8080) -> bool:
        try:
            async with asyncio.timeout(0.5):
                await ask(target.address, port, source)
        except TimeoutError:
            return False
        return True

    async def who_reaches_web(self, port: int = 8080) -> str:
        """Of client and other, those that reach web."""
        names = {"client": self.client, "other": self.other}
        answers = await asyncio.gather(*(self.reaches(pod, self.web, port) for pod in names.values()))
        return " ".join(name for name, answer in zip(names, answers, strict=True) if answer)


@pytest.fixture
async def policed(network: PodNetwork) -> AsyncIterator[Policed]:
    made = Policed(network)
    await made.serve()
    yield made
    await remove_table(network.settings.policy_table)


async def test_without_a_policy_everybody_talks(policed: Policed) -> None:
    await policed.apply()
    assert await policed.who_reaches_web() == "client other"


@pytest.mark.parametrize(
    ("rules", "reaching"),
    [
        ([], ""),
        ([{}], "client other"),
        ([{"from": [pods(app="client")]}], "client"),
        ([{"from": [{"namespaceSelector": {}}]}], "client other"),
        ([{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}], "other"),
        ([{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}, **pods(app="web")}]}], ""),
        (
            [{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}, pods(app="client")]}],
            "client other",
        ),
        ([{"ports": [{"port": 8080}]}], "client other"),
        ([{"ports": [{"port": 8081}]}], ""),
        ([{"ports": [{"port": "http"}]}], "client other"),
        ([{"ports": [{"port": "https"}]}], ""),
        ([{"ports": [{"port": 8000, "endPort": 8080}]}], "client other"),
        ([{"ports": [{"port": 8000, "endPort": 8079}]}], ""),
        ([{"ports": [{"protocol": "UDP"}]}], ""),
        ([{"ports": [{"protocol": "TCP"}], "from": [pods(app="client")]}], "client"),
        ([{"from": [pods(app="nobody")]}, {"from": [pods(app="client")]}], "client"),
    ],
)
async def test_ingress_rules_let_in_whom_they_name(
    policed: Policed, rules: list[dict[str, Any]], reaching: str
) -> None:
    await policed.apply(policy(**pods(app="web"), ingress=rules, policyTypes=["Ingress"]))
    assert await policed.who_reaches_web() == reaching
    assert await policed.reaches(None, policed.web), "the node reaches its pods"
    assert await policed.reaches(policed.web, policed.other), "egress is not restricted"
    assert await policed.reaches(policed.web, policed.web)


async def test_address_blocks_with_exceptions(policed: Policed) -> None:
    block = {"cidr": policed.network.settings.pod_cidr, "except": [f"{policed.other.address}/32"]}
    await policed.apply(policy(**pods(app="web"), ingress=[{"from": [{"ipBlock": block}]}]))
    assert await policed.who_reaches_web() == "client"


@pytest.mark.parametrize(
    ("rules", "port", "reached"),
    [
        ([], 8080, ""),
        ([{}], 8080, "web other"),
        ([{"to": [pods(app="web")]}], 8080, "web"),
        ([{"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}], 8080, "web"),
        ([{"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}], 8081, "other"),
    ],
)
async def test_egress_rules_let_out_to_whom_they_name(
    policed: Policed, rules: list[dict[str, Any]], port: int, reached: str
) -> None:
    await policed.apply(policy(**pods(app="client"), egress=rules, policyTypes=["Egress"]))
    found = {"web": policed.web, "other": policed.other}
    answers = await asyncio.gather(*(policed.reaches(policed.client, pod, port) for pod in found.values()))
    assert " ".join(name for name, answer in zip(found, answers, strict=True) if answer) == reached
    assert await policed.reaches(policed.web, policed.client), "ingress is not restricted"


async def test_policies_add_up_and_go(policed: Policed) -> None:
    deny = policy("deny", **pods(app="web"), policyTypes=["Ingress"])
    allow = policy("allow", **pods(app="web"), ingress=[{"from": [pods(app="client")]}])
    await policed.apply()
    await policed.apply(deny)
    assert await policed.who_reaches_web() == ""
    await policed.apply(deny, allow)
    assert await policed.who_reaches_web() == "client"
    await policed.apply(allow)
    assert await policed.who_reaches_web() == "client"
    await policed.apply()
    assert await policed.who_reaches_web() == "client other"


async def test_policies_hold_behind_a_services_address(policed: Policed) -> None:
    await policed.network.apply(policed.network.port(policed.web))
    await policed.apply(policy(**pods(app="web"), ingress=[{"from": [pods(app="client")]}]))
    vip = policed.network.vip(10)
    assert await ask(vip, 80, policed.client) == (policed.web.address, policed.client.address)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ask(vip, 80, policed.other)


async def test_restricted_egress_holds_for_the_host_too(policed: Policed) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), policed.network.settings.gateway, 0)
    port = server.sockets[0].getsockname()[1]
    await policed.apply(policy(**pods(app="client"), egress=[{"to": [pods(app="web")]}]))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ask(policed.network.settings.gateway, port, policed.client)
    server.close()
