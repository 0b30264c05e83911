"""Port-forward over SPDY: pairs of streams, one for data and one for an error, each pair a TCP connection.

The client names port and request in the headers of both streams of a pair. SPDY comes over an upgraded
connection, or tunnelled in the messages of a WebSocket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

from ktui.engine.api.http.spdy import Connection, Stream
from ktui.kube.address import dial_failure
from ktui.kube.errors import StatusError

log = logging.getLogger(__name__)

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"
"""The WebSocket subprotocol that carries SPDY."""

_CHUNK = 32 * 1024
_PAIR_SECONDS = 30.0

Dial = Callable[[int], Awaitable[tuple[object, object]]]


async def serve_port_forward(connection: Connection, pod: str, dial: Dial) -> None:
    """Serve the pairs of one connection until it ends."""
    waiting: dict[str, tuple[Stream, asyncio.TimerHandle]] = {}
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.TaskGroup() as tasks:

            def expire(request_id: str) -> None:
                stream, _ = waiting.pop(request_id)
                tasks.create_task(stream.reset())

            async for stream in connection.streams():
                request_id = stream.headers.get("requestid", "") or stream.headers.get("port", "")
                if request_id not in waiting:
                    waiting[request_id] = stream, loop.call_later(_PAIR_SECONDS, expire, request_id)
                    continue
                other, timer = waiting.pop(request_id)
                timer.cancel()
                pair = {s.headers.get("streamtype", ""): s for s in (other, stream)}
                if set(pair) != {"error", "data"}:
                    await other.reset()
                    await stream.reset()
                    continue
                tasks.create_task(_forward(pair["data"], pair["error"], pod, dial))
    finally:
        for _, timer in waiting.values():
            timer.cancel()


async def _forward(data: Stream, error: Stream, pod: str, dial: Dial) -> None:
    port = data.headers.get("port", "")
    try:
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            await _failed(error, f'"{port}" is not a valid port')
            return
        try:
            dialled = await dial(int(port))
        except (StatusError, OSError) as reason:
            await _failed(error, why_not(int(port), pod, reason))
            return
        reader = cast("asyncio.StreamReader", dialled[0])
        writer = cast("asyncio.StreamWriter", dialled[1])
        try:
            # What the pod sends ends the pair, as a client may end its side first and still wait for the answer.
            upstream = asyncio.create_task(_to_pod(data, writer))
            try:
                await _from_pod(reader, data)
            finally:
                upstream.cancel()
                await asyncio.gather(upstream, return_exceptions=True)
        except OSError as reason:
            await _failed(error, why_not(int(port), pod, reason))
        finally:
            writer.close()
    finally:
        await data.close()
        await error.close()


def why_not(port: int, pod: str, error: StatusError | OSError) -> str:
    """What the client is told when a port can't be forwarded."""
    why = dial_failure(f"localhost:{port}", error) if isinstance(error, OSError) else error
    return f"error forwarding port {port} to pod {pod}: {why}"


async def _failed(error: Stream, message: str) -> None:
    log.info("%s", message)
    await error.write(message.encode())


async def _to_pod(data: Stream, writer: asyncio.StreamWriter) -> None:
    while chunk := await data.read():
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _from_pod(reader: asyncio.StreamReader, data: Stream) -> None:
    while chunk := await reader.read(_CHUNK):
        await data.write(chunk)
