"""A pod that ends is signalled once Services have let go of it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from lightkube.models.core_v1 import Container, Pod, PodSpec, PodStatus
from lightkube.models.meta_v1 import ObjectMeta

from ktui.engine.kubelet.recording import PodEvents
from ktui.engine.kubelet.runtime.base import ContainerRecord, ContainerState, Runtime
from ktui.engine.kubelet.stopping import Stopper
from ktui.kube.clock import FakeClock, settle

POD = Pod(
    metadata=ObjectMeta(name="web", namespace="default"),
    spec=PodSpec(containers=[Container(name="web")]),
    status=PodStatus(podIP="10.0.0.2"),
)
RECORD = ContainerRecord(
    id="1",
    sandbox_id="s",
    name="web",
    attempt=0,
    image="",
    image_id="",
    state=ContainerState.RUNNING,
    labels={},
)


class Stopped:
    """A runtime of which only the stops are seen."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    async def stop_container(self, container_id: str, grace: float) -> None:
        self.signals.append(container_id)


async def stop(
    runtime: Stopped, clock: FakeClock, leave: Any, *, override: bool = False
) -> asyncio.Task[None]:
    stopper = Stopper(cast("Runtime", runtime), clock, leave)
    task = asyncio.create_task(
        stopper.stop_pod(POD, [RECORD], PodEvents(None, POD), grace=30, connect=None, override=override)
    )
    await settle()
    return task


async def test_the_signal_comes_when_nobody_is_sent_there_any_more() -> None:
    runtime, clock, gone = Stopped(), FakeClock(), asyncio.Event()
    asked: list[str] = []

    async def leave(address: str) -> None:
        asked.append(address)
        await gone.wait()

    stopping = await stop(runtime, clock, leave)
    assert (asked, runtime.signals) == (["10.0.0.2"], [])
    gone.set()
    await asyncio.wait_for(stopping, 5)
    assert runtime.signals == ["1"]


async def test_it_comes_all_the_same_when_services_hold_on_for_too_long() -> None:
    runtime, clock = Stopped(), FakeClock()
    stopping = await stop(runtime, clock, lambda _: asyncio.Event().wait())
    assert runtime.signals == []
    await clock.advance(1)
    await asyncio.wait_for(stopping, 5)
    assert runtime.signals == ["1"]


async def test_a_forced_deletion_waits_for_nobody() -> None:
    runtime = Stopped()
    await asyncio.wait_for(
        await stop(runtime, FakeClock(), lambda _: asyncio.Event().wait(), override=True), 5
    )
    assert runtime.signals == ["1"]
