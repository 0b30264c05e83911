"""Parts are supervised: a crash is told and followed by a fresh start, ever later."""

import asyncio

from ktui.engine.parts import Part, stop_within, supervise
from ktui.kube.clock import FakeClock, settle


async def test_a_part_that_crashes_is_told_and_started_again_later_each_time() -> None:
    clock, starts, told = FakeClock(), [], []

    async def run() -> None:
        starts.append(clock.monotonic())
        raise ValueError("no such luck")

    part = Part("unlucky")
    task = asyncio.create_task(supervise(part, run, clock, lambda it: told.append(it.last_error)))
    await settle()
    assert told == ["ValueError: no such luck"]
    await clock.advance(3)
    assert starts == [0, 0.5, 2.5]
    assert part.restarts == 3
    await stop_within(task, 1)


async def test_a_part_that_ends_by_itself_is_started_again_unless_it_was_asked_to() -> None:
    clock, ends = FakeClock(), asyncio.Event()

    async def run() -> None:
        await ends.wait()
        ends.clear()

    part = Part("quiet")
    task = asyncio.create_task(supervise(part, run, clock, lambda it: None))
    await settle()
    ends.set()
    await settle()
    assert (part.restarts, part.last_error) == (1, "it ended by itself")
    await clock.advance(1)
    part.is_stopping = True
    ends.set()
    await settle()
    assert task.done()


async def test_stopping_is_bounded_even_when_a_part_hangs() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if released:
                    raise

    released: list[bool] = []
    task = asyncio.create_task(stubborn())
    await settle()
    await stop_within(task, 0.05)
    assert not task.done()
    released.append(True)
    task.cancel()
    await asyncio.wait({task})
