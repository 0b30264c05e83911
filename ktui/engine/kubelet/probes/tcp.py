"""The tcpSocket probe: healthy when the port takes a connection."""

from __future__ import annotations

import asyncio

from ktui.engine.kubelet.probes.base import Connect, Outcome
from ktui.kube.address import dial_failure, join_host_port


async def probe_tcp(connect: Connect, host: str, shown_host: str, port: int, timeout: float) -> Outcome:
    address = join_host_port(shown_host, port)
    try:
        async with asyncio.timeout(timeout):
            _, writer = await connect(host, port)
    except (OSError, TimeoutError) as error:
        return Outcome(False, dial_failure(address, error))
    writer.close()
    return Outcome(True)
