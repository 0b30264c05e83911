"""Reaches remote API servers: over TLS to their Service, with the certificate that vouches for whom requests are from.

A server believes the headers `X-Remote-User` and the like only from who shows the front proxy's certificate.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote

from ktui.engine.api.aggregation.remotes import Remote
from ktui.engine.api.http.upstream import Exchange, Head, Headers
from ktui.engine.api.request import User

Dial = Callable[[str, str, int], Awaitable[tuple[object, object]]]
"""A connection to a ready endpoint of a Service, by namespace, name and port. Raises StatusError or OSError."""

_MOST_CONTEXTS: Final = 64
_MOST_BYTES: Final = 16 * 1024 * 1024
_AGGREGATOR: Final = User("system:kube-aggregator", ("system:masters",))


class Reaching:
    """Connects to remote API servers."""

    def __init__(self, dial: Dial) -> None:
        self.certificate: tuple[Path, Path] | None = None
        """The front proxy's certificate and key; None: nobody is vouched for."""
        self.dial = dial
        self._contexts: dict[tuple[str, bool, int], ssl.SSLContext] = {}

    async def connect(self, remote: Remote) -> Exchange:
        """A connection for one request. Raises StatusError, OSError, ValueError for certificates that are none."""
        context = await self._context(remote)
        reader, writer = await self.dial(remote.namespace, remote.service, remote.port)
        exchange = Exchange(cast("asyncio.StreamReader", reader), cast("asyncio.StreamWriter", writer))
        try:
            await exchange.writer.start_tls(context, server_hostname=remote.server_name)
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def get(self, remote: Remote, path: str, accept: str) -> tuple[Head, bytes]:
        """A document, asked for in the aggregator's own name."""
        exchange = await self.connect(remote)
        try:
            headers = [("Host", remote.server_name), ("Accept", accept), ("Connection", "close")]
            await exchange.send_head("GET", path, [*headers, *identity(_AGGREGATOR)])
            head = await exchange.head()
            return head, await _whole(exchange.body("GET", head))
        finally:
            exchange.close()

    async def _context(self, remote: Remote) -> ssl.SSLContext:
        paths = self.certificate
        key = (remote.authority, remote.is_unverified, paths[0].stat().st_mtime_ns if paths else 0)
        context = self._contexts.get(key)
        if context is None:
            context = await asyncio.to_thread(_made, remote, paths)
            if len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.clear()
            self._contexts[key] = context
        return context


def _made(remote: Remote, paths: tuple[Path, Path] | None) -> ssl.SSLContext:
    if remote.is_unverified:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif remote.authority:
        try:
            context = ssl.create_default_context(cadata=b64decode(remote.authority).decode())
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(
                "unable to load root certificates: unable to parse bytes as PEM block"
            ) from error
    else:
        context = ssl.create_default_context()
    if paths is not None:
        context.load_cert_chain(*paths)
    return context


async def _whole(chunks: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > _MOST_BYTES:
            raise ValueError(f"the document is larger than {_MOST_BYTES} bytes")
    return bytes(content)


def identity(user: User) -> Headers:
    """Whom a request is from, as an authenticating proxy says it."""
    return [
        ("X-Remote-User", user.name),
        *([("X-Remote-Uid", user.uid)] if user.uid else []),
        *(("X-Remote-Group", group) for group in user.groups),
        *(
            (f"X-Remote-Extra-{quote(key.lower(), safe='')}", value)
            for key, values in user.extra.items()
            for value in values
        ),
    ]
