"""The record of why: each pod's last scheduling decision, per node and plugin.

Every decision is kept in a bounded ring in memory. Those on pods that found no node are also written as
`SchedulingDecision` objects (named like the pod and owned by it), coalesced by one task so that scheduling
never waits for them; a success is written only where a failure was.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from ktui.client.base import Client
from ktui.engine.scheduler.algorithm import Placement, Refusal
from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.podinfo import PodInfo
from ktui.kube.clock import rfc3339_micro
from ktui.kube.errors import StatusError
from ktui.kube.kinds import SCHEDULING_DECISIONS
from ktui.kube.resource import Object, ObjectKey

log = logging.getLogger(__name__)

RING_SIZE: Final = 512
NODES_RECORDED: Final = 100


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a pod. `refusals` gives every refusing plugin of a node."""

    pod: PodInfo
    result: Literal["Scheduled", "Unschedulable", "Error"]
    message: str
    time: datetime
    attempts: int
    seconds: float
    placement: Placement | None = None
    refusals: Mapping[str, Sequence[Refusal]] = field(default_factory=dict[str, Sequence[Refusal]])
    nominated_node: str = ""
    wakes_on: frozenset[ClusterEvent] = frozenset()

    def to_object(self) -> Object:
        """The `SchedulingDecision` of ktui.dev/v1alpha1."""
        key = self.pod.key
        owner: Object = {"apiVersion": "v1", "kind": "Pod", "name": key.name, "uid": self.pod.uid}
        return {
            "apiVersion": SCHEDULING_DECISIONS.api_version,
            "kind": SCHEDULING_DECISIONS.kind,
            "metadata": {"name": key.name, "namespace": key.namespace, "ownerReferences": [owner]},
            "pod": {**owner, "namespace": key.namespace},
            "result": self.result,
            "message": self.message,
            "nodeName": self.placement.node if self.placement is not None else "",
            "nominatedNodeName": self.nominated_node,
            "decidedTime": rfc3339_micro(self.time),
            "attempts": self.attempts,
            "durationMicroseconds": int(self.seconds * 1_000_000),
            "nodes": self._nodes(),
            "events": [
                {"resource": event.resource, "action": event.action}
                for event in ClusterEvent
                if event in self.wakes_on
            ],
        }

    def _nodes(self) -> list[Object]:
        nodes: list[Object] = []
        if self.placement is not None:
            for i, name in enumerate(self.placement.feasible):
                scores = {given.plugin: given.weight * given.scores[i] for given in self.placement.scores}
                nodes.append(
                    {"name": name, "feasible": True, "score": sum(scores.values()), "scores": scores}
                )
            nodes.sort(key=lambda node: -node["score"])
            nodes += [_refused(name, refusal) for name, refusal in self.placement.refused.items()]
        for name, refusals in self.refusals.items():
            nodes += [_refused(name, refusal) for refusal in refusals]
        return nodes[:NODES_RECORDED]


def _refused(name: str, refusal: Refusal) -> Object:
    return {
        "name": name,
        "feasible": False,
        "plugin": refusal.plugin,
        "reasons": list(refusal.rejection.reasons),
        "resolvable": refusal.rejection.resolvable,
    }


class Decisions:
    """The ring, and the task (`run`) that writes the part of it people need to see in the API."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ring: OrderedDict[ObjectKey, Decision] = OrderedDict()
        self._unwritten: dict[ObjectKey, Decision] = {}
        self._written: dict[ObjectKey, tuple[str, str]] = {}
        """UID and message of what the API holds."""
        self._wake = asyncio.Event()

    def record(self, decision: Decision) -> None:
        """Keep a decision; cheap, never waits."""
        key = decision.pod.key
        self._ring[key] = decision
        self._ring.move_to_end(key)
        if len(self._ring) > RING_SIZE:
            self._ring.popitem(last=False)
        failed = decision.result != "Scheduled"
        if (failed or key in self._written or key in self._unwritten) and self._written.get(key) != (
            decision.pod.uid,
            decision.message,
        ):
            self._unwritten[key] = decision
            self._wake.set()

    def get(self, key: ObjectKey) -> Decision | None:
        return self._ring.get(key)

    def forget(self, key: ObjectKey) -> None:
        """The pod is gone (the garbage collector removes its object)."""
        self._ring.pop(key, None)
        self._unwritten.pop(key, None)
        self._written.pop(key, None)

    async def run(self) -> None:
        """Write decisions until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._unwritten:
                key = next(iter(self._unwritten))
                decision = self._unwritten.pop(key)
                try:
                    await self._write(decision)
                    self._written[key] = (decision.pod.uid, decision.message)
                except (StatusError, OSError, TimeoutError) as error:
                    # The record explains, nothing depends on it: it is written at the next attempt.
                    log.debug("scheduling decision on %s not recorded: %s", key, error)

    async def _write(self, decision: Decision) -> None:
        obj = decision.to_object()
        key = decision.pod.key
        if key in self._written:
            try:
                await self._client.update(SCHEDULING_DECISIONS, obj)
                return
            except StatusError as error:
                if not error.is_not_found:
                    raise
        try:
            await self._client.create(SCHEDULING_DECISIONS, obj, key.namespace)
        except StatusError as error:
            if not error.is_already_exists:
                raise
            await self._client.update(SCHEDULING_DECISIONS, obj)
