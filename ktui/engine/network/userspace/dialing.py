"""Connections to pods whose network the host can't reach: through the node's own way into them.

The engine listens on a unix socket; who connects says `namespace/pod port` in a line, and is then connected to
that port of the pod. So the ingress controller reaches rootless pods from its own process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from ktui.client.base import Client
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[Object, int], Awaitable[tuple[object, object]]]
"""The node's way to a port of a pod."""

_CHUNK_BYTES = 64 * 1024
_LINE_SECONDS = 5.0


class PodDialer:
    """Finds pods by name and connects to their ports."""

    def __init__(self, client: Client, dial: Dial) -> None:
        self._client = client
        self._dial = dial

    async def open(self, pod: str, port: int) -> Streams:
        """Connect to a port of `namespace/pod`. Raises OSError."""
        namespace, _, name = pod.partition("/")
        try:
            return cast(Streams, await self._dial(await self._client.get(PODS, name, namespace), port))
        except StatusError as error:
            raise ConnectionRefusedError(str(error)) from error


class DialSocket:
    """Serves the socket."""

    def __init__(self, dialer: PodDialer, path: Path) -> None:
        self._dialer = dialer
        self._path = path

    async def run(self) -> None:
        """Serve until cancelled."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, str(self._path))
        self._path.chmod(0o600)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_LINE_SECONDS):
                pod, _, port = (await reader.readline()).decode().strip().partition(" ")
                streams = await self._dialer.open(pod, int(port))
        except (OSError, TimeoutError, ValueError) as error:
            log.debug("a pod was not reached: %s", error)
            writer.close()
            return
        await relay((reader, writer), streams)


async def relay(one: Streams, other: Streams) -> None:
    """Pass bytes both ways until both sides have ended, or one has failed."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass_on(one[0], other[1]))
            group.create_task(_pass_on(other[0], one[1]))
    except* OSError:
        pass
    finally:
        for _, writer in (one, other):
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
