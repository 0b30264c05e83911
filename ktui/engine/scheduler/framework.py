"""What a scheduling plugin is: the points of a scheduling cycle it may take part in, as small protocols.

A plugin implements the points it has something to say at, and is found by them. The points are those of
Kubernetes' scheduling framework; PreScore, Score and NormalizeScore are one call here (`Scorer.score` sees
all feasible nodes at once and gives normalized scores), because a vector at a time is what is fast in Python.
Plugins are pure: they read the pod, the snapshot and their own pre-filter state, and keep nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.engine.scheduler.snapshot import Snapshot

MAX_SCORE: Final = 100


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a plugin refuses a node; `resolvable` when evicting pods from the node could change its mind."""

    reasons: tuple[str, ...]
    resolvable: bool = True


class _Skip:
    """The type of `SKIP`."""


SKIP: Final = _Skip()
"""Returned by `pre_filter`: the plugin has no say about this pod, its filter is not called."""


@runtime_checkable
class PreEnqueuer(Protocol):
    """Decides whether a pod may enter the active queue at all."""

    name: str

    def pre_enqueue(self, pod: PodInfo) -> str:
        """Why the pod must wait, or "" to let it through."""
        ...


@runtime_checkable
class PreFilter(Protocol):
    """Looks at the pod and the whole snapshot once, before the nodes are filtered one by one."""

    name: str

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> Any:
        """The state the filter is called with, `SKIP`, or a `Rejection` of every node."""
        ...


@runtime_checkable
class Filter(Protocol):
    """Says whether the pod can run on a node. `state` is what `pre_filter` gave, None without one."""

    name: str
    wakes_on: frozenset[ClusterEvent]
    """The events that can turn a refusal into a yes."""

    def filter(self, state: Any, pod: PodInfo, node: NodeInfo) -> Rejection | None: ...


@runtime_checkable
class Scorer(Protocol):
    """Ranks the feasible nodes, 0 to `MAX_SCORE` each, multiplied by `weight` in the sum."""

    name: str
    weight: int

    def score(self, pod: PodInfo, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
        """One score a node, in the order of `nodes`; None when the plugin has no preference for this pod."""
        ...


class Plugin(Protocol):
    """Any of the above."""

    name: str


class Profile:
    """The plugins of one scheduler, sorted by the points they take part in, in their order."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.pre_enqueuers = [plugin for plugin in plugins if isinstance(plugin, PreEnqueuer)]
        self.filters = [plugin for plugin in plugins if isinstance(plugin, Filter)]
        self.scorers = [plugin for plugin in plugins if isinstance(plugin, Scorer)]
        self.pre_filters = {plugin.name: plugin for plugin in plugins if isinstance(plugin, PreFilter)}
        self.wakes_on = {plugin.name: plugin.wakes_on for plugin in self.filters}

    def gate(self, pod: PodInfo) -> str:
        """Why the pod must not be tried yet, or ""."""
        return next((reason for p in self.pre_enqueuers if (reason := p.pre_enqueue(pod))), "")


def normalized(raw: Sequence[int], *, reverse: bool = False) -> list[int]:
    """Scale to 0..`MAX_SCORE` by the largest; `reverse` makes the smallest raw score the best."""
    largest = max(raw, default=0)
    if largest == 0:
        return [MAX_SCORE if reverse else 0] * len(raw)
    scaled = [MAX_SCORE * value // largest for value in raw]
    return [MAX_SCORE - value for value in scaled] if reverse else scaled
