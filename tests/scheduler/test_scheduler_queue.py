"""Who is tried next, and when again."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from builders import pod
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.engine.scheduler.events import ClusterEvent
from ktui.engine.scheduler.plugins.scheduling_gates import SchedulingGates
from ktui.engine.scheduler.queue import SchedulingQueue
from ktui.kube.clock import FakeClock, settle
from ktui.kube.resource import ObjectKey

FIT = frozenset(("NodeResourcesFit",))
WAKES = {"NodeResourcesFit": frozenset((ClusterEvent.POD_RELEASED,))}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> SchedulingQueue:
    return SchedulingQueue(clock, SchedulingGates().pre_enqueue, WAKES)


async def popped(queue: SchedulingQueue):
    """The next entry if there is one now."""
    task = asyncio.ensure_future(queue.pop())
    await settle()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


async def test_higher_priority_first_then_first_come(queue, clock):
    queue.put(pod("low-1", priority=1))
    await clock.advance(1)
    queue.put(pod("low-2", priority=1))
    queue.put(pod("high", priority=1000))
    assert [(await queue.pop()).info.key.name for _ in range(3)] == ["high", "low-1", "low-2"]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-10, 10), min_size=1, max_size=20))
def test_order_is_by_priority_then_arrival(priorities):
    async def run():
        queue = SchedulingQueue(FakeClock(), lambda _: "", {})
        for i, priority in enumerate(priorities):
            queue.put(pod(f"p{i}", priority=priority))
        out = [(await queue.pop()).info for _ in priorities]
        for one, other in pairwise(out):
            assert (-one.priority, int(one.key.name[1:])) < (-other.priority, int(other.key.name[1:]))

    asyncio.run(run())


async def test_an_unschedulable_pod_waits_for_an_event_its_plugins_care_about(queue, clock):
    queue.put(pod())
    queue.retry(await queue.pop(), FIT)
    await clock.advance(20)
    queue.move(ClusterEvent.NODE_LABELS)
    assert await popped(queue) is None
    queue.move(ClusterEvent.POD_RELEASED)
    assert (await popped(queue)).attempts == 2


async def test_an_event_during_the_backoff_waits_for_its_end(queue, clock):
    queue.put(pod())
    for expected in (1, 2, 4, 8, 10, 10):
        queue.retry(await queue.pop(), FIT)
        queue.move(ClusterEvent.POD_RELEASED)
        await clock.advance(expected - 0.01)
        assert await popped(queue) is None
        await clock.advance(0.02)


async def test_an_event_during_the_attempt_is_not_missed(queue, clock):
    queue.put(pod())
    entry = await queue.pop()
    queue.move(ClusterEvent.POD_RELEASED)
    queue.retry(entry, FIT)
    assert queue.pending == {"active": 0, "backoff": 1, "unschedulable": 0, "gated": 0}


async def test_an_error_backs_off_without_waiting_for_an_event(queue, clock):
    queue.put(pod())
    queue.retry(await queue.pop())
    assert await popped(queue) is None
    await clock.advance(1)
    assert (await popped(queue)).attempts == 2


async def test_the_pool_is_flushed_after_five_minutes(queue, clock):
    queue.put(pod())
    queue.retry(await queue.pop(), FIT)
    waiting = asyncio.ensure_future(queue.pop())
    await clock.advance(299)
    assert not waiting.done()
    await clock.advance(2)
    assert waiting.done()


async def test_a_gated_pod_waits_for_its_gates(queue, clock):
    gated = pod(schedulingGates=[{"name": "a"}, {"name": "b"}])
    assert queue.put(gated) == "waiting for scheduling gates: [a b]"
    queue.move(ClusterEvent.POD_RELEASED)
    await clock.advance(1000)
    assert await popped(queue) is None
    assert queue.put(pod(schedulingGates=[])) == ""
    assert (await popped(queue)).info.key.name == "web"


async def test_a_removed_pod_never_comes_back(queue, clock):
    queue.put(pod("a"))
    queue.put(pod("b"))
    queue.remove(ObjectKey("default", "a"))
    entry = await queue.pop()
    assert entry.info.key.name == "b"
    queue.remove(ObjectKey("default", "b"))
    queue.retry(entry, FIT)
    assert len(queue) == 0
    await clock.advance(1000)
    assert await popped(queue) is None


async def test_a_pod_made_anew_under_the_same_name_starts_over(queue, clock):
    queue.put(pod("a", uid="1"))
    queue.retry(await queue.pop(), FIT)
    queue.put(pod("a", uid="2"))
    entry = await queue.pop()
    assert (entry.info.uid, entry.attempts) == ("2", 1)


async def test_a_changed_pod_is_tried_again_but_not_for_its_status(queue, clock):
    queue.put(pod())
    queue.retry(await queue.pop(), FIT)
    await clock.advance(5)
    queue.put(pod(status={"conditions": [{"type": "PodScheduled", "status": "False"}]}))
    assert queue.pending["unschedulable"] == 1
    queue.put(pod(nodeSelector={"disk": "ssd"}))
    assert (await popped(queue)).info.spec.nodeSelector == {"disk": "ssd"}


async def test_a_moved_pod_is_not_tried_twice(queue, clock):
    queue.put(pod())
    queue.put(pod(priority=5))
    queue.put(pod(priority=9))
    queue.retry(await queue.pop(), FIT)
    assert await popped(queue) is None
    assert queue.pending["unschedulable"] == 1


async def test_a_failed_binding_is_taken_back_with_its_backoff(queue, clock):
    queue.put(pod())
    entry = await queue.pop()
    queue.done(entry)
    queue.readmit(entry.info, entry.attempts)
    assert queue.pending["backoff"] == 1
