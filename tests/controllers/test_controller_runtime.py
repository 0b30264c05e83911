"""The runner: workers, retries, background loops, bounded stop."""

import asyncio
import logging

from ktui.client.informer import Informers
from ktui.engine.controllers.runtime import Controller, ControllerRunner, Result
from ktui.kube.clock import FakeClock, settle
from ktui.kube.errors import conflict
from ktui.kube.kinds import PODS


class Scripted(Controller[str]):
    """Does what the test's function says, and writes down what it was asked."""

    name = "scripted"

    def __init__(self, work, background=None, workers=1):
        self.work = work
        self.loop = background
        self.workers = workers
        self.seen: list[str] = []

    def setup(self, informers, queue):
        self.queue = queue

    async def reconcile(self, key):
        self.seen.append(key)
        return await self.work(len(self.seen))

    async def background(self):
        if self.loop is not None:
            await self.loop()


def start(controller):
    clock = FakeClock()
    runner = ControllerRunner([controller], Informers(None, clock), clock)
    return clock, runner, asyncio.create_task(runner.run())


async def test_a_failed_reconcile_is_retried_with_back_off(caplog):
    async def work(attempt):
        if attempt == 1:
            raise ValueError("boom")
        if attempt == 2:
            raise conflict(PODS, "a", "changed")

    controller = Scripted(work)
    with caplog.at_level(logging.WARNING):
        clock, runner, task = start(controller)
        controller.queue.add("a")
        await settle()
        assert controller.seen == ["a"]
        await clock.advance(0.005)
        assert len(controller.seen) == 2
        await clock.advance(0.009)
        assert len(controller.seen) == 2
        await clock.advance(0.002)
    assert len(controller.seen) == 3
    assert controller.queue.failures("a") == 0
    assert [record.message for record in caplog.records] == ["scripted: a: reconcile failed"]
    await runner.stop()
    await task


async def test_a_result_asks_to_be_called_again_later():
    async def work(attempt):
        return Result(30) if attempt == 1 else None

    controller = Scripted(work)
    clock, runner, task = start(controller)
    controller.queue.add("a")
    await clock.advance(29)
    assert len(controller.seen) == 1
    await clock.advance(1)
    assert len(controller.seen) == 2
    await clock.advance(100)
    assert len(controller.seen) == 2
    await runner.stop()
    await task


async def test_stop_waits_for_a_running_reconcile_and_is_bounded():
    gate = asyncio.Event()
    finished: list[int] = []

    async def work(attempt):
        await gate.wait()
        finished.append(attempt)

    controller = Scripted(work)
    _, runner, task = start(controller)
    controller.queue.add("a")
    await settle()
    stopping = asyncio.create_task(runner.stop())
    await settle()
    gate.set()
    await stopping
    await task
    assert finished == [1]

    gate.clear()
    controller = Scripted(work)
    _, runner, task = start(controller)
    controller.queue.add("a")
    await settle()
    await runner.stop(grace=0.01)
    await asyncio.wait_for(task, 1)


async def test_a_crashed_background_loop_is_restarted(caplog):
    runs: list[int] = []

    async def loop():
        runs.append(1)
        if len(runs) < 3:
            raise RuntimeError("down")
        await asyncio.Event().wait()

    async def work(attempt):
        return None

    clock, runner, task = start(Scripted(work, loop))
    await settle()
    assert len(runs) == 1
    await clock.advance(0.2)
    await clock.advance(1.0)
    assert len(runs) == 3
    await runner.stop()
    await asyncio.wait_for(task, 1)
    assert sum("restarting" in record.message for record in caplog.records) == 2


async def test_several_workers_take_different_keys():
    running: set[str] = set()
    most = 0

    class Wide(Scripted):
        async def reconcile(self, key):
            nonlocal most
            assert key not in running
            running.add(key)
            most = max(most, len(running))
            await asyncio.sleep(0)
            running.discard(key)

    controller = Wide(None, workers=3)
    _, runner, task = start(controller)
    for key in "abcde":
        controller.queue.add(key)
    await settle()
    assert most == 3
    assert runner.idle
    await runner.stop()
    await task


async def test_a_run_that_was_cut_off_can_be_taken_up_again():
    gate = asyncio.Event()

    async def work(attempt):
        await gate.wait()

    controller = Scripted(work)
    _, runner, task = start(controller)
    controller.queue.add("a")
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gate.set()
    task = asyncio.create_task(runner.run())
    await settle()
    assert controller.seen == ["a", "a"]
    assert runner.idle
    await runner.stop()
    await task


async def test_a_runner_that_never_ran_stops_at_once():
    clock = FakeClock()
    await ControllerRunner([], Informers(None, clock), clock).stop()
