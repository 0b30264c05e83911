"""What the simulated runtime keeps of a container and a sandbox, and the figures and logs it makes up for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ktui.engine.kubelet.runtime.base import (
    ContainerRecord,
    ContainerSpec,
    ContainerStats,
    PodRecord,
    Resources,
    SandboxSpec,
)
from ktui.engine.kubelet.runtime.sim_behaviour import Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class SimLatencies:
    """How long each kind of call takes, in seconds of the runtime's clock."""

    pull: float = 0.0
    sandbox: float = 0.0
    create: float = 0.0
    start: float = 0.0
    stop: float = 0.0
    exec: float = 0.0


@dataclass(slots=True)
class SimContainer:
    """A container and what its process does."""

    record: ContainerRecord
    spec: ContainerSpec
    behaviour: Behaviour
    run: asyncio.Task[None] | None = None
    resources: Resources = field(default_factory=Resources)


@dataclass(slots=True)
class SimSandbox:
    """A sandbox and its containers by id."""

    spec: SandboxSpec
    record: PodRecord
    containers: dict[str, SimContainer] = field(default_factory=dict[str, SimContainer])


def made_up_stats(
    container: SimContainer, uid: str, now: datetime, memory: int | None = None
) -> ContainerStats:
    """Steady figures that differ from container to container; `memory` where it is given."""
    seed = int(container.record.id[:8], 16)
    started = container.record.started_at
    assert started is not None
    elapsed = max(0.0, (now - started).total_seconds())
    millicores = 1 + seed % 50
    if memory is None:
        memory = (4 + seed % 60) * 1024 * 1024
    return ContainerStats(
        container_id=container.record.id,
        pod_uid=uid,
        name=container.spec.name,
        timestamp=now,
        cpu_nanoseconds=int(elapsed * millicores * 1_000_000),
        memory_working_set=memory,
        memory_usage=memory,
    )


def write_log(container: SimContainer, now: datetime, lines: Sequence[str]) -> None:
    """Append to the container's log in the CRI format."""
    path = container.record.log_path
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    with path.open("a") as log:
        log.writelines(f"{stamp} stdout F {line}\n" for line in lines)
