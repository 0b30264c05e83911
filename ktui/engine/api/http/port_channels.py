"""Port-forward over a WebSocket's channels (`v4.channel.k8s.io`): the older way, which the Python client speaks.

The ports stand in the query. Each has two channels, one for data and one for an error, which both begin with the
port's number (two bytes, little-endian); a message's first byte is its channel. A port is one connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, TypeAlias, cast

from aiohttp import WSMsgType, web

from ktui.engine.api.http.port_forward import Dial, why_not
from ktui.kube.errors import StatusError, bad_request

PROTOCOL: Final = "v4.channel.k8s.io"
Writer: TypeAlias = "asyncio.Future[asyncio.StreamWriter | None]"

_CHUNK: Final = 32 * 1024
_MOST_PORTS: Final = 127


def ports_of(values: Sequence[str]) -> list[int]:
    """The ports a query asks for, as `ports=80,81` or one by one. Raises StatusError."""
    found: list[int] = []
    for text in (part.strip() for value in values for part in value.split(",")):
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
            raise bad_request(f'invalid port "{text}": must be a number between 1 and 65535')
        found.append(int(text))
    if not found:
        raise bad_request('query parameter "ports" is required')
    if len(found) > _MOST_PORTS:
        raise bad_request(f"at most {_MOST_PORTS} ports can be forwarded at once")
    return found


async def serve_port_channels(
    socket: web.WebSocketResponse, ports: Sequence[int], pod: str, dial: Dial
) -> None:
    """Forward until all connections have ended or the client goes."""
    loop = asyncio.get_running_loop()
    # Clients send before the port is connected.
    writers: list[Writer] = [loop.create_future() for _ in ports]
    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await socket.send_bytes(bytes((channel,)) + port.to_bytes(2, "little"))
    connections = [
        asyncio.create_task(_forward(socket, index, port, pod, dial, writers[index]))
        for index, port in enumerate(ports)
    ]
    receiving = asyncio.create_task(_receive(socket, writers))
    everything = asyncio.gather(*connections)
    try:
        await asyncio.wait([everything, receiving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*connections, receiving):
            task.cancel()
        await asyncio.gather(everything, receiving, return_exceptions=True)
        for found in writers:
            if found.done() and (writer := found.result()) is not None:
                writer.close()


async def _forward(
    socket: web.WebSocketResponse,
    index: int,
    port: int,
    pod: str,
    dial: Dial,
    writer: Writer,
) -> None:
    """One port: what the pod sends, and an error if there is one."""
    try:
        dialled = await dial(port)
        reader = cast("asyncio.StreamReader", dialled[0])
        writer.set_result(cast("asyncio.StreamWriter", dialled[1]))
        while chunk := await reader.read(_CHUNK):
            await socket.send_bytes(bytes((2 * index,)) + chunk)
    except (StatusError, OSError) as error:
        if not writer.done():
            writer.set_result(None)
        await socket.send_bytes(bytes((2 * index + 1,)) + why_not(port, pod, error).encode())


async def _receive(socket: web.WebSocketResponse, writers: Sequence[Writer]) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        data: bytes = message.data
        index, is_error = divmod(data[0], 2)
        if is_error or index >= len(writers):
            continue
        writer = await asyncio.shield(writers[index])
        if writer is not None and not writer.is_closing():
            writer.write(data[1:])
            with suppress(ConnectionError):  # the pod hung up: what it sent last ends the port
                await writer.drain()
