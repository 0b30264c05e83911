"""Which pods wait for which node: preemptors whose victims are still going (`status.nominatedNodeName`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ktui.engine.scheduler.podinfo import PodInfo
from ktui.kube.resource import ObjectKey


class Nominations(Mapping[str, Sequence[PodInfo]]):
    """Node name to the pods nominated to it."""

    def __init__(self) -> None:
        self._by_node: dict[str, dict[ObjectKey, PodInfo]] = {}
        self._nodes: dict[ObjectKey, str] = {}

    def nominate(self, pod: PodInfo, node: str) -> None:
        """The pod waits for this node; "" takes a nomination back."""
        self.remove(pod.key)
        if node:
            self._nodes[pod.key] = node
            self._by_node.setdefault(node, {})[pod.key] = pod

    def remove(self, key: ObjectKey) -> None:
        node = self._nodes.pop(key, None)
        if node is None:
            return
        del self._by_node[node][key]
        if not self._by_node[node]:
            del self._by_node[node]

    def node_of(self, key: ObjectKey) -> str:
        """The node the pod is nominated to, or ""."""
        return self._nodes.get(key, "")

    def __getitem__(self, node: str) -> Sequence[PodInfo]:
        return tuple(self._by_node[node].values())

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_node)

    def __len__(self) -> int:
        return len(self._by_node)
