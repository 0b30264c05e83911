"""The network agent as a process of its own, so that traffic and rules never hold up the control plane.

Started by the engine with the folder of its settings. A new engine starts a new agent, which takes over from
the one before it once it serves: names and addresses work without a break. An agent whose engine was killed
goes on for a while, for the engine that comes back; then it ends. What follows the folder on its command line are
the descriptors of the sockets for DNS, which the engine holds too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from ktui.client.http import HttpClient
from ktui.engine.network.agent import NetworkAgent
from ktui.engine.network.child import end_other
from ktui.engine.network.dns.sockets import NameSockets
from ktui.engine.network.launch import PID, READY, Launch, agents_of, started_with

_ORPHAN_SECONDS = 60.0
_LOOK_SECONDS = 5.0


async def _serve(folder: Path, launch: Launch) -> None:
    client = HttpClient.over_unix_socket(Path(launch.socket))
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    numbers = [int(word) for word in sys.argv[2:]]
    sockets = NameSockets.inherited(numbers) if numbers else None
    agent = NetworkAgent(client, launch.settings, folder, sockets=sockets)
    running = asyncio.create_task(agent.run(), name="agent")
    ending = asyncio.create_task(ended.wait())
    tasks: list[asyncio.Task[Any]] = [
        running,
        ending,
        asyncio.create_task(_take_over(agent, folder), name="take over"),
        asyncio.create_task(_watch_engine(Path(launch.socket), ended), name="engine"),
        asyncio.create_task(_answer(agent), name="questions"),
    ]
    try:
        await asyncio.wait((running, ending), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()


async def _take_over(agent: NetworkAgent, folder: Path) -> None:
    await agent.ready.wait()
    before = list(takewhile(lambda pid: pid != os.getpid(), agents_of(folder)))
    temporary = folder / f".{PID}.new"
    temporary.write_text(str(os.getpid()))
    temporary.rename(folder / PID)
    print(READY, flush=True)  # noqa: T201 - what the engine waits for
    for pid in before:
        await end_other(pid, folder)
    if before:
        agent.write_anew()


async def _answer(agent: NetworkAgent) -> None:
    """The engine asks by lines with a pod's address, and gets the line back once nobody new is sent there."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)

    async def one(address: str) -> None:
        await agent.without(address)
        with suppress(BrokenPipeError):
            print(address, flush=True)  # noqa: T201 - the answer

    async with asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(one(line.decode().strip()))


async def _watch_engine(socket: Path, ended: asyncio.Event) -> None:
    """End when the engine has been away for too long."""
    away = 0.0
    while away < _ORPHAN_SECONDS:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            _, writer = await asyncio.open_unix_connection(str(socket))
        except OSError:
            away += _LOOK_SECONDS
        else:
            away = 0.0
            writer.close()
    ended.set()


def main() -> None:
    """`python -m ktui.engine.network.process FOLDER [DESCRIPTORS]`."""
    folder, launch = started_with()
    asyncio.run(_serve(folder, launch))


if __name__ == "__main__":
    main()
