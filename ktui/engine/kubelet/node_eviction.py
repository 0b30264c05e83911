"""Eviction of pods from a node that runs out of memory or disk: one at a time, the greediest of the least important.

Every ten seconds the machine is looked at. Under a threshold, unused images are removed first where disk is short;
if that is not enough, pods are ranked (more used than requested, then priority, then how much more) and the first
is ended as Failed. The next look comes once it has ended, so that no more go than have to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.admission import pod_request
from ktui.engine.kubelet.disk_usage import disk_usage
from ktui.engine.kubelet.eviction import disk_volumes
from ktui.engine.kubelet.machine import Machine
from ktui.engine.kubelet.pod_worker import PodWorker
from ktui.engine.kubelet.pressure import THRESHOLDS, Pressure, Threshold, is_critical
from ktui.engine.kubelet.recording import EventKind
from ktui.engine.kubelet.runtime.base import Runtime, RuntimeCallError
from ktui.kube.clock import Clock
from ktui.kube.quantity import Format, Quantity, parse_quantity

log = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0
_ENDING_SECONDS = 30.0
"""How long an evicted pod is waited for before the machine is looked at again."""
_ENDING_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What one pod uses of a resource, in bytes, and each of its containers as far as that is known."""

    total: int = 0
    containers: Mapping[str, int] | None = None


def ranked(candidates: Iterable[Pod], resource: str, usages: Mapping[str, Usage]) -> list[Pod]:
    """In the order in which they have to go; `usages` by pod uid."""

    def rank(pod: Pod) -> tuple[bool, int, int]:
        over = usages.get(pods.uid(pod), Usage()).total - pod_request(pod, resource)
        return over <= 0, pods.spec(pod).priority or 0, -over

    return sorted(candidates, key=rank)


def message(pod: Pod, threshold: Threshold, machine: Machine, usage: Usage) -> str:
    """What an evicted pod is told."""
    resource = threshold.resource
    told = (
        f"The node was low on resource: {resource}. "
        f"Threshold quantity: {_bytes(threshold.reserve(machine))}, "
        f"available: {_bytes(threshold.available(machine))}. "
    )
    for container in pods.all_containers(pod):
        used = (usage.containers or {}).get(container.name, 0)
        requested = pods.requests(container).get(resource, "0")
        if used > parse_quantity(requested).value:
            told += (
                f"Container {container.name} was using {_bytes(used)}, request is {requested}, "
                f"has larger consumption of {resource}. "
            )
    return told


def _bytes(amount: int) -> str:
    return str(Quantity.of(amount, Format.BINARY_SI))


class NodeEviction:
    """Keeps the node from running out. `free_disk` removes what nobody uses, `tell` records an event of the node."""

    def __init__(
        self,
        runtime: Runtime,
        workers: Callable[[], Sequence[PodWorker]],
        pod_dir: Callable[[str], Path],
        read: Callable[[], Machine],
        pressure: Pressure,
        clock: Clock,
        *,
        pressed: Callable[[], None],
        free_disk: Callable[[], Awaitable[object]],
        tell: Callable[[EventKind, str, str], None],
    ) -> None:
        self._runtime = runtime
        self._workers = workers
        self._pod_dir = pod_dir
        self._read = read
        self._pressure = pressure
        self._clock = clock
        self._pressed = pressed
        self._free_disk = free_disk
        self._tell = tell

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.sleep(PERIOD_SECONDS)
            try:
                evicted = await self.look()
            except (RuntimeCallError, OSError) as error:
                log.warning("eviction: the pods' usage can't be read: %s", error)
                continue
            if evicted is not None:
                await self._until_ended(evicted)

    async def look(self) -> PodWorker | None:
        """One look at the machine; the worker of the pod that was evicted, if one had to be."""
        before = self._pressure.conditions
        machine = await asyncio.to_thread(self._read)
        if self._pressure.observe(machine) != before:
            self._pressed()
        met = next((t for t in THRESHOLDS if t.resource and t.is_met(machine)), None)
        if met is None:
            return None
        self._tell("Warning", "EvictionThresholdMet", f"Attempting to reclaim {met.resource}")
        if met.resource != "memory":
            await self._free_disk()
            machine = await asyncio.to_thread(self._read)
            if not met.is_met(machine):
                return None
        return await self._evict(met, machine)

    async def _evict(self, threshold: Threshold, machine: Machine) -> PodWorker | None:
        workers = {pods.uid(w.pod): w for w in self._workers() if w.is_active and not is_critical(w.pod)}
        candidates = [worker.pod for worker in workers.values()]
        usages = await (self._memory() if threshold.resource == "memory" else self._disk(candidates))
        for pod in ranked(candidates, threshold.resource, usages):
            worker = workers[pods.uid(pod)]
            if worker.is_active:
                worker.evict(message(pod, threshold, machine, usages.get(pods.uid(pod), Usage())))
                return worker
        log.warning("the node is low on %s, and no pod can be evicted", threshold.resource)
        return None

    async def _memory(self) -> dict[str, Usage]:
        containers: dict[str, dict[str, int]] = {}
        for reading in await self._runtime.stats():
            containers.setdefault(reading.pod_uid, {})[reading.name] = reading.memory_working_set
        return {uid: Usage(sum(found.values()), found) for uid, found in containers.items()}

    async def _disk(self, candidates: Sequence[Pod]) -> dict[str, Usage]:
        found: dict[str, Usage] = {}
        for pod in candidates:
            uid = pods.uid(pod)
            records = await self._runtime.pod(uid)
            usage = await disk_usage(self._runtime, records, self._pod_dir(uid), disk_volumes(pod))
            found[uid] = Usage(usage.total, usage.containers)
        return found

    async def _until_ended(self, worker: PodWorker) -> None:
        for _ in range(int(_ENDING_SECONDS / _ENDING_POLL_SECONDS)):
            if pods.is_terminal(worker.pod) or worker.finished:
                return
            await self._clock.sleep(_ENDING_POLL_SECONDS)
        log.warning("pod %s was evicted and has not ended yet", pods.full_name(worker.pod))
