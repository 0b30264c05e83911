"""SchedulingGates: a pod with gates left in its spec isn't scheduled until they are removed."""

from __future__ import annotations

from ktui.engine.scheduler.podinfo import PodInfo


class SchedulingGates:
    """Reads `spec.schedulingGates`."""

    name = "SchedulingGates"

    def pre_enqueue(self, pod: PodInfo) -> str:
        gates = pod.spec.schedulingGates or ()
        if not gates:
            return ""
        return f"waiting for scheduling gates: [{' '.join(gate.name for gate in gates)}]"
