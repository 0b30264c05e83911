"""Runs the probes of one pod's containers: one task a probe and container, results into the pod's `Health`.

A startup probe holds the others back until it succeeds. Thresholds, delays and periods follow the probe's
fields; when a result flips, the pod's worker is woken, which writes the status or kills the container.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from lightkube.models.core_v1 import Container, ContainerStatus, Pod, Probe

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.http_get import HTTPRequest
from ktui.engine.kubelet.observed import Health, PodRuntime
from ktui.engine.kubelet.ports import resolve_port
from ktui.engine.kubelet.probes.base import Connect, Outcome, ProbeError
from ktui.engine.kubelet.probes.exec import probe_exec
from ktui.engine.kubelet.probes.grpc import probe_grpc
from ktui.engine.kubelet.probes.http import probe_http
from ktui.engine.kubelet.probes.tcp import probe_tcp
from ktui.engine.kubelet.recording import PodEvents
from ktui.engine.kubelet.runtime.base import ContainerRecord, ContainerState, Runtime
from ktui.kube.clock import Clock

log = logging.getLogger(__name__)

ProbeKind = Literal["startup", "liveness", "readiness"]
_TITLES = {"startup": "Startup", "liveness": "Liveness", "readiness": "Readiness"}
_ATTEMPTS = 3
"""A failing attempt is repeated at once; only the last counts (as the kubelet does for its own errors)."""


@dataclass(slots=True)
class _Counter:
    """Consecutive equal results."""

    last: bool | None = None
    count: int = 0

    def add(self, success: bool) -> int:
        self.count = self.count + 1 if success == self.last else 1
        self.last = success
        return self.count


class PodProber:
    """The probes of one pod. `wake` is its worker's bell, `latest` gives the pod as the worker last saw it."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        health: Health,
        wake: Callable[[], None],
        connect: Callable[[Pod, str], Connect],
        latest: Callable[[], Pod],
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._health = health
        self._wake = wake
        self._connect = connect
        self._latest = latest
        self._tasks: dict[tuple[str, ProbeKind], asyncio.Task[None]] = {}
        self._started: dict[str, asyncio.Event] = {}
        self._events = PodEvents(None, Pod())

    def reconcile(self, pod: Pod, events: PodEvents, runtime: PodRuntime, *, terminating: bool) -> None:
        """Probe exactly the containers that run now; a terminating pod is only asked for its readiness."""
        self._events = events
        wanted: set[tuple[str, ProbeKind]] = set()
        containers = [*(c for c in pods.init_containers(pod) if pods.is_sidecar(c)), *pods.containers(pod)]
        for container in containers:
            record = runtime.in_current(container.name)
            if record is None or record.state is not ContainerState.RUNNING:
                continue
            for kind, probe in _probes(container):
                if terminating and kind != "readiness":
                    continue
                key = (record.id, kind)
                wanted.add(key)
                if key not in self._tasks:
                    self._start(key, container, probe, record)
        for key in set(self._tasks) - wanted:
            self._tasks.pop(key).cancel()
        alive = {container_id for container_id, _ in wanted}
        for container_id in set(self._started) - alive:
            del self._started[container_id]

    async def stop(self) -> None:
        """End every probe."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(
        self, key: tuple[str, ProbeKind], container: Container, probe: Probe, record: ContainerRecord
    ) -> None:
        container_id, kind = key
        known = _status_of(self._latest(), container.name, container_id)
        if kind == "readiness":
            self._health.ready.setdefault(container_id, bool(known and known.ready))
        elif kind == "startup":
            self._health.started.setdefault(container_id, bool(known and known.started))
        if container_id not in self._started:
            self._started[container_id] = asyncio.Event()
        if kind != "startup" and (
            container.startupProbe is None or self._health.started.get(container_id, False)
        ):
            self._started[container_id].set()
        if kind == "startup" and self._health.started[container_id]:
            self._started[container_id].set()
        work: Coroutine[Any, Any, None] = self._run(kind, container, probe, record)
        task = asyncio.create_task(work, name=f"{kind} probe of {container.name}")
        self._tasks[key] = task

    async def _run(
        self, kind: ProbeKind, container: Container, probe: Probe, record: ContainerRecord
    ) -> None:
        started = self._started[record.id]
        if kind == "startup":
            if started.is_set():
                return
        else:
            await started.wait()
        await self._initial_delay(probe, record)
        counter = _Counter()
        period = probe.periodSeconds or 10
        while True:
            outcome = await self._ask(kind, container, probe, record)
            if outcome is not None:
                done = self._settle(kind, container, probe, record, outcome, counter)
                if done:
                    return
            await self._clock.sleep(period)

    async def _initial_delay(self, probe: Probe, record: ContainerRecord) -> None:
        since = record.started_at or record.created_at
        elapsed = (self._clock.now() - since).total_seconds() if since else 0.0
        delay = (probe.initialDelaySeconds or 0) - elapsed
        if delay > 0:
            await self._clock.sleep(delay)

    def _settle(
        self,
        kind: ProbeKind,
        container: Container,
        probe: Probe,
        record: ContainerRecord,
        outcome: Outcome,
        counter: _Counter,
    ) -> bool:
        """Count the outcome; True when this probe has nothing more to do for this container."""
        title = _TITLES[kind]
        if not outcome.success:
            self._events.warning("Unhealthy", f"{title} probe failed: {outcome.output}", container.name)
        elif outcome.warning:
            self._events.warning("ProbeWarning", f"{title} probe warning: {outcome.output}", container.name)
        threshold = (probe.successThreshold or 1) if outcome.success else (probe.failureThreshold or 3)
        if counter.add(outcome.success) < threshold:
            return False
        if kind == "readiness":
            if self._health.ready.get(record.id) != outcome.success:
                self._health.ready[record.id] = outcome.success
                self._wake()
            return False
        if outcome.success:
            if kind == "startup":
                self._health.started[record.id] = True
                self._started[record.id].set()
                self._wake()
                return True
            return False
        self._health.unhealthy[record.id] = f"{kind} probe"
        self._wake()
        return True

    async def _ask(
        self, kind: ProbeKind, container: Container, probe: Probe, record: ContainerRecord
    ) -> Outcome | None:
        for _ in range(_ATTEMPTS):
            try:
                return await self._probe(container, probe, record)
            except ProbeError as error:
                message = f"{_TITLES[kind]} probe errored and resulted in unknown state: {error}"
                self._events.warning("Unhealthy", message, container.name)
                return None
            except Exception:
                log.exception(
                    "%s probe of %s in pod %s", kind, container.name, pods.full_name(self._latest())
                )
        return None

    async def _probe(self, container: Container, probe: Probe, record: ContainerRecord) -> Outcome:
        timeout = float(probe.timeoutSeconds or 1)
        connect = self._connect(self._latest(), record.sandbox_id)
        shown = pods.status(self._latest()).podIP or "127.0.0.1"
        try:
            if probe.exec is not None:
                return await probe_exec(self._runtime, record.id, list(probe.exec.command or ()), timeout)
            if probe.httpGet is not None:
                action = probe.httpGet
                request = HTTPRequest(
                    host=action.host or "",
                    shown_host=action.host or shown,
                    port=resolve_port(action.port, container),
                    path=action.path or "/",
                    scheme=(action.scheme or "HTTP").lower(),
                    headers=[(h.name, h.value) for h in action.httpHeaders or ()],
                )
                return await probe_http(connect, request, timeout)
            if probe.tcpSocket is not None:
                host = probe.tcpSocket.host or ""
                port = resolve_port(probe.tcpSocket.port, container)
                return await probe_tcp(connect, host, host or shown, port, timeout)
            if probe.grpc is not None:
                service = probe.grpc.service or ""
                return await probe_grpc(connect, "", shown, probe.grpc.port, service, timeout)
        except ValueError as error:
            raise ProbeError(str(error)) from error
        raise ProbeError(f"missing probe handler for {pods.full_name(self._latest())}:{container.name}")


def _probes(container: Container) -> list[tuple[ProbeKind, Probe]]:
    found: list[tuple[ProbeKind, Probe | None]] = [
        ("startup", container.startupProbe),
        ("liveness", container.livenessProbe),
        ("readiness", container.readinessProbe),
    ]
    return [(kind, probe) for kind, probe in found if probe is not None]


def _status_of(pod: Pod, name: str, container_id: str) -> ContainerStatus | None:
    """The API's status of exactly this container: an adopted one keeps being ready across a restart."""
    status = pods.status(pod)
    for known in (*(status.initContainerStatuses or ()), *(status.containerStatuses or ())):
        if known.name == name and (known.containerID or "").endswith(f"//{container_id}"):
            return known
    return None
