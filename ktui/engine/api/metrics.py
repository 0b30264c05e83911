"""metrics.k8s.io: what pods and nodes use now, asked of the nodes' agents at every read and never stored.

In: a get or list of `pods.metrics.k8s.io` or `nodes.metrics.k8s.io`. Out: `PodMetrics` as the agents give
them, and `NodeMetrics` summed up from those. An agent that does not answer is left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

from ktui.client.node import NodeAgent
from ktui.engine.api.computed import Source
from ktui.engine.api.declaration import Column, Declaration
from ktui.engine.api.documents import metadata_of
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.data import items, section
from ktui.kube.errors import StatusError
from ktui.kube.quantity import bytes_of, parse_quantity
from ktui.kube.resource import Object, Resource

log = logging.getLogger(__name__)

GROUP = "metrics.k8s.io"
POD_METRICS = Resource(GROUP, "v1beta1", "pods", "PodMetrics", True, verbs=("get", "list"))
NODE_METRICS = Resource(GROUP, "v1beta1", "nodes", "NodeMetrics", False, verbs=("get", "list"))
_ANSWER_SECONDS = 5.0
_FRESH_SECONDS = 2.0
"""Readers that come shortly after each other get the same answer."""


def _usages(obj: Object) -> list[Object]:
    """The usage of a node, or of each container of a pod."""
    if "usage" in obj:
        return [section(obj, "usage")]
    return [section(container, "usage") for container in items(obj, "containers")]


def _nanocores(usages: Iterable[Object]) -> int:
    return sum(parse_quantity(usage.get("cpu") or "0").nanos for usage in usages)


def _bytes(usages: Iterable[Object]) -> int:
    return sum(bytes_of(usage.get("memory")) for usage in usages)


_COLUMNS = (
    Column(name="Name", read=lambda obj: metadata_of(obj).get("name"), format="name"),
    Column(name="CPU", read=lambda obj: f"{-(-_nanocores(_usages(obj)) // 10**6)}m"),
    Column(name="Memory", read=lambda obj: f"{_bytes(_usages(obj)) >> 20}Mi"),
    Column(name="Window", read=lambda obj: obj.get("window"), priority=1),
)

DECLARATIONS = tuple(
    Declaration(resource=resource, schema="", columns=_COLUMNS, read_only=True)
    for resource in (POD_METRICS, NODE_METRICS)
)


class Metrics:
    """Reads through the agents of the nodes that are up."""

    def __init__(self, agents: Mapping[str, NodeAgent], clock: Clock) -> None:
        self._agents = agents
        self._clock = clock
        self._answers: dict[str, tuple[float, list[Object]]] = {}
        """By node: when it was asked last, and what it said."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """What makes the objects of each kind."""
        return {POD_METRICS.key: self._of_pods, NODE_METRICS.key: self._of_nodes}

    async def _of_pods(self) -> list[Object]:
        answers = await asyncio.gather(*(self._pods_of(node) for node in sorted(self._agents)))
        return [pod for pods in answers if pods is not None for pod in pods]

    async def _of_nodes(self) -> list[Object]:
        nodes = sorted(self._agents)
        answers = await asyncio.gather(*(self._pods_of(node) for node in nodes))
        return [self._node(node, pods) for node, pods in zip(nodes, answers, strict=True) if pods is not None]

    async def _pods_of(self, node: str) -> list[Object] | None:
        now = self._clock.monotonic()
        asked, answer = self._answers.get(node, (float("-inf"), []))
        if now - asked < _FRESH_SECONDS:
            return answer
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = [*await self._agents[node].stats()]
        except (StatusError, OSError, TimeoutError) as error:
            log.warning("node %s gives no metrics: %s", node, error)
            return None
        self._answers[node] = now, answer
        return answer

    def _node(self, name: str, pods: Iterable[Object]) -> Object:
        now = rfc3339(self._clock.now())
        pods = list(pods)
        usages = [usage for pod in pods for usage in _usages(pod)]
        return {
            "kind": NODE_METRICS.kind,
            "apiVersion": NODE_METRICS.api_version,
            "metadata": {"name": name, "creationTimestamp": now},
            "timestamp": now,
            "window": max((str(pod.get("window") or "") for pod in pods), default="0s"),
            "usage": {"cpu": f"{_nanocores(usages)}n", "memory": f"{_bytes(usages) // 1024}Ki"},
        }
