"""Stopping containers as Kubernetes does: Killing event, preStop within the grace, signal, SIGKILL at its end.

A whole pod stops at once, except that sidecars outlive the containers they serve and stop last, in reverse
order, all within one grace period.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lightkube.models.core_v1 import Container, Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.hooks import HookError, run_hook
from ktui.engine.kubelet.probes.base import Connect
from ktui.engine.kubelet.recording import PodEvents
from ktui.engine.kubelet.runtime.base import ContainerRecord, NotFoundError, Runtime
from ktui.kube.clock import Clock

log = logging.getLogger(__name__)

MINIMUM_GRACE_SECONDS = 2
_LEAVING_SECONDS = 1.0
"""Most that a pod waits until nobody sends it new connections."""

Leave = Callable[[str], Coroutine[Any, Any, None]]
"""Returns once Services send no new connection to an address."""


class Stopper:
    """Stops containers and pods of a node."""

    def __init__(self, runtime: Runtime, clock: Clock, leave: Leave | None = None) -> None:
        self._runtime = runtime
        self._clock = clock
        self._leave = leave

    async def stop_container(
        self,
        pod: Pod,
        container: Container | None,
        record: ContainerRecord,
        events: PodEvents,
        *,
        grace: float,
        message: str = "",
        connect: Connect | None = None,
        turn: asyncio.Event | None = None,
        override: bool = False,
    ) -> None:
        """Stop one container within `grace` seconds. `turn`: what it waits for between preStop and signal.

        `override`: the grace is an order (a probe's own, a forced deletion), not raised to the minimum.
        """
        events.normal("Killing", message or f"Stopping container {record.name}", record.name)
        deadline = self._clock.monotonic() + grace
        hook = container.lifecycle.preStop if container is not None and container.lifecycle else None
        if hook is not None and connect is not None and grace > 0 and container is not None:
            running = run_hook(
                hook,
                pod,
                container,
                record.id,
                runtime=self._runtime,
                connect=connect,
                shown_host=pods.status(pod).podIP or "127.0.0.1",
                clock=self._clock,
            )
            try:
                await self._within(running, grace)
            except HookError as error:
                log.warning("preStop hook: %s", error)
                events.warning("FailedPreStopHook", "PreStopHook failed", record.name)
        if turn is not None:
            await self._within(turn.wait(), deadline - self._clock.monotonic())
        left = deadline - self._clock.monotonic()
        if not override:
            left = max(left, MINIMUM_GRACE_SECONDS)
        try:
            await self._runtime.stop_container(record.id, max(left, 0))
        except NotFoundError:
            return

    async def stop_pod(
        self,
        pod: Pod,
        records: Sequence[ContainerRecord],
        events: PodEvents,
        *,
        grace: float,
        connect: Connect | None,
        override: bool = False,
    ) -> None:
        """Stop all of `records`, containers of `pod`; sidecars last and in reverse order.

        Containers are signalled once Services have let go of the pod, so that nobody is sent to one that ends.
        """
        sidecars = [c.name for c in pods.init_containers(pod) if pods.is_sidecar(c)]
        stopped = {record.id: asyncio.Event() for record in records}
        left = asyncio.Event()
        leaving = asyncio.create_task(self._leave_services(pod, left, is_forced=override))

        def waits_for(record: ContainerRecord) -> list[asyncio.Event]:
            if record.name not in sidecars:
                return [left]
            rank = sidecars.index(record.name)
            return [
                stopped[other.id]
                for other in records
                if other.name not in sidecars or sidecars.index(other.name) > rank
            ]

        async def stop(record: ContainerRecord) -> None:
            turn = asyncio.Event()
            waiter = asyncio.create_task(_all_set(waits_for(record), turn))
            try:
                await self.stop_container(
                    pod,
                    pods.find_container(pod, record.name),
                    record,
                    events,
                    grace=grace,
                    connect=connect,
                    turn=turn,
                    override=override,
                )
            finally:
                stopped[record.id].set()
                waiter.cancel()

        try:
            results = await asyncio.gather(*(stop(record) for record in records), return_exceptions=True)
        finally:
            leaving.cancel()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _leave_services(self, pod: Pod, left: asyncio.Event, *, is_forced: bool) -> None:
        address = pods.status(pod).podIP
        if self._leave is not None and address and not is_forced and not pods.spec(pod).hostNetwork:
            await self._within(self._leave(address), _LEAVING_SECONDS)
        left.set()

    async def _within(self, work: Coroutine[Any, Any, Any], seconds: float) -> None:
        """Await `work` for at most `seconds` of the injected clock."""
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        timer = asyncio.ensure_future(self._clock.sleep(max(seconds, 0)))
        try:
            await asyncio.wait([task, timer], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            task.cancel()
            timer.cancel()


async def _all_set(events: Sequence[asyncio.Event], turn: asyncio.Event) -> None:
    for event in events:
        await event.wait()
    turn.set()
