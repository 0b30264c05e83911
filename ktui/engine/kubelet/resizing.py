"""In-place resize: a running container's cgroup follows its resources when they change in the spec.

What a container was created with is on its label; what was applied since is remembered here and applied once more
by a restarted kubelet, which is harmless. Resources whose resizePolicy wants a restart are `actions`' business.
"""

from __future__ import annotations

import logging

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import labels
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.observed import PodRuntime
from ktui.engine.kubelet.resources import container_resources
from ktui.engine.kubelet.runtime.base import ContainerRecord, ContainerState, Runtime, RuntimeCallError

log = logging.getLogger(__name__)


def needs_restart(container: Container, record: ContainerRecord) -> bool:
    """The container's resources changed, and its resizePolicy wants a restart for that."""
    return is_resized(container, record) and any(
        policy.restartPolicy == "RestartContainer" for policy in container.resizePolicy or ()
    )


def is_resized(container: Container, record: ContainerRecord) -> bool:
    known = record.labels.get(labels.CONTAINER_RESOURCES)
    return known is not None and known != labels.resources_hash(container)


class Resizer:
    """Applies resizes of one pod's containers."""

    def __init__(self, runtime: Runtime, node_memory: int) -> None:
        self._runtime = runtime
        self._node_memory = node_memory
        self._applied: dict[str, str] = {}

    async def apply(self, pod: Pod, runtime: PodRuntime) -> None:
        """Bring the cgroups of running containers to what the spec says."""
        for container in (*pods.init_containers(pod), *pods.containers(pod)):
            record = runtime.in_current(container.name)
            if record is None or record.state is not ContainerState.RUNNING:
                continue
            wanted = labels.resources_hash(container)
            known = self._applied.get(record.id) or record.labels.get(labels.CONTAINER_RESOURCES)
            if known in (None, wanted) or needs_restart(container, record):
                continue
            resources = container_resources(pod, container, self._node_memory)
            try:
                await self._runtime.update_resources(record.id, resources)
            except RuntimeCallError as error:
                log.warning("pod %s: %s not resized: %s", pods.full_name(pod), container.name, error)
                continue
            self._applied[record.id] = wanted
