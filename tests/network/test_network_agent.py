"""The agent's hold on the kernel and on its processes: what it notices, and what it leaves behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from pod_network import PodNetwork, ip

from ktui.engine.network.child import end_other
from ktui.engine.network.follow import follow
from ktui.engine.network.keeper import AgentKeeper, remove_network
from ktui.engine.network.launch import AGENT, PID, SETTINGS, Launch, agents_of, running_agent
from ktui.engine.network.nft import has_table, nft
from ktui.engine.network.notices import Notices
from ktui.engine.network.proxy.service_proxy import ServiceProxy
from ktui.engine.network.ruleset import Ruleset
from ktui.engine.network.settings import NetworkSettings
from ktui.engine.network.table import Table
from ktui.kube.clock import FakeClock

SECONDS = 10


class Follower:
    """A table that is followed, with what looks after it."""

    def __init__(self, name: str) -> None:
        self.table = Table(name, ["add chain c { type filter hook input priority 0 ; }"])
        self.passes = 0
        self.wake = asyncio.Event()
        self.synced = asyncio.Event()
        self.passed = asyncio.Condition()

    async def run_pass(self) -> None:
        self.wake.clear()
        await self.table.apply(Ruleset(chains={"d": ("drop",)}))
        async with self.passed:
            self.passes += 1
            self.passed.notify_all()

    async def until(self, passes: int) -> None:
        async with asyncio.timeout(SECONDS), self.passed:
            await self.passed.wait_for(lambda: self.passes >= passes)


@asynccontextmanager
async def followed(name: str) -> AsyncIterator[Follower]:
    made = Follower(name)
    notices = Notices([name], made.table.suspect.set)
    tasks = [
        asyncio.create_task(notices.run()),
        asyncio.create_task(follow(made.table, made.wake, made.run_pass, made.synced, FakeClock())),
    ]
    try:
        await made.until(1)
        async with asyncio.timeout(SECONDS):
            await notices.listening.wait()
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await made.table.remove()


async def test_a_table_that_somebody_removes_is_made_anew_at_once(network: PodNetwork) -> None:
    async with followed(network.settings.policy_table) as follower:
        await nft(f"delete table ip {network.settings.policy_table}\n")
        await follower.until(2)
        assert await has_table(network.settings.policy_table)


async def test_other_peoples_tables_wake_nobody(network: PodNetwork) -> None:
    async with followed(network.settings.policy_table) as follower:
        other = f"{network.settings.policy_table}-not-ours"
        await nft(f"add table ip {other}\ndelete table ip {other}\n")
        assert not follower.table.suspect.is_set()
        assert follower.passes == 1


async def test_a_table_that_another_agent_wrote_to_is_made_anew(network: PodNetwork) -> None:
    async with followed(network.settings.policy_table) as follower:
        await nft(f"flush chain ip {network.settings.policy_table} d\n")
        follower.table.forget()
        await follower.until(2)
        listing = subprocess.run(
            ["nft", "list", "table", "ip", network.settings.policy_table],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "drop" in listing.stdout


class NoServices:
    """A cluster without Services."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()

    async def wait_synced(self) -> None: ...

    def take_changes(self) -> set[object]:
        self.wake.clear()
        return set()

    def services(self) -> list[object]:
        return []


async def test_a_bridge_that_somebody_removes_is_made_anew_at_once(network: PodNetwork) -> None:
    settings = network.settings
    proxy = ServiceProxy(NoServices(), settings, FakeClock())  # type: ignore[arg-type] - a stand-in with what is asked of it
    notices = Notices([settings.bridge], proxy.table.suspect.set)
    tasks = [asyncio.create_task(proxy.run()), asyncio.create_task(notices.run())]
    async with asyncio.timeout(SECONDS):
        await proxy.synced.wait()
        await notices.listening.wait()
        ip("link", "delete", settings.bridge)
        while settings.service_cidr not in ip("route"):
            await asyncio.sleep(0.01)
        assert settings.gateway in ip("address", "show", settings.bridge)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def agent_like(folder: Path, program: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", program, str(folder), AGENT], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    (folder / PID).write_text(str(process.pid))
    return process


async def test_taking_down_waits_for_the_agent_and_removes_what_it_made(
    network: PodNetwork, tmp_path: Path
) -> None:
    """An agent that is asked to end still writes rules for a moment."""
    settings = network.settings
    (tmp_path / SETTINGS).write_bytes(msgspec.json.encode(Launch(socket="none", settings=settings)))
    program = f"""
import signal, subprocess, sys, time
def end(*_):
    time.sleep(0.3)
    subprocess.run(["nft", "add table ip {settings.table}"], check=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print(flush=True)
time.sleep(60)
"""
    process = agent_like(tmp_path, program)
    reaping = asyncio.create_task(asyncio.to_thread(process.wait))
    async with asyncio.timeout(SECONDS):
        await remove_network(tmp_path)
        assert not await has_table(settings.table)
        assert await reaping == 0
    assert settings.bridge not in ip("link")


async def test_an_engine_that_ends_before_its_agent_took_over_ends_the_one_before(
    network: PodNetwork, tmp_path: Path
) -> None:
    settings = network.settings
    before = agent_like(tmp_path, "import time; print(flush=True); time.sleep(60)")
    reaping = asyncio.create_task(asyncio.to_thread(before.wait))
    await nft(f"add table ip {settings.table}\n")
    keeper = AgentKeeper(tmp_path, Launch(socket=str(tmp_path / "none.sock"), settings=settings))
    running = asyncio.create_task(keeper.run())
    async with asyncio.timeout(SECONDS):
        while not (tmp_path / SETTINGS).exists():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert await reaping == -15
        assert not await has_table(settings.table)


async def test_only_the_agent_of_the_folder_is_ended(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
    process = agent_like(other, "import time; print(flush=True); time.sleep(60)")
    (own / PID).write_text(str(process.pid))
    assert running_agent(own) == 0
    async with asyncio.timeout(SECONDS):
        await end_other(process.pid, own)
    assert process.poll() is None
    reaping = asyncio.create_task(asyncio.to_thread(process.wait))
    async with asyncio.timeout(SECONDS):
        await end_other(process.pid, other)
        assert await reaping == -15


async def test_one_that_was_killed_as_it_took_over_leaves_the_one_before_to_its_successor(
    tmp_path: Path,
) -> None:
    sleeping = "import time; print(flush=True); time.sleep(60)"
    first, killed = agent_like(tmp_path, sleeping), agent_like(tmp_path, sleeping)
    killed.kill()
    killed.wait()
    assert running_agent(tmp_path) == 0
    last = agent_like(tmp_path, sleeping)
    assert agents_of(tmp_path) == [first.pid, last.pid]
    reaping = [asyncio.create_task(asyncio.to_thread(process.wait)) for process in (first, last)]
    async with asyncio.timeout(SECONDS):
        await remove_network(tmp_path)
        assert await asyncio.gather(*reaping) == [-15, -15]


async def test_an_agent_that_cannot_go_on_ends_for_its_keeper_to_see(tmp_path: Path) -> None:
    """Not a process that runs and does nothing."""
    settings = NetworkSettings(engine="0a0a0a0a", node="n", host_address="127.0.0.1", dial_socket="x")
    (tmp_path / SETTINGS).write_bytes(
        msgspec.json.encode(Launch(socket=str(tmp_path / "none.sock"), settings=settings))
    )
    program = """
import sys
from ktui.engine.network import agent, process
async def fail(self): raise RuntimeError("broken")
agent.NetworkAgent.run = fail
process.main()
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        _, error = await process.communicate()
    assert process.returncode == 1
    assert error.strip().endswith(b"RuntimeError: broken")
