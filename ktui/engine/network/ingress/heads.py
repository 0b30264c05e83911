"""Heads of requests: how a client's is framed, and how a backend gets it.

Pure. What says where a message ends is read once and written anew, whatever else the client's head says of it:
client, proxy and backend must never take different things for the end of a request (RFC 9112 6).
"""

from __future__ import annotations

from typing import NamedTuple

from ktui.engine.network.ingress.exchange import HOP_BY_HOP, Headers
from ktui.engine.network.ingress.routes import Route

_SAID_BY_US = frozenset(
    (
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"x-real-ip",
        b"forwarded",
        b"expect",
        b"host",
        b"content-length",
    )
)
"""What the proxy writes itself: a client can't pretend to be another one."""


class RefusedError(Exception):
    """A request that is answered with an error, after which the connection ends."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Framing(NamedTuple):
    """What a request's head says about its connection and its body."""

    length: int | None = None
    """Bytes of the body, where the head says so."""
    is_chunked: bool = False
    expects: bool = False
    """The client waits to be told before it sends the body."""
    upgrade: bytes = b""
    """Another protocol that is asked for."""
    named: frozenset[bytes] = frozenset()
    """Headers that are for this connection only."""

    @property
    def has_body(self) -> bool:
        return self.is_chunked or bool(self.length)


class Asker(NamedTuple):
    """Who asks, and what the backend is told of it."""

    address: str
    port: int
    """Ours, on which it came."""
    is_secure: bool


def read_framing(headers: Headers, version: str) -> Framing:
    """Raises RefusedError where it could be read in two ways."""
    length, is_chunked, expects, upgrade, named = None, False, False, b"", frozenset[bytes]()
    for name, value in headers:
        match name.lower():
            case b"transfer-encoding":
                if is_chunked or version != "1.1":
                    raise RefusedError(400, "Where the request ends is not clear.")
                codings = value.lower().replace(b" ", b"").split(b",")
                if codings[-1] != b"chunked":
                    raise RefusedError(400, "Where the request ends is not clear.")
                if len(codings) > 1:
                    raise RefusedError(501, "The only transfer coding known here is chunked.")
                is_chunked = True
            case b"content-length":
                length = int(value)
            case b"expect":
                expects = version == "1.1" and value.lower() == b"100-continue"
            case b"upgrade":
                upgrade = value
            case b"connection":
                named |= {word.strip().lower() for word in value.split(b",")}
            case _:
                pass
    return Framing(length, is_chunked, expects, upgrade, named)


def backend_head(
    method: bytes,
    target: str,
    host: str,
    headers: Headers,
    framing: Framing,
    asker: Asker,
    *,
    is_upgrade: bool,
) -> bytes:
    """The request's head as the backend gets it."""
    left_out = HOP_BY_HOP | _SAID_BY_US | framing.named
    lines = [b"%b %b HTTP/1.1" % (method, target.encode("latin-1"))]
    lines += [
        b"%b: %b" % (name, value)
        for name, value in headers
        # Many servers take `X_Real_IP` for `X-Real-IP`.
        if (lower := name.lower()) not in left_out
        and (b"_" not in lower or lower.replace(b"_", b"-") not in _SAID_BY_US)
    ]
    scheme = "https" if asker.is_secure else "http"
    told = (
        f"Host: {host}\r\nX-Forwarded-For: {asker.address}\r\nX-Real-IP: {asker.address}\r\n"
        f"X-Forwarded-Host: {host}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Port: {asker.port}"
    )
    lines.append(told.encode("latin-1"))
    if framing.is_chunked:
        lines.append(b"Transfer-Encoding: chunked")
    elif framing.length is not None:
        lines.append(b"Content-Length: %d" % framing.length)
    if is_upgrade:
        lines.append(b"Connection: Upgrade\r\nUpgrade: %b" % framing.upgrade)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def host_name(host: str) -> str:
    """The name in a Host header: no port, lower case, no dot at its end."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower().rstrip(".")


def rewritten(route: Route, target: str) -> str:
    """The target that the backend is asked for."""
    if not route.options.rewrite or not target.startswith("/"):
        return target
    path, mark, query = target.partition("?")
    return route.rewritten(path) + mark + query
