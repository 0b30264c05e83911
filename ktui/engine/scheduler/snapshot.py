"""The cluster as one scheduling cycle sees it: nodes with their pods, labels of namespaces, volumes.

A cycle never awaits between taking a snapshot and assuming its pod, so the snapshot is a view of the cache,
not a copy. Preemption asks "what if" by replacing single nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`nodes` by name; `namespaces` gives each namespace's labels."""

    nodes: Mapping[str, NodeInfo]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    volumes: Volumes = field(default_factory=Volumes)

    def replacing(self, node: NodeInfo) -> Snapshot:
        """The same cluster with `node` in the place of the one of its name."""
        return Snapshot({**self.nodes, node.name: node}, self.namespaces, self.volumes)
