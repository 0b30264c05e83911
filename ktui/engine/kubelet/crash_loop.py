"""Back-off of a pod's containers that ended and are to run again: how long, the waiting state, the event."""

from __future__ import annotations

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import labels
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.backoff import go_duration
from ktui.engine.kubelet.context import KubeletContext
from ktui.engine.kubelet.observed import PodRuntime, Waiting
from ktui.engine.kubelet.runtime.base import ContainerState


class CrashLoop:
    """One pod's share of the node's container back-off. `waiting` is the worker's, by container name."""

    def __init__(self, context: KubeletContext, waiting: dict[str, Waiting]) -> None:
        self._context = context
        self._waiting = waiting
        self._counted: set[str] = set()
        """Ends (by container id) that already lengthened the back-off."""
        self._told: set[str] = set()

    def remaining(self, pod: Pod, container: Container, runtime: PodRuntime) -> float:
        """Seconds until `container` may start again; 0 means now, and counts as a try."""
        record = runtime.latest(container.name)
        if record is None or record.state is ContainerState.RUNNING:
            return 0.0
        context = self._context
        since = record.finished_at or record.created_at or context.clock.now()
        key = (pods.uid(pod), f"{container.name}/{labels.container_hash(container)}")
        left = context.backoff.remaining(key, since)
        if left <= 0:
            if record.id not in self._counted:
                self._counted.add(record.id)
                context.backoff.next(key, since)
            return 0.0
        wait = go_duration(context.backoff.seconds(key))
        name = pods.full_name(pod)
        self._waiting[container.name] = Waiting(
            "CrashLoopBackOff", f"back-off {wait} restarting failed container={container.name} pod={name}"
        )
        if record.id not in self._told:
            self._told.add(record.id)
            message = f"Back-off restarting failed container {container.name} in pod {name}"
            context.events(pod).warning("BackOff", message, container.name)
        return left

    def forget_gone(self, present: set[str]) -> None:
        """Only containers that are there matter."""
        self._counted &= present
        self._told &= present
