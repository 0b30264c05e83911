"""Why a container of ours died: whether it was the OOM killer, which Podman tells of late, or never.

What must be known of a container is noted while it runs, because its cgroup goes with it; what the kernel counted
is read the moment its process has ended. A kill of our own is not taken for the OOM killer's.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from ktui.engine.kubelet.runtime import cgroups
from ktui.engine.kubelet.runtime.base import ContainerRecord
from ktui.engine.kubelet.runtime.podman_specs import signal_number

JSON = dict[str, Any]


@dataclass(slots=True)
class _Life:
    """What must be known of a running container before its end."""

    cgroup: str
    system_oom_kills: int | None
    has_memory_limit: bool
    stop_signal: int


class Deaths:
    """Lives and causes of death, by container id."""

    def __init__(self) -> None:
        self._lives: dict[str, _Life] = {}
        self._oom_killed: set[str] = set()
        self._killed_by_us: set[str] = set()

    def born(self, container_id: str, inspected: JSON) -> None:
        """It runs: note what will be gone with it."""
        self._lives[container_id] = _Life(
            inspected["State"].get("CgroupPath") or "",
            cgroups.system_oom_kills(),
            has_memory_limit=(inspected["HostConfig"].get("Memory") or 0) > 0,
            # A number before Podman 5, a name since.
            stop_signal=signal_number(str(inspected["Config"].get("StopSignal") or "SIGTERM")),
        )

    def process_ended(self, container_id: str) -> None:
        """Read what the kernel knows, now, before Podman's clean-up takes the cgroup away."""
        life = self._lives.pop(container_id, None)
        if life is None or container_id in self._killed_by_us or not life.cgroup:
            return
        kills = cgroups.oom_kills(life.cgroup)
        if kills is None and life.has_memory_limit and life.system_oom_kills is not None:
            kills = (cgroups.system_oom_kills() or 0) - life.system_oom_kills
        if kills:
            self._oom_killed.add(container_id)

    def too_soon(self, record: ContainerRecord, oom_kills_before: int | None) -> None:
        """It had ended before it could be watched: the whole system's count has to do."""
        was_killed = record.exit_code == 128 + signal.SIGKILL and oom_kills_before is not None
        if was_killed and (cgroups.system_oom_kills() or 0) > (oom_kills_before or 0):
            self._oom_killed.add(record.id)

    def killed_by_us(self, container_id: str) -> None:
        """Its death will not be the OOM killer's."""
        self._killed_by_us.add(container_id)

    def was_oom_kill(self, container_id: str) -> bool:
        return container_id in self._oom_killed

    def cgroup(self, container_id: str) -> str | None:
        """The cgroup's path of one that runs."""
        life = self._lives.get(container_id)
        return life.cgroup if life else None

    def stop_signal(self, container_id: str) -> int:
        """What asks it to end."""
        life = self._lives.get(container_id)
        return life.stop_signal if life else signal.SIGTERM

    def forget(self, container_id: str) -> None:
        """It is gone with all that was known of it."""
        self._lives.pop(container_id, None)
        self._oom_killed.discard(container_id)
        self._killed_by_us.discard(container_id)
