"""The ingress controller as a process of its own: traffic never slows the control plane, nor DNS.

Started by the network agent, with the folder of its settings, once there is an Ingress, and ended by it. When the
agent was killed, which the closing of standard input tells, it goes on for a while, for the one that follows it
and ends it.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from ktui.client.http import HttpClient
from ktui.engine.network.ingress.part import IngressPart
from ktui.engine.network.ingress.ports import end_orphan, held_by
from ktui.engine.network.launch import READY, Launch, started_with
from ktui.kube.clock import RealClock

log = logging.getLogger(__name__)

_ORPHAN_SECONDS = 60.0


async def _serve(folder: Path, launch: Launch) -> None:
    before = held_by(folder)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    client = HttpClient.over_unix_socket(Path(launch.socket))
    part = IngressPart(client, launch.settings, folder, RealClock())
    serving = asyncio.create_task(part.run(), name="ingress")
    said = asyncio.create_task(_say(part, folder, before), name="ready")
    waits: list[asyncio.Task[Any]] = [
        serving,
        asyncio.create_task(_until_orphaned(reader)),
        asyncio.create_task(ended.wait()),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
    finally:
        for task in (*waits, said):
            task.cancel()
        await asyncio.gather(*waits, said, return_exceptions=True)
        await client.close()


async def _say(part: IngressPart, folder: Path, before: int) -> None:
    await part.serving.wait()
    print(READY, flush=True)  # noqa: T201 - what the agent waits for
    await end_orphan(before, folder)


async def _until_orphaned(reader: asyncio.StreamReader) -> None:
    await reader.read()
    await asyncio.sleep(_ORPHAN_SECONDS)


def main() -> None:
    """`python -m ktui.engine.network.ingress.process FOLDER`."""
    folder, launch = started_with()
    try:
        uvloop.run(_serve(folder, launch))
    except Exception:
        log.exception("the ingress controller failed")
        raise


if __name__ == "__main__":
    main()
