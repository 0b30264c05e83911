"""Which resources of the node run out: thresholds, the conditions they put the node under, and what they keep out.

In: the machine as it is now. Out: by condition type whether the node is under pressure, which it stays for minutes
after the last time it was, so that the condition does not flicker. Figures and wording are the kubelet's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.machine import Machine
from ktui.engine.kubelet.observed import Waiting
from ktui.engine.kubelet.resources import CRITICAL_PRIORITY, qos_class
from ktui.kube.clock import Clock

EVICTED: Final = "Evicted"
MEMORY: Final = "MemoryPressure"
MEMORY_RESERVE: Final = 100 * 1024 * 1024
"""The kubelet's `memory.available<100Mi`: what pods may not have, and under which there is pressure."""
DISK_RESERVE: Final = 0.05
"""Kubernetes' 10 % is meant for servers; a person's disk is often fuller and still fine."""
PIDS_RESERVE: Final = 0.05
TRANSITION_SECONDS: Final = 300.0
"""How long a condition outlives what caused it."""
_MEMORY_TAINT: Final = "node.kubernetes.io/memory-pressure"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A resource of which the node keeps something back."""

    condition: str
    resource: str
    """What pods request of it, "" where they can't."""
    reserve: Callable[[Machine], int]
    available: Callable[[Machine], int]

    def is_met(self, machine: Machine) -> bool:
        """Whether there is less than is kept back."""
        return self.available(machine) < self.reserve(machine)


THRESHOLDS: Final = (
    Threshold(MEMORY, "memory", lambda m: MEMORY_RESERVE, lambda m: m.memory_available),
    Threshold(
        "DiskPressure",
        "ephemeral-storage",
        lambda m: int(m.disk * DISK_RESERVE),
        lambda m: m.disk_available,
    ),
    Threshold(
        "PIDPressure", "", lambda m: int(m.pids_max * PIDS_RESERVE), lambda m: m.pids_max - m.pids_used
    ),
)
"""In the order in which they are acted on: memory kills faster than the rest."""


class Pressure:
    """The node's pressure over time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._met_at: dict[str, float] = {}

    def observe(self, machine: Machine) -> dict[str, bool]:
        """Look at the machine; by condition type whether the node is under pressure."""
        now = self._clock.monotonic()
        self._met_at |= {threshold.condition: now for threshold in THRESHOLDS if threshold.is_met(machine)}
        return self.conditions

    @property
    def conditions(self) -> dict[str, bool]:
        """As they are now, by what was observed."""
        now = self._clock.monotonic()
        return {
            threshold.condition: now - self._met_at.get(threshold.condition, float("-inf"))
            < TRANSITION_SECONDS
            for threshold in THRESHOLDS
        }


def is_critical(pod: Pod) -> bool:
    """The node needs it: it may always come, and is never evicted."""
    return (pods.spec(pod).priority or 0) >= CRITICAL_PRIORITY


def refusal(pod: Pod, conditions: Mapping[str, bool]) -> Waiting | None:
    """Why a node under pressure does not take `pod` in; None when it does."""
    pressed = [condition for condition, is_pressed in conditions.items() if is_pressed]
    if not pressed or is_critical(pod):
        return None
    if pressed == [MEMORY] and (qos_class(pod) != "BestEffort" or _tolerates_memory_pressure(pod)):
        return None
    return Waiting(EVICTED, f"The node had condition: [{' '.join(pressed)}]. ")


def _tolerates_memory_pressure(pod: Pod) -> bool:
    for toleration in pods.spec(pod).tolerations or ():
        is_meant = toleration.key == _MEMORY_TAINT or (not toleration.key and toleration.operator == "Exists")
        if is_meant and not toleration.value and toleration.effect in (None, "", "NoSchedule"):
            return True
    return False
