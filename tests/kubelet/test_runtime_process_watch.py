"""Ends of processes are told when they happen, once."""

import asyncio
import signal
import subprocess

from ktui.engine.kubelet.runtime.process_watch import ProcessWatch


async def ended_within(future, seconds=5):
    async with asyncio.timeout(seconds):
        return await future


async def test_end_is_told_once():
    watch, told = ProcessWatch(), []
    ended = asyncio.get_running_loop().create_future()

    def end():
        told.append(1)
        ended.set_result(None)

    process = subprocess.Popen(["sleep", "60"])
    watch.watch("a", process.pid, end)
    assert watch.watches("a")
    assert watch.send_signal("a", signal.SIGTERM)
    await ended_within(ended)
    process.wait()
    await asyncio.sleep(0)
    assert told == [1]
    assert not watch.watches("a")
    assert not watch.send_signal("a", signal.SIGTERM)


async def test_process_that_has_gone_is_told_soon():
    process = subprocess.Popen(["true"])
    process.wait()
    watch, ended = ProcessWatch(), asyncio.get_running_loop().create_future()
    watch.watch("a", process.pid, lambda: ended.set_result(None))
    await ended_within(ended)


async def test_forgotten_process_is_not_told():
    watch = ProcessWatch()
    process = subprocess.Popen(["sleep", "60"])
    watch.watch("a", process.pid, lambda: (_ for _ in ()).throw(AssertionError("told")))
    watch.forget("a")
    watch.forget("a")
    watch.watch("b", process.pid, lambda: (_ for _ in ()).throw(AssertionError("told")))
    watch.close()
    process.kill()
    process.wait()
    later, told = ProcessWatch(), asyncio.get_running_loop().create_future()
    later.watch("c", process.pid, lambda: told.set_result(None))
    await ended_within(told)
