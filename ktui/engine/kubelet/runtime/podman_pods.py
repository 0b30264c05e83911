"""What Podman holds for this engine, kept current: the index behind `pods()`, `pod()` and `container()`.

One relist fills it; from then on a container is looked at again only when its process ended (pidfd), Podman's
event stream says that someone else did something, or the runtime itself acted on it. So a quiet cluster costs
nothing, and a pod's records cost no call. A broken stream means a new relist and a `relist` event.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ktui.engine.kubelet.runtime.base import (
    ContainerRecord,
    ContainerState,
    NotFoundError,
    PodIdentity,
    PodRecord,
    RuntimeCallError,
    RuntimeEvent,
)
from ktui.engine.kubelet.runtime.broadcast import EventBroadcast
from ktui.engine.kubelet.runtime.podman_deaths import Deaths
from ktui.engine.kubelet.runtime.podman_records import (
    container_record,
    moment,
    pod_identity,
    pod_ips,
    sandbox_attempt,
)
from ktui.engine.kubelet.runtime.podman_rest import LOOK_SECONDS, PodmanREST, ServiceDownError
from ktui.engine.kubelet.runtime.podman_specs import UID, engine_filter, own_labels
from ktui.engine.kubelet.runtime.process_watch import ProcessWatch

JSON = dict[str, Any]

log = logging.getLogger(__name__)

_PARALLEL_INSPECTS = 8
_LOST_EXIT_CODE = 255
_EXIT_PAUSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""How long to wait for conmon to write down a death that the kernel has already told us of."""


@dataclass(slots=True)
class Sandbox:
    """One Podman pod of ours."""

    id: str
    labels: Mapping[str, str]
    created_at: datetime
    infra_id: str = ""
    infra_pid: int = 0
    ready: bool = False
    ips: tuple[str, ...] = ()
    containers: dict[str, ContainerRecord] = field(default_factory=dict[str, ContainerRecord])

    @property
    def pod(self) -> PodIdentity:
        """Whose it is."""
        return pod_identity(self.labels)

    def record(self) -> PodRecord:
        """As the kubelet sees it."""
        return PodRecord(
            id=self.id,
            pod=self.pod,
            attempt=sandbox_attempt(self.labels),
            ready=self.ready,
            labels=own_labels(self.labels),
            created_at=self.created_at,
            ips=self.ips,
            containers=tuple(self.containers.values()),
        )


class PodIndex:
    """The engine's pods and containers, by id."""

    def __init__(self, rest: PodmanREST, engine: str, host_ip: str) -> None:
        self.events = EventBroadcast()
        self._rest = rest
        self._engine = engine
        self._host_ip = host_ip
        self._sandboxes: dict[str, Sandbox] = {}
        self._owner: dict[str, Sandbox] = {}
        """Container id (infra containers too) → sandbox."""
        self._deaths = Deaths()
        self._ends: dict[str, asyncio.Event] = {}
        self._settling: set[str] = set()
        """Containers whose process has ended, until Podman says so too."""
        self._watch = ProcessWatch()
        self._inspects = asyncio.Semaphore(_PARALLEL_INSPECTS)
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop watching."""
        self._watch.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Reading

    def pods(self) -> Sequence[PodRecord]:
        """Every sandbox."""
        return [sandbox.record() for sandbox in self._sandboxes.values()]

    def pod(self, uid: str) -> Sequence[PodRecord]:
        """One pod's, newest attempt first."""
        found = [s.record() for s in self._sandboxes.values() if s.labels.get(UID) == uid]
        return sorted(found, key=lambda record: -record.attempt)

    def sandbox(self, sandbox_id: str) -> Sandbox:
        """Raises NotFoundError."""
        if sandbox := self._sandboxes.get(sandbox_id):
            return sandbox
        raise NotFoundError(f"no pod {sandbox_id[:12]}")

    def find(self, container_id: str) -> ContainerRecord | None:
        """A container's record; None when it isn't ours or is gone."""
        owner = self._owner.get(container_id)
        return owner.containers.get(container_id) if owner else None

    def container(self, container_id: str) -> ContainerRecord:
        """Raises NotFoundError."""
        if record := self.find(container_id):
            return record
        raise NotFoundError(f"no container {container_id[:12]}")

    def owns(self, container_id: str) -> bool:
        """Whether it is a container of ours, infra containers too."""
        return container_id in self._owner

    def running_cgroups(self) -> list[tuple[ContainerRecord, Sandbox, str]]:
        """Running containers with their cgroup's path."""
        return [
            (record, sandbox, cgroup)
            for sandbox in self._sandboxes.values()
            for record in sandbox.containers.values()
            if record.state is ContainerState.RUNNING
            and (cgroup := self._deaths.cgroup(record.id)) is not None
        ]

    # Looking at Podman

    async def relist(self) -> None:
        """Look at everything anew."""
        filters = engine_filter(self._engine)
        pods, containers = await asyncio.gather(
            self._rest.get_list("pods/json", filters=filters),
            self._rest.get_list("containers/json", all="true", filters=filters),
        )
        for pod in pods:
            self._learn_sandbox(pod)
        seen = {str(container["Id"]) for container in containers}
        for container in containers:
            if sandbox := self._sandboxes.get(container.get("Pod") or ""):
                self._owner[container["Id"]] = sandbox
        # What was not listed is looked at too: it may be gone, or newer than the list.
        await asyncio.gather(*(self._refresh_if_sound(id_) for id_ in seen | self._owner.keys()))

    async def _refresh_if_sound(self, container_id: str) -> None:
        """One container that Podman can't make sense of must not hide the others."""
        try:
            await self.refresh(container_id)
        except ServiceDownError:
            raise
        except RuntimeCallError as error:
            log.warning("container %s can't be inspected: %s", container_id[:12], error)

    def _learn_sandbox(self, pod: JSON) -> None:
        """From an entry of `pods/json`."""
        known = self._sandboxes.get(pod["Id"])
        if known is None:
            created = moment(pod.get("Created")) or datetime.now(UTC)
            known = Sandbox(pod["Id"], pod.get("Labels") or {}, created)
            self._sandboxes[known.id] = known
        known.infra_id = pod.get("InfraId") or ""
        if known.infra_id:
            self._owner[known.infra_id] = known

    def add_sandbox(self, sandbox: Sandbox) -> None:
        """One that we have just made."""
        self._sandboxes[sandbox.id] = sandbox
        self._owner[sandbox.infra_id] = sandbox

    def add_container(self, sandbox_id: str, container_id: str) -> None:
        """One that we have just made; `refresh` fills it."""
        self._owner[container_id] = self.sandbox(sandbox_id)

    async def refresh(self, container_id: str) -> ContainerRecord | None:
        """Look at one container; None for infra containers and those that are gone."""
        owner = self._owner.get(container_id)
        if owner is None:
            return None
        try:
            async with self._inspects:
                inspected = await self._rest.get(f"containers/{container_id}/json", within=LOOK_SECONDS)
        except NotFoundError:
            if container_id == owner.infra_id:
                # It only ever goes with its pod.
                self.drop_sandbox(owner.id)
            else:
                self.drop_container(container_id)
            return None
        return self.take_in(inspected)

    def take_in(self, inspected: JSON) -> ContainerRecord | None:
        """Learn from the answer of `containers/{id}/json`; None for infra containers and strangers."""
        container_id = str(inspected["Id"])
        owner = self._owner.get(container_id)
        if owner is None:
            return None
        record = container_record(inspected, oom_killed=self._deaths.was_oom_kill(container_id))
        if (known := owner.containers.get(container_id)) is not None:
            record = _not_again(known, record)
        pid = record.pid
        if container_id == owner.infra_id:
            owner.ready = record.state is ContainerState.RUNNING
            owner.infra_pid = pid
            owner.ips = (pod_ips(inspected, self._host_ip) if owner.ready else ()) or owner.ips
        else:
            owner.containers[container_id] = record
        if record.state is not ContainerState.RUNNING:
            self._watch.forget(container_id)
        elif not self._watch.watches(container_id) and container_id not in self._settling:
            self._deaths.born(container_id, inspected)
            try:
                self._watch.watch(container_id, pid, lambda: self._process_ended(container_id))
            except OSError as error:
                log.warning("container %s: no prompt news of its end: %s", container_id[:12], error)
        if container_id == owner.infra_id:
            return None
        return self._mend_record(owner, record)

    async def started(self, container_id: str, oom_kills_before: int | None) -> None:
        """We have just started it: look, and find out about an end that came too soon to be watched."""
        record = await self.refresh(container_id)
        if record is not None and record.state is ContainerState.EXITED:
            self._deaths.too_soon(record, oom_kills_before)
            self._settle(container_id)

    def drop_container(self, container_id: str) -> bool:
        """It is gone; whether it was known."""
        self._watch.forget(container_id)
        self._deaths.forget(container_id)
        owner = self._owner.pop(container_id, None)
        self._notify_end(container_id)
        if owner is None:
            return False
        owner.containers.pop(container_id, None)
        if container_id == owner.infra_id:
            owner.ready = False
        return True

    def drop_sandbox(self, sandbox_id: str) -> None:
        """It is gone with its containers."""
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is not None:
            for container_id in [*sandbox.containers, sandbox.infra_id]:
                self.drop_container(container_id)

    # Ends

    def signal(self, container_id: str, number: int) -> bool:
        """Signal the container's process; False when it isn't ours to signal."""
        if number == signal.SIGKILL:
            self._deaths.killed_by_us(container_id)
        return self._watch.send_signal(container_id, number)

    def stop_signal(self, container_id: str) -> int:
        """What asks the container to end."""
        return self._deaths.stop_signal(container_id)

    def is_alive(self, container_id: str) -> bool:
        """Whether the container's process is there at this moment: news of its end take a while to arrive."""
        if container_id in self._settling:
            return False
        return self._watch.lives(container_id) or not self._watch.watches(container_id)

    async def wait_end(self, container_id: str) -> None:
        """Return when the container is known to have ended or to be gone."""
        while self._is_up(container_id):
            await self._ends.setdefault(container_id, asyncio.Event()).wait()

    def _is_up(self, container_id: str) -> bool:
        owner = self._owner.get(container_id)
        if owner is None:
            return False
        if container_id == owner.infra_id:
            return owner.ready
        record = owner.containers.get(container_id)
        return record is not None and record.state is ContainerState.RUNNING

    def notify_if_ended(self, container_id: str) -> None:
        """Wake who waits for an end that was seen by looking."""
        if not self._is_up(container_id):
            self._notify_end(container_id)

    def _notify_end(self, container_id: str) -> None:
        if waiters := self._ends.pop(container_id, None):
            waiters.set()

    def _process_ended(self, container_id: str) -> None:
        self._deaths.process_ended(container_id)
        self._settle(container_id)

    def _settle(self, container_id: str) -> None:
        if container_id not in self._settling:
            self._settling.add(container_id)
            self._spawn(self._settle_end(container_id))

    async def _settle_end(self, container_id: str) -> None:
        try:
            if owner := self._owner.get(container_id):
                await self._take_in_end(owner, container_id)
        finally:
            self._settling.discard(container_id)

    async def _take_in_end(self, owner: Sandbox, container_id: str) -> None:
        for pause in _EXIT_PAUSES:
            await asyncio.sleep(pause)
            try:
                await self.refresh(container_id)
            except RuntimeCallError as error:
                log.warning("container %s ended, but can't be inspected: %s", container_id[:12], error)
                continue
            if not self._is_up(container_id):
                break
        else:
            log.warning("container %s ended, but podman still calls it running", container_id[:12])
            self._write_off(owner, container_id)
        self._notify_end(container_id)
        self._send(owner, container_id)

    def _write_off(self, owner: Sandbox, container_id: str) -> None:
        """The process is gone, and conmon, who should have said how it ended, too."""
        if container_id == owner.infra_id:
            owner.ready = False
        elif record := owner.containers.get(container_id):
            owner.containers[container_id] = replace(
                record,
                state=ContainerState.EXITED,
                exit_code=_LOST_EXIT_CODE,
                finished_at=datetime.now(UTC),
                message="its exit code is lost: conmon ended before it",
                pid=0,
            )

    def _mend_record(self, owner: Sandbox, record: ContainerRecord) -> ContainerRecord:
        """An OOM kill is one only if the container failed of it."""
        if record.oom_killed and record.exit_code == 0:
            record = replace(record, oom_killed=False)
            owner.containers[record.id] = record
        return record

    def _send(self, owner: Sandbox, container_id: str) -> None:
        uid = owner.labels.get(UID, "")
        if owner.id not in self._sandboxes:
            self.events.send(RuntimeEvent(uid, type="removed"))
        elif container_id == owner.infra_id:
            self.events.send(RuntimeEvent(uid, type="sandbox"))
        elif (record := owner.containers.get(container_id)) is None:
            self.events.send(RuntimeEvent(uid, container_id, "removed"))
        else:
            self.events.send(RuntimeEvent(uid, container_id, "oom" if record.oom_killed else "died"))

    async def take_event(self, action: str, container_id: str) -> None:
        """Something was done to a container, by us or by others."""
        owner = self._owner.get(container_id)
        if owner is None:
            return
        match action:
            case "remove":
                if container_id == owner.infra_id:
                    self.drop_sandbox(owner.id)
                    self._send(owner, container_id)
                elif self.drop_container(container_id):
                    self._send(owner, container_id)
            case "died" | "stop" | "kill":
                # A watched process tells us itself, and sooner.
                if self._is_up(container_id) and not self._watch.watches(container_id):
                    self._settle(container_id)
            case "start" | "restart":
                if not self._is_up(container_id):
                    with contextlib.suppress(RuntimeCallError):
                        await self.refresh(container_id)
                    if self._is_up(container_id):
                        self.events.send(RuntimeEvent(owner.labels.get(UID, ""), container_id, "started"))
            case _:
                pass

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _not_again(known: ContainerRecord, record: ContainerRecord) -> ContainerRecord:
    """No container of ours starts twice: Podman makes one that has ended ready anew when somebody attaches to it
    too late, and forgets how it ended."""
    if record.state is not ContainerState.CREATED:
        return record
    if known.state is ContainerState.EXITED:
        return known
    if known.state is ContainerState.RUNNING:
        return replace(
            known,
            state=ContainerState.EXITED,
            exit_code=_LOST_EXIT_CODE,
            finished_at=datetime.now(UTC),
            message="its exit code is lost: somebody attached to it as it ended",
            pid=0,
        )
    return record
