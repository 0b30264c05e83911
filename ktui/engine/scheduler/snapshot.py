"""The cluster as one scheduling cycle sees it: nodes with their pods, and the labels of namespaces.

A cycle never awaits between taking a snapshot and assuming its pod, so the snapshot is a view of the cache,
not a copy. Preemption asks "what if" by replacing single nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ktui.engine.scheduler.nodeinfo import NodeInfo


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`nodes` by name; `namespaces` gives each namespace's labels."""

    nodes: Mapping[str, NodeInfo]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    def replacing(self, node: NodeInfo) -> Snapshot:
        """The same cluster with `node` in the place of the one of its name."""
        return Snapshot({**self.nodes, node.name: node}, self.namespaces)
