"""An exec or attach session on the server's side of a WebSocket (`v5.channel.k8s.io`, `v4.channel.k8s.io`)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
from aiohttp import WSMsgType, web

from ktui.client.base import ExecSession
from ktui.client.streams import CLOSE, ERROR, RESIZE, STDIN
from ktui.kube.errors import StatusError, internal, status
from ktui.kube.resource import Object

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class Size(msgspec.Struct):
    """A terminal's size, as clients send it."""

    Width: int
    Height: int


_decode_size = msgspec.json.Decoder(Size).decode


async def serve_session(socket: web.WebSocketResponse, session: ExecSession) -> None:
    """Pump a session both ways until the command ends or the client goes; closes both."""
    incoming = asyncio.create_task(_receive(socket, session))
    try:
        await _send(socket, session)
    except ConnectionError:
        pass
    finally:
        incoming.cancel()
        await asyncio.gather(incoming, return_exceptions=True)
        await session.close()
        await socket.close()


async def _send(socket: web.WebSocketResponse, session: ExecSession) -> None:
    try:
        async for channel, data in session:
            await socket.send_bytes(bytes((channel,)) + data)
        final = final_status(await session.wait())
    except StatusError as error:
        final = error.status
    except OSError as error:
        final = internal(f"the stream from the container broke: {error}").status
    await socket.send_bytes(bytes((ERROR,)) + msgspec.json.encode(final))


async def _receive(socket: web.WebSocketResponse, session: ExecSession) -> None:
    async for message in socket:
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not message.data:
            continue
        # Some clients type text as text: the Python client does.
        data: bytes = message.data.encode() if message.type is WSMsgType.TEXT else message.data
        if data[0] == STDIN and len(data) > 1:
            await session.send(data[1:])
        elif data[0] == RESIZE:
            with suppress(msgspec.DecodeError):
                size = _decode_size(data[1:])
                await session.resize(size.Width, size.Height)
        elif data[:2] == bytes((CLOSE, STDIN)):
            await session.close_stdin()
    await session.close()


def final_status(code: int) -> Object:
    """The `Status` that ends a session."""
    if code == 0:
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    failure = status(
        500,
        "NonZeroExitCode",
        f"command terminated with non-zero exit code: exit status {code}",
        {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    )
    del failure["code"]
    return failure
