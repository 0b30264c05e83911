"""The engine's hold on its network agent: starts the process, starts it again when it ends, ends it.

When the engine stops, the agent and its rules go; when the engine is killed, both stay until the next one
takes over. The pods' bridge stays as long as pods use it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import msgspec

from ktui.engine.network.child import end, end_other
from ktui.engine.network.dns.sockets import NameSockets
from ktui.engine.network.dns.stand_in import NameStandIn
from ktui.engine.network.ingress.ports import end_orphan, held_by
from ktui.engine.network.launch import AGENT, READY, SETTINGS, Launch, agents_of, read_launch
from ktui.engine.network.nft import NetworkToolError, remove_table
from ktui.engine.network.proxy.links import remove_links
from ktui.engine.network.settings import NetworkSettings

log = logging.getLogger(__name__)

NETWORK_FOLDER = "network"
"""Where in the data folder an agent has its settings and its log."""


class AgentKeeper:
    """`run` keeps an agent until cancelled; then it has ended and its rules are gone."""

    def __init__(self, folder: Path, launch: Launch) -> None:
        self._folder = folder
        self._launch = launch
        self.stand_in: NameStandIn | None = None
        """Who answers names while no agent does."""
        self.ready = asyncio.Event()
        """Set once an agent serves."""
        self._asks: asyncio.StreamWriter | None = None
        self._waiting: dict[str, asyncio.Future[None]] = {}

    @property
    def settings(self) -> NetworkSettings:
        return self._launch.settings

    async def without(self, address: str) -> None:
        """Return once Services send no new connection to a pod that leaves; at once when no agent serves."""
        if not self.ready.is_set() or self._asks is None:
            return
        future = self._waiting.get(address)
        if future is None:
            future = self._waiting[address] = asyncio.get_running_loop().create_future()
            self._asks.write(f"{address}\n".encode())
        await asyncio.shield(future)

    async def run(self) -> None:
        """Start an agent; raises NetworkToolError when it ends by itself."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / SETTINGS).write_bytes(msgspec.json.encode(self._launch))
        sockets = NameSockets.make() if self.stand_in else None
        numbers = sockets.numbers() if sockets else ()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            AGENT,
            str(self._folder),
            *map(str, numbers),
            pass_fds=numbers,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None and process.stderr is not None
        said = asyncio.create_task(process.stderr.read())
        try:
            self._asks = process.stdin
            while line := await process.stdout.readline():
                self._hear(line.decode().strip())
                if self.stand_in and sockets and self.ready.is_set():
                    self.stand_in.relieve(sockets)
                    sockets = None
            if self.stand_in:
                self.stand_in.step_in()
            await process.wait()
            error = (await said).decode(errors="replace").strip().splitlines()
            raise NetworkToolError(f"the network agent ended: {error[-1] if error else process.returncode}")
        finally:
            self.ready.clear()
            self._asks = None
            for address in list(self._waiting):
                self._hear(address)
            said.cancel()
            if sockets:
                sockets.close()
            if process.returncode is None:
                # The agent before may still be there, for this one to take over from.
                await asyncio.gather(end(process), self._end_before())
                await remove_rules(self._launch)

    async def _end_before(self) -> None:
        for pid in agents_of(self._folder):
            await end_other(pid, self._folder)
        await end_orphan(held_by(self._folder), self._folder)

    def _hear(self, line: str) -> None:
        if line == READY:
            self.ready.set()
        elif (future := self._waiting.pop(line, None)) and not future.done():
            future.set_result(None)


async def remove_rules(launch: Launch) -> None:
    """Take what an agent put there out of the kernel; what can't be removed is logged."""
    if not launch.settings.is_in_kernel:
        return
    try:
        for table in (launch.settings.table, launch.settings.policy_table):
            await remove_table(table)
    except NetworkToolError as error:
        log.warning("rules stay in the kernel: %s", error)


async def remove_network(folder: Path) -> None:
    """End the agent that an engine left running, and remove all that it made on the host."""
    for pid in agents_of(folder):
        # Until it has ended, it may be writing rules.
        await end_other(pid, folder)
    await end_orphan(held_by(folder), folder)
    launch = read_launch(folder)
    if launch is None or not launch.settings.is_in_kernel:
        return
    await remove_rules(launch)
    try:
        await remove_links(launch.settings)
    except NetworkToolError as error:
        log.warning("interfaces stay: %s", error)
