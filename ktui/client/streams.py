"""An exec or attach session over a WebSocket, by Kubernetes' `v5.channel.k8s.io` and `v4.channel.k8s.io`.

Each message's first byte is its channel: 0 stdin, 1 stdout, 2 stderr, 3 the final `Status`, 4 terminal sizes,
and in v5 255 closes a channel.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import aiohttp
import msgspec

from ktui.kube.errors import StatusError, internal
from ktui.kube.resource import Object

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def exit_code(final: Object) -> int:
    """The exit code a final `Status` tells; raises StatusError when the command could not be run."""
    if final.get("status") == "Success":
        return 0
    if final.get("reason") == "NonZeroExitCode":
        details: Object = final.get("details") or {}
        for cause in details.get("causes") or ():
            if cause.get("reason") == "ExitCode":
                return int(cause["message"])
    raise StatusError(final)


class ChannelSession:
    """The client's end of a session."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._final: Object | None = None

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(bytes((STDIN,)) + data)

    async def close_stdin(self) -> None:
        if self._socket.protocol == "v5.channel.k8s.io":
            await self._socket.send_bytes(bytes((CLOSE, STDIN)))

    async def resize(self, width: int, height: int) -> None:
        size = msgspec.json.encode({"Width": width, "Height": height})
        await self._socket.send_bytes(bytes((RESIZE,)) + size)

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        return self._output()

    async def _output(self) -> AsyncGenerator[tuple[int, bytes]]:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            data: bytes = message.data
            if data[0] in (STDOUT, STDERR):
                if len(data) > 1:
                    yield data[0], data[1:]
            elif data[0] == ERROR:
                self._final = _decode(data[1:])

    async def wait(self) -> int:
        async for _ in self._output():
            pass
        if self._final is None:
            raise internal("the connection ended before the command did")
        return exit_code(self._final)

    async def close(self) -> None:
        await self._socket.close()
