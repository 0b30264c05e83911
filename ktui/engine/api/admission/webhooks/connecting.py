"""Connections of the HTTP client to Services: a host `name.namespace.svc` is dialled through the cluster.

What is dialled is a pair of streams, from wherever the pod's network is; the client wants a socket. So a pair of
sockets stands between them, and what comes at one end goes on at the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import aiohttp

from ktui.engine.api.admission.webhooks.services import Services

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

_CHUNK: Final = 64 * 1024


class ServiceConnector(aiohttp.BaseConnector):
    """Pools connections to Services."""

    def __init__(self, services: Callable[[], Services], limit: int) -> None:
        super().__init__(limit=limit)
        self._services = services
        self._relays: set[asyncio.Task[None]] = set()

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        key = req.connection_key
        name, namespace, _ = key.host.split(".", 2)
        try:
            reader, writer = await self._services().dial(namespace, name, key.port or 443)
        except OSError as error:
            raise aiohttp.ClientConnectorError(key, error) from error
        near, far = socket.socketpair()
        near.setblocking(False)
        relay = _relay(far, cast("asyncio.StreamReader", reader), cast("asyncio.StreamWriter", writer))
        task = asyncio.create_task(relay, name=f"connection to {key.host}")
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        context = req.ssl if isinstance(req.ssl, ssl.SSLContext) else None
        try:
            _, protocol = await self._loop.create_connection(
                self._factory, sock=near, ssl=context, server_hostname=key.host if context else None
            )
        except BaseException as error:
            near.close()
            task.cancel()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise aiohttp.ClientConnectorCertificateError(key, error) from error
            if isinstance(error, ssl.SSLError):
                raise aiohttp.ClientConnectorSSLError(key, error) from error
            raise
        return protocol

    async def end(self) -> None:
        """End the relays of connections that are closed."""
        for task in self._relays:
            task.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)


async def _relay(far: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes both ways until either side ends."""
    inner_writer: asyncio.StreamWriter | None = None
    passing: list[asyncio.Task[None]] = []
    try:
        inner_reader, inner_writer = await asyncio.open_connection(sock=far)
        passing = [
            asyncio.create_task(_pass(inner_reader, writer)),
            asyncio.create_task(_pass(reader, inner_writer)),
        ]
        await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        writer.close()
        if inner_writer is not None:
            inner_writer.close()
        else:
            far.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
