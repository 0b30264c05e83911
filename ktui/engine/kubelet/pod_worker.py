"""One pod's life on this node: a small state machine that is woken, looks, acts and writes what it found.

It is woken by changes of the Pod, events of the runtime, results of probes and its own timers, never by a poll.
Each turn reads the runtime's records, computes what is wanted (`actions`), starts the slow work (pulls, starts,
stops) as tasks of its own, and writes the status. Nothing is remembered that a restarted kubelet could not find
again in the API, in the runtime's labels or on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.actions import Kill, PodActions, compute_actions
from ktui.engine.kubelet.context import KubeletContext
from ktui.engine.kubelet.crash_loop import CrashLoop
from ktui.engine.kubelet.ending import PodEnding
from ktui.engine.kubelet.observed import Health, PodRuntime, Waiting
from ktui.engine.kubelet.pod_status import OWNED_CONDITIONS, StatusInputs, build_status
from ktui.engine.kubelet.pressure import EVICTED
from ktui.engine.kubelet.probes.prober import PodProber
from ktui.engine.kubelet.resizing import Resizer
from ktui.engine.kubelet.runtime.base import (
    NotFoundError,
    RuntimeCallError,
)
from ktui.engine.kubelet.spec_facts import SpecFacts
from ktui.engine.kubelet.starting import PodError, PodStarter, StartError
from ktui.engine.kubelet.status_writer import write_status
from ktui.engine.kubelet.termination_message import TerminationMessages
from ktui.kube.errors import StatusError

log = logging.getLogger(__name__)

_RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
_RENEWAL_RETRY_SECONDS = 10.0
EVICTION_GRACE_SECONDS = 1
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    """The worker of one pod uid."""

    def __init__(self, context: KubeletContext, pod: Pod) -> None:
        self.pod = pod
        self.runtime = PodRuntime()
        """The runtime's records as of the last turn."""
        self.health = Health()
        self.failure: Waiting | None = None
        self.finished = False
        """Nothing of the pod is left on the node, nor in the API."""
        self.admitted = False
        """It was found fit to start here: it counts when the next pod is looked at."""
        self._context = context
        self._waiting: dict[str, Waiting] = {}
        self._messages = TerminationMessages()
        self._retry_at: dict[str, float] = {}
        self._crash_loop = CrashLoop(context, self._waiting)
        self._failures = 0
        self._pod_retry_at = 0.0
        self._volumes_stale = True
        self._kills: dict[str, asyncio.Task[None]] = {}
        self._start: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._facts: SpecFacts | None = None
        self._starter = PodStarter(context, self.health)
        self._resizer = Resizer(context.runtime, context.memory_bytes, context.fits_resized)
        self._ending = PodEnding(context, self.wake, self._halt)
        self._prober = PodProber(
            context.runtime, context.clock, self.health, self.wake, context.connect, lambda: self.pod
        )

    # What the outside tells it.

    def wake(self) -> None:
        """Look again."""
        self._woken.set()

    def update(self, pod: Pod) -> None:
        """The API has another version of the object."""
        old = self.pod
        if _version(pod) < _version(old):
            return
        self.pod = pod
        if pods.labels_of(old) != pods.labels_of(pod) or pods.annotations_of(old) != pods.annotations_of(pod):
            self._volumes_stale = True
            self.wake()
        changed = old.spec != pod.spec
        if changed:
            self._facts = None
        if changed or _outside_view(old) != _outside_view(pod):
            self._retry_at.clear()
            self.wake()

    @property
    def facts(self) -> SpecFacts:
        """What the pod refers to and claims, worked out once a spec."""
        if self._facts is None:
            self._facts = SpecFacts.of(self.pod)
        return self._facts

    def remove(self) -> None:
        """The object is gone from the API: what still runs is to be stopped and cleaned."""
        self._ending.removed = True
        self.wake()

    @property
    def is_active(self) -> bool:
        """It runs or is about to, and nothing ends it yet."""
        return not self._is_stopping()

    def evict(self, message: str) -> None:
        """The pod uses more than it may, or more than the node has: end it as failed, without ado."""
        if not self._is_stopping():
            self._ending.most_grace = EVICTION_GRACE_SECONDS
            self.failure = Waiting(EVICTED, message)
            self._context.events(self.pod).warning(EVICTED, message)
            self.wake()

    def references_changed(self) -> None:
        """A ConfigMap, Secret, trust bundle or certificate the pod refers to is another now."""
        self._volumes_stale = True
        self._pod_retry_at = 0.0
        for name, waiting in self._waiting.items():
            if waiting.reason == "CreateContainerConfigError":
                self._retry_at.pop(name, None)
        self.wake()

    async def run(self) -> None:
        """Work until the pod is gone. Cancelled, it lets go and leaves the containers running."""
        failures = 0
        try:
            while not self.finished:
                self._woken.clear()
                try:
                    delay = await self._turn()
                    failures = 0
                except (RuntimeCallError, StatusError, OSError, TimeoutError) as error:
                    failures += 1
                    log.warning("pod %s: %s", pods.full_name(self.pod), error)
                    delay = _retry_delay(failures)
                except Exception:
                    failures += 1
                    log.exception("pod %s", pods.full_name(self.pod))
                    delay = _retry_delay(failures)
                if not self.finished:
                    await self._wait(delay)
        finally:
            await self._halt()
            await self._ending.cancel()
            await self._prober.stop()

    async def _wait(self, delay: float | None) -> None:
        woken = asyncio.ensure_future(self._woken.wait())
        waits: list[asyncio.Future[Any]] = [woken]
        if delay is not None:
            waits.append(asyncio.ensure_future(self._context.clock.sleep(delay)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    # One turn.

    async def _turn(self) -> float | None:
        """Look and act once; seconds until it wants to look again by itself."""
        context = self._context
        self.runtime = runtime = PodRuntime(await context.runtime.pod(pods.uid(self.pod)))
        events = context.events(self.pod)
        self._admit()
        stopping = self._is_stopping()
        self._prober.reconcile(self.pod, events, runtime, terminating=stopping)
        self._forget_gone(runtime)
        await self._messages.read(self.pod, runtime)
        delays: list[float] = []
        if not stopping:
            delays.extend(self._deadline())
            stopping = self._is_stopping()
        if not stopping:
            self._resizer.look(self.pod, runtime, events)
            self.health.held = self._resizer.state.containers if self._resizer.state.pending else frozenset()
            actions = compute_actions(self.pod, runtime, self.health)
            if actions.kill_pod and self._start is None:
                self._ending.ended = stopping = True
            else:
                delays.extend(self._credential_renewal())
                await self._refresh_volumes(runtime)
                delays.extend(await self._resizer.apply(self.pod, runtime, events))
                delays.extend(self._act(actions, runtime))
        if stopping:
            if (left := await self._ending.advance(self.pod, runtime, self._write)) is not None:
                delays.append(left)
            self.finished = self._ending.finished
        else:
            await self._write(runtime, False)
        return min(delays, default=None)

    def _is_stopping(self) -> bool:
        return (
            self._ending.begun
            or self.failure is not None
            or pods.is_deleting(self.pod)
            or pods.is_terminal(self.pod)
        )

    def _admit(self) -> None:
        if self.admitted or self._is_stopping():
            return
        if self.runtime.sandboxes or pods.status(self.pod).startTime is not None:
            self.admitted = True
            return
        refusal = self._context.admit(self.pod)
        if refusal is not None:
            self._context.events(self.pod).warning(refusal.reason, refusal.message)
            self.failure = Waiting(refusal.reason, f"Pod was rejected: {refusal.message}")
        self.admitted = refusal is None

    def _deadline(self) -> list[float]:
        seconds = pods.spec(self.pod).activeDeadlineSeconds
        start = pods.status(self.pod).startTime
        if seconds is None or start is None:
            return []
        left = (start + timedelta(seconds=seconds) - self._context.clock.now()).total_seconds()
        if left > 0:
            return [left]
        self.failure = Waiting("DeadlineExceeded", DEADLINE_MESSAGE)
        self._context.events(self.pod).normal("DeadlineExceeded", DEADLINE_MESSAGE)
        return []

    def _credential_renewal(self) -> list[float]:
        uid = pods.uid(self.pod)
        times = (self._context.tokens.renewal(uid), self._context.certificates.renewal(uid))
        when = min((time for time in times if time is not None), default=None)
        if when is None:
            return []
        left = (when - self._context.clock.now()).total_seconds()
        if left > 0:
            return [left]
        # Tokens and certificates live on for a while: there is time to try a few times.
        self._volumes_stale = True
        return [_RENEWAL_RETRY_SECONDS]

    async def _refresh_volumes(self, runtime: PodRuntime) -> None:
        """Bring changed ConfigMaps, Secrets and labels to the running containers."""
        if not self._volumes_stale or runtime.current is None or self._start is not None:
            return
        self._volumes_stale = False
        refresh_only = self._starter.volume_paths is not None
        try:
            await self._starter.prepare_volumes(
                self.pod, self._context.events(self.pod), refresh_only=refresh_only
            )
        except PodError as error:
            log.warning("pod %s: volumes not refreshed: %s", pods.full_name(self.pod), error)

    def _forget_gone(self, runtime: PodRuntime) -> None:
        present = {record.id for sandbox in runtime.sandboxes for record in sandbox.containers}
        self.health.keep_only(present)
        self._crash_loop.forget_gone(present)
        self._messages.forget_gone(present)
        for container_id in set(self._starter.failed_starts) - present:
            del self._starter.failed_starts[container_id]

    # Acting.

    def _act(self, actions: PodActions, runtime: PodRuntime) -> list[float]:
        for kill in actions.kill:
            if kill.record.id not in self._kills:
                self._kills[kill.record.id] = self._spawn(self._kill(kill), f"kill {kill.container.name}")
        if self._start is not None:
            return []
        if actions.restart_all:
            self._waiting.clear()
            events = self._context.events(self.pod)
            removal = self._starter.remove_all(self.pod, actions.restart_all, events)
            self._start = self._spawn(removal, "restart all containers")
            return []
        now = self._context.clock.monotonic()
        if (actions.create_sandbox or actions.start) and self._pod_retry_at > now:
            return [self._pod_retry_at - now]
        if actions.create_sandbox:
            self._start = self._spawn(self._bring_up(actions.attempt), "sandbox")
            return []
        delays: list[float] = []
        due: list[Container] = []
        for container in actions.start:
            left = self._crash_loop.remaining(self.pod, container, runtime)
            left = max(left, self._retry_at.get(container.name, 0.0) - now)
            if left > 0:
                delays.append(left)
            else:
                due.append(container)
        if due:
            self._start = self._spawn(self._start_all(due, runtime), "start containers")
        return delays

    async def _bring_up(self, attempt: int) -> None:
        self._volumes_stale = False
        try:
            await self._starter.bring_up(self.pod, self.runtime, attempt, self._context.events(self.pod))
            self._failures = 0
        except PodError:
            self._retry_later()

    async def _prepare_volumes(self) -> None:
        self._volumes_stale = False
        await self._starter.prepare_volumes(self.pod, self._context.events(self.pod))

    async def _start_all(self, containers: list[Container], runtime: PodRuntime) -> None:
        context = self._context
        try:
            if self._starter.volume_paths is None:
                await self._prepare_volumes()
        except PodError:
            self._retry_later()
            return
        for container in containers:
            name = container.name
            try:
                await self._starter.start_container(self.pod, container, runtime, context.events(self.pod))
            except StartError as error:
                self._waiting[name] = Waiting(error.reason, str(error))
                self._retry_at[name] = context.clock.monotonic() + error.retry
            except NotFoundError as error:
                log.info("pod %s: %s", pods.full_name(self.pod), error)
            else:
                self._waiting.pop(name, None)
                self._retry_at.pop(name, None)
                await self._starter.remove_dead(runtime.history(name))
            self.wake()

    async def _kill(self, kill: Kill) -> None:
        """Stop a container that is to be replaced, within its own or the failed probe's grace."""
        context = self._context
        probe = {
            "liveness probe": kill.container.livenessProbe,
            "startup probe": kill.container.startupProbe,
        }.get(kill.reason)
        own_grace = probe.terminationGracePeriodSeconds if probe is not None else None
        await context.stopper.stop_container(
            self.pod,
            kill.container,
            kill.record,
            context.events(self.pod),
            grace=pods.grace_seconds(self.pod) if own_grace is None else own_grace,
            message=kill.message,
            connect=context.connect(self.pod, kill.record.sandbox_id),
            override=own_grace is not None,
        )

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{what} of {pods.key(self.pod)}")
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._start is task:
            self._start = None
        for container_id in [i for i, kill in self._kills.items() if kill is task]:
            del self._kills[container_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("pod %s: %s: %s", pods.full_name(self.pod), task.get_name(), error)
            self._retry_later()
        self.wake()

    def _retry_later(self) -> None:
        self._failures += 1
        self._pod_retry_at = self._context.clock.monotonic() + _retry_delay(self._failures)

    async def _halt(self) -> None:
        """Cancel what is being started or killed."""
        tasks = [*self._kills.values(), *([self._start] if self._start else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Telling.

    async def _write(self, runtime: PodRuntime, final: bool) -> None:
        inputs = StatusInputs(
            now=self._context.clock.now(),
            host_ip=self._context.host_ip,
            scheme=self._context.scheme,
            health=self.health,
            waiting=self._waiting,
            messages=self._messages.by_container,
            failed_starts=self._starter.failed_starts,
            failure=self.failure,
            final=final,
            resize=self._resizer.state,
        )
        written = await write_status(self._context.client, self.pod, build_status(self.pod, runtime, inputs))
        if written is not None and pods.uid(written) == pods.uid(self.pod):
            # It may bring what others changed meanwhile, such as a deletion.
            self.update(written)


def _version(pod: Pod) -> int:
    version = pods.meta(pod).resourceVersion or ""
    return int(version) if version.isdigit() else 0


def _outside_view(pod: Pod) -> object:
    """What others may change about a pod that its worker must react to."""
    metadata = pods.meta(pod)
    conditions = {
        c.type: c.status for c in pods.status(pod).conditions or () if c.type not in OWNED_CONDITIONS
    }
    return metadata.deletionTimestamp, metadata.deletionGracePeriodSeconds, conditions


def _retry_delay(failures: int) -> float:
    return _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS)) - 1]
