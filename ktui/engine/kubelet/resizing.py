"""In-place resize: a running container's cgroup follows its resources when they change in the spec.

What a container was created with is on its label; what was applied since is remembered here and applied once more
by a restarted kubelet, which is harmless. What the node does not have is not applied: the old resources stay in force
and a condition says why. Resources whose resizePolicy wants a restart are `actions`' business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import labels
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.observed import PodRuntime, Waiting
from ktui.engine.kubelet.recording import PodEvents
from ktui.engine.kubelet.resources import container_resources
from ktui.engine.kubelet.runtime.base import ContainerRecord, ContainerState, Runtime, RuntimeCallError

log = logging.getLogger(__name__)

_RETRY_SECONDS = 10.0


def needs_restart(container: Container, record: ContainerRecord) -> bool:
    """The container's resources changed, and its resizePolicy wants a restart for that."""
    return is_resized(container, record) and any(
        policy.restartPolicy == "RestartContainer" for policy in container.resizePolicy or ()
    )


def is_resized(container: Container, record: ContainerRecord) -> bool:
    known = record.labels.get(labels.CONTAINER_RESOURCES)
    return known is not None and known != labels.resources_hash(container)


@dataclass(frozen=True, slots=True)
class Resize:
    """How a pod's resize stands. `containers` are those that still have their old resources."""

    containers: frozenset[str] = frozenset()
    pending: Waiting | None = None
    """The node can't give what is asked: Infeasible, or Deferred until others leave."""
    error: str = ""
    """What the runtime said when it should have been done."""


NO_RESIZE = Resize()


class Resizer:
    """Applies resizes of one pod's containers."""

    def __init__(self, runtime: Runtime, node_memory: int, fits: Callable[[Pod], Waiting | None]) -> None:
        self.state = NO_RESIZE
        self._runtime = runtime
        self._node_memory = node_memory
        self._fits = fits
        self._applied: dict[str, str] = {}

    def look(self, pod: Pod, runtime: PodRuntime, events: PodEvents) -> None:
        """Find out whether what is wanted can be had."""
        resized = [container for container, _ in self._resized(pod, runtime)]
        if not resized:
            self.state = NO_RESIZE
            return
        pending = self._fits(pod)
        if pending is not None and pending != self.state.pending:
            events.warning(f"Resize{pending.reason}", f"Pod resize {pending.reason}: {pending.message}")
        names = frozenset(container.name for container in resized)
        self.state = Resize(names, pending, "" if pending else self.state.error)

    async def apply(self, pod: Pod, runtime: PodRuntime, events: PodEvents) -> list[float]:
        """Bring the cgroups of running containers to what the spec says; when to try again what can't be done."""
        if self.state is NO_RESIZE:
            return []
        if self.state.pending is not None:
            return [_RETRY_SECONDS]
        error, left = "", set[str]()
        for container, record in self._resized(pod, runtime):
            if needs_restart(container, record):
                continue
            resources = container_resources(pod, container, self._node_memory)
            try:
                await self._runtime.update_resources(record.id, resources)
            except RuntimeCallError as failure:
                log.warning("pod %s: %s not resized: %s", pods.full_name(pod), container.name, failure)
                error = str(failure)
                left.add(container.name)
                continue
            self._applied[record.id] = labels.resources_hash(container)
        if error:
            if error != self.state.error:
                events.warning("ResizeError", f"Pod resize failed: {error}")
            self.state = Resize(frozenset(left), error=error)
            return [_RETRY_SECONDS]
        self.state = NO_RESIZE
        return []

    def _resized(self, pod: Pod, runtime: PodRuntime) -> Iterator[tuple[Container, ContainerRecord]]:
        """The running containers that have other resources than the spec says."""
        for container in (*pods.init_containers(pod), *pods.containers(pod)):
            record = runtime.in_current(container.name)
            if record is None or record.state is not ContainerState.RUNNING:
                continue
            known = self._applied.get(record.id) or record.labels.get(labels.CONTAINER_RESOURCES)
            if known not in (None, labels.resources_hash(container)):
                yield container, record
