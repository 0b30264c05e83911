"""The workqueue: dedupe, one worker a key, delays, back-off, shutdown."""

import asyncio

import pytest

from ktui.engine.controllers.figures import queue_figures
from ktui.engine.controllers.workqueue import QueueShutDown, WorkQueue
from ktui.kube.clock import FakeClock, settle
from ktui.kube.prometheus import exposed


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue[str]:
    return WorkQueue(clock)


async def test_a_key_added_twice_comes_out_once(queue):
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_in_work_comes_again_only_after_done(queue):
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    assert not queue.idle
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert queue.idle


async def test_a_waiting_worker_is_woken(queue):
    worker = asyncio.create_task(queue.get())
    await settle()
    queue.add("a")
    assert await worker == "a"


async def test_a_cancelled_worker_leaves_its_key_to_another(queue):
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await settle()
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "a"


async def test_a_delayed_key_waits_for_the_clock_and_the_earliest_delay_wins(queue, clock):
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("a", 20)
    queue.add_after("b", 1)
    await clock.advance(1)
    assert await queue.get() == "b"
    await clock.advance(3.9)
    assert len(queue) == 0
    await clock.advance(0.1)
    assert await queue.get() == "a"
    queue.done("a")
    await clock.advance(100)
    assert len(queue) == 0


async def test_no_delay_means_now(queue):
    queue.add_after("a", 0)
    assert await queue.get() == "a"


async def test_back_off_doubles_per_key_to_its_limit_and_forgets(queue, clock):
    async def delay_of(key: str) -> float:
        start = clock.monotonic()
        queue.add_rate_limited(key)
        await settle()
        step = 0.005
        while not len(queue):
            await clock.advance(step)
            step = max(step, (clock.monotonic() - start) / 4)
        queue.done(await queue.get())
        return clock.monotonic() - start

    delays = [await delay_of("a") for _ in range(4)]
    assert delays == pytest.approx([0.005, 0.01, 0.02, 0.04], rel=0.5)
    assert queue.failures("a") == 4
    assert await delay_of("b") == pytest.approx(0.005)
    for _ in range(30):
        queue.add_rate_limited("c")
    await clock.advance(0.005)
    queue.done(await queue.get())
    assert 1000 <= await delay_of("c") <= 1300
    queue.forget("a")
    assert await delay_of("a") == pytest.approx(0.005)


async def test_shut_down_sends_workers_home_and_takes_nothing_more(queue, clock):
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    queue.add_after("later", 1)
    await settle()
    queue.shut_down()
    results = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(result, QueueShutDown) for result in results)
    queue.add("a")
    queue.add_after("b", 1)
    await clock.advance(5)
    with pytest.raises(QueueShutDown):
        await queue.get()


async def test_a_queue_tells_how_it_fares(clock):
    queue = WorkQueue(clock)
    queue.add("a")
    queue.add("a")
    queue.add("b")
    await clock.advance(2)
    assert await queue.get() == "a"
    await clock.advance(3)
    assert queue.unfinished() == [3.0]
    queue.done("a")
    queue.add_rate_limited("a")
    text = exposed(queue_figures([("replicaset-controller", queue)])).decode().splitlines()
    label = 'name="replicaset-controller"'
    for line in (
        f"workqueue_depth{{{label}}} 1",
        f"workqueue_adds_total{{{label}}} 2",
        f"workqueue_retries_total{{{label}}} 1",
        f"workqueue_queue_duration_seconds_sum{{{label}}} 2.0",
        f'workqueue_work_duration_seconds_bucket{{{label},le="10"}} 1',
        f'workqueue_work_duration_seconds_bucket{{{label},le="1"}} 0',
        f"workqueue_unfinished_work_seconds{{{label}}} 0",
        f"workqueue_longest_running_processor_seconds{{{label}}} 0.0",
    ):
        assert line in text
    queue.shut_down()
