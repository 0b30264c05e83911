"""What the kubelet knows of a pod beyond its object: the runtime's records, and what it noticed itself.

`PodRuntime` is one reading of the runtime; `Health` holds what probes and hooks said of containers by id;
`Waiting` says why a container could not be started. Status and actions are computed from these and the Pod.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ktui.engine.kubelet import labels
from ktui.engine.kubelet.runtime.base import ContainerRecord, ContainerState, PodRecord


@dataclass(frozen=True, slots=True)
class Waiting:
    """Reason and message of a container's waiting state."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class PodRuntime:
    """A pod's sandboxes as the runtime listed them, newest first."""

    sandboxes: Sequence[PodRecord] = ()

    @property
    def current(self) -> PodRecord | None:
        """The newest sandbox, if it is up."""
        return self.sandboxes[0] if self.sandboxes and self.sandboxes[0].ready else None

    @property
    def ips(self) -> Sequence[str]:
        current = self.current
        return current.ips if current else ()

    def history(self, name: str) -> list[ContainerRecord]:
        """All records of a container over all sandboxes, newest first."""
        found = [record for sandbox in self.sandboxes for record in sandbox.containers if record.name == name]
        return sorted(found, key=_age, reverse=True)

    def latest(self, name: str) -> ContainerRecord | None:
        return max(
            (record for sandbox in self.sandboxes for record in sandbox.containers if record.name == name),
            key=_age,
            default=None,
        )

    def in_current(self, name: str) -> ContainerRecord | None:
        """The newest record of a container in the current sandbox."""
        current = self.current
        if current is None:
            return None
        return max((r for r in current.containers if r.name == name), key=_age, default=None)

    def running(self) -> list[ContainerRecord]:
        return [
            record
            for sandbox in self.sandboxes
            for record in sandbox.containers
            if record.state is ContainerState.RUNNING
        ]


def _age(record: ContainerRecord) -> tuple[int, float]:
    return labels.restart_count(record), record.created_at.timestamp() if record.created_at else 0.0


@dataclass(slots=True)
class Health:
    """What probes and hooks said, by container id. A container not named anywhere has nothing to wait for."""

    ready: dict[str, bool] = field(default_factory=dict[str, bool])
    """Results of readiness probes; no entry: no probe, ready once started."""
    started: dict[str, bool] = field(default_factory=dict[str, bool])
    """Results of startup probes; no entry: no probe."""
    unhealthy: dict[str, str] = field(default_factory=dict[str, str])
    """Containers to be killed, with what failed: `liveness probe`, `startup probe`."""
    starting: set[str] = field(default_factory=set[str])
    """Containers whose postStart hook still runs."""
    held: frozenset[str] = frozenset()
    """Names of containers whose resize has to wait."""

    def is_started(self, container_id: str) -> bool:
        return container_id not in self.starting and self.started.get(container_id, True)

    def is_ready(self, container_id: str) -> bool:
        return self.is_started(container_id) and self.ready.get(container_id, True)

    def forget(self, container_id: str) -> None:
        self.ready.pop(container_id, None)
        self.started.pop(container_id, None)
        self.unhealthy.pop(container_id, None)
        self.starting.discard(container_id)

    def keep_only(self, container_ids: set[str]) -> None:
        """Forget containers that are gone (but not those being started: the runtime may not list them yet)."""
        known = {*self.ready, *self.started, *self.unhealthy} - self.starting
        for container_id in known - container_ids:
            self.forget(container_id)
