"""What runs controllers: workers that take keys from a workqueue and call `reconcile`.

A controller holds a `Client` and informers; its handlers put keys on the queue and its `reconcile(key)` makes
the world match, level-triggered and idempotent. An exception means "not yet": it is logged and the key comes
back with its own back-off. `ControllerRunner` owns all workers of all controllers in one TaskGroup and stops
within a bounded time.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from ktui.client.informer import Delta, Handler, Informers
from ktui.engine.controllers.figures import queue_figures
from ktui.engine.controllers.workqueue import K, QueueShutDown, WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.prometheus import Family, Histogram
from ktui.kube.resource import ObjectKey

log = logging.getLogger(__name__)

RESTART_SECONDS = (0.2, 1.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Result:
    """A reconcile that went well and wants to look again later."""

    requeue_after: float


class Controller(ABC, Generic[K]):
    """One control loop. Subclasses say what wakes them (`setup`) and what to do about a key."""

    name: str
    """Kubernetes' name of it: `replicaset-controller`."""
    workers: int = 1

    @abstractmethod
    def setup(self, informers: Informers, queue: WorkQueue[K]) -> None:
        """Ask for informers and register handlers that enqueue keys. Called once, before anything runs."""

    @abstractmethod
    async def reconcile(self, key: K) -> Result | None:
        """Read, compute, write the difference. Raise to be called again with back-off."""

    async def background(self) -> None:
        """A loop beside the workers, for what no key stands for. Restarted when it fails."""


def enqueue_object(queue: WorkQueue[ObjectKey]) -> Handler[Any]:
    """A handler that puts the changed object's own key on the queue."""

    def handle(delta: Delta[Any]) -> None:
        queue.add(delta.key)

    return handle


class ControllerRunner:
    """Runs controllers until stopped. Build it before the informers run, so that `setup` sees every object."""

    def __init__(self, controllers: Sequence[Controller[Any]], informers: Informers, clock: Clock) -> None:
        self._informers = informers
        self._clock = clock
        self._loops: list[tuple[Controller[Any], WorkQueue[Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._started = False
        for controller in controllers:
            queue: WorkQueue[Any] = WorkQueue(clock)
            controller.setup(informers, queue)
            self._loops.append((controller, queue))

    @property
    def idle(self) -> bool:
        """No controller has anything to do right now."""
        return all(queue.idle for _, queue in self._loops)

    def figures(self) -> Iterable[Family | Histogram]:
        """What the controllers' queues have to tell Prometheus."""
        return queue_figures([(controller.name, queue) for controller, queue in self._loops])

    async def run(self) -> None:
        """Wait for the informers, then work until `stop` or cancellation. May be run again after a crash."""
        self._started = True
        self._ended.clear()
        try:
            await self._informers.wait_synced()
            async with asyncio.TaskGroup() as group:
                for controller, queue in self._loops:
                    self._own(group, self._background(controller), f"{controller.name} background")
                    for number in range(controller.workers):
                        self._own(group, self._work(controller, queue), f"{controller.name} {number}")
        finally:
            self._ended.set()

    async def stop(self, grace: float = 2.0) -> None:
        """Let running reconciles end, for at most `grace` seconds of real time, then cancel what is left."""
        self._stopping.set()
        for _, queue in self._loops:
            queue.shut_down()
        if not self._started:
            return
        try:
            async with asyncio.timeout(grace):
                await self._ended.wait()
        except TimeoutError:
            names = sorted(task.get_name() for task in self._tasks)
            log.warning("controllers still busy after %.1f s, cancelled: %s", grace, ", ".join(names))
            for task in list(self._tasks):
                task.cancel()

    def _own(self, group: asyncio.TaskGroup, work: Any, name: str) -> None:
        task: asyncio.Task[None] = group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, controller: Controller[Any], queue: WorkQueue[Any]) -> None:
        while True:
            try:
                key = await queue.get()
            except QueueShutDown:
                return
            try:
                await _process(controller, queue, key)
            except asyncio.CancelledError:
                queue.add(key)
                raise
            finally:
                queue.done(key)
            await asyncio.sleep(0)

    async def _background(self, controller: Controller[Any]) -> None:
        failures = 0
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                work = asyncio.create_task(controller.background(), name=f"{controller.name} loop")
                try:
                    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    work.cancel()
                    await asyncio.gather(work, return_exceptions=True)
                if work.cancelled():
                    return
                error = work.exception()
                if error is None:
                    return
                log.error("%s: its background loop failed, restarting", controller.name, exc_info=error)
                pause = RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)]
                failures += 1
                await self._clock.sleep(pause)
        finally:
            stopped.cancel()


async def _process(controller: Controller[Any], queue: WorkQueue[Any], key: Any) -> None:
    """Reconcile one key once and decide when it comes back."""
    try:
        result = await controller.reconcile(key)
    except StatusError as error:
        level = logging.DEBUG if error.is_conflict or error.is_not_found else logging.WARNING
        log.log(level, "%s: %s: %s", controller.name, key, error)
        queue.add_rate_limited(key)
    except Exception:
        log.exception("%s: %s: reconcile failed", controller.name, key)
        queue.add_rate_limited(key)
    else:
        queue.forget(key)
        if result is not None:
            queue.add_after(key, result.requeue_after)
