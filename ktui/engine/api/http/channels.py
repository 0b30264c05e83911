"""An exec or attach session on the server's side of a WebSocket, in every way that Kubernetes knows.

Each message begins with its channel. `v5.channel.k8s.io` and `v4.channel.k8s.io` end with a `Status`; the first
protocol (`channel.k8s.io`, or none named) says only what went wrong. The base64 ones send text, for browsers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from contextlib import suppress

import msgspec
from aiohttp import WSMsgType, web

from ktui.client.base import ExecSession
from ktui.client.streams import CLOSE, ERROR, RESIZE, STDIN
from ktui.kube.errors import StatusError, internal, status
from ktui.kube.resource import Object

_FIRST_PROTOCOLS = ("channel.k8s.io", "base64.channel.k8s.io")
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", *_FIRST_PROTOCOLS)


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
            await _write(socket, channel, data)
        final = final_status(await session.wait())
    except StatusError as error:
        final = error.status
    except OSError as error:
        final = internal(f"the stream from the container broke: {error}").status
    if socket.ws_protocol not in (None, *_FIRST_PROTOCOLS):
        await _write(socket, ERROR, msgspec.json.encode(final))
    elif final.get("status") != "Success":
        await _write(socket, ERROR, str(final.get("message") or "").encode())


async def _write(socket: web.WebSocketResponse, channel: int, data: bytes) -> None:
    if _is_base64(socket):
        await socket.send_str(f"{channel}{base64.b64encode(data).decode()}")
    else:
        await socket.send_bytes(bytes((channel,)) + data)


def _is_base64(socket: web.WebSocketResponse) -> bool:
    return "base64." in (socket.ws_protocol or "")


def _read(socket: web.WebSocketResponse, sent: str | bytes) -> bytes:
    """Channel and data of a message; empty for what is no message."""
    # Some clients type text as text even where bytes are due: the Python client does.
    data = sent.encode() if isinstance(sent, str) else sent
    if not _is_base64(socket):
        return data
    with suppress(binascii.Error):
        if data[:1].isdigit():
            return bytes((int(data[:1]),)) + base64.b64decode(data[1:], validate=True)
    return b""


async def _receive(socket: web.WebSocketResponse, session: ExecSession) -> None:
    async for message in socket:
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not message.data:
            continue
        data = _read(socket, message.data)
        if not data:
            continue
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
