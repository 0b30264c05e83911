"""A control plane in memory with a scheduler in it, on a clock that only tests move."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from builders import node_object, pod_object

from ktui.client.events import EventRecorder
from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.scheduler.scheduler import Scheduler
from ktui.engine.store.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import EVENTS, NODES, PODS


class Cluster:
    """What a scheduler test does to the world, and sees of it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = ApiServer(open_store(None, clock=self.clock), default_registry(), self.clock)
        self.client: Any = LocalClient(self.server, "system:kube-scheduler")
        self.informers = Informers(self.client, self.clock)
        self.recorder = EventRecorder(self.client, "default-scheduler", clock=self.clock)
        self.scheduler = Scheduler(
            self.client, self.informers, self.clock, self.recorder, chance=random.Random(0)
        )

        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        runs = (self.recorder.run(), self.informers.run(), self.scheduler.run())
        self._tasks = [asyncio.create_task(run) for run in runs]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        failed = [task.exception() for task in self._tasks if not task.cancelled()]
        assert not failed, failed

    async def node(self, name: str, **fields: Any) -> None:
        await self.client.create(NODES, node_object(name, **fields))

    async def pod(self, name: str, **fields: Any) -> None:
        made = pod_object(name, **fields)
        del made["metadata"]["uid"]
        await self.client.create(PODS, made, made["metadata"]["namespace"])

    async def get(self, name: str) -> dict[str, Any]:
        return await self.client.get(PODS, name, "default")

    async def node_of(self, name: str) -> str:
        return (await self.get(name))["spec"].get("nodeName", "")

    async def condition(self, name: str, kind: str = "PodScheduled") -> dict[str, Any]:
        status = (await self.get(name)).get("status") or {}
        return next((c for c in status.get("conditions") or () if c["type"] == kind), {})

    async def events(self, name: str) -> list[tuple[str, str, str]]:
        await self.recorder.flush()
        listed = await self.client.list(EVENTS, "default")
        return [
            (e["type"], e["reason"], e["message"])
            for e in listed.items
            if e["involvedObject"]["name"] == name
        ]

    async def until(self, true: Callable[[], Awaitable[Any]], what: str = "") -> Any:
        """Wait until something holds; the scheduler runs on real loop turns, so this is quick."""
        result: Any = None
        for _ in range(2000):
            try:
                result = await true()
            except StatusError as error:
                result = None
                what = what or str(error)
            if result:
                return result
            await asyncio.sleep(0)
        raise AssertionError(
            f"still not so: {what or true}, last: {result!r}, waiting: {self.scheduler.pending}"
        )

    async def bound(self, name: str) -> str:
        return await self.until(lambda: self.node_of(name), f"{name} has a node")

    async def refused(self, name: str) -> dict[str, Any]:
        async def condition() -> dict[str, Any] | None:
            found = await self.condition(name)
            return found if found.get("status") == "False" else None

        return await self.until(condition, f"{name} is unschedulable")


@pytest.fixture
async def cluster_api() -> AsyncIterator[Cluster]:
    """A started control plane; the scheduler runs."""
    made = Cluster()
    await made.server.start()
    made.start()
    yield made
    await made.stop()
