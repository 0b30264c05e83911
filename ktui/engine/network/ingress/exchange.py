"""One request and its response on their way through the proxy.

Bodies are passed on as they come, never held: a side that can't take more stops the other one. Framing is made
anew on the way (a length stays a length, everything else becomes chunks), so that what a backend and a client
take for the end of a message is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ktui.engine.network.ingress.balancer import Target
from ktui.engine.network.ingress.routes import Route

if TYPE_CHECKING:
    from ktui.engine.network.ingress.client import ClientConnection
    from ktui.engine.network.ingress.upstream import UpstreamConnection

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods that may be sent again where no answer came (RFC 9110 9.2.2)."""
_MOST_TRIES = 3


class Exchange:
    """A request that has a route, and where it stands."""

    __slots__ = (
        "body",
        "body_bytes",
        "client",
        "deadline",
        "expects",
        "head",
        "head_sent",
        "is_chunked",
        "is_closing",
        "is_complete",
        "is_upgrade",
        "method",
        "request_sent",
        "route",
        "targets",
        "tries",
        "upstream",
        "version",
    )

    def __init__(
        self,
        client: ClientConnection,
        route: Route,
        method: bytes,
        version: str,
        targets: tuple[Target, ...],
        head: bytes,
        *,
        is_chunked: bool,
        is_upgrade: bool,
        expects: bool = False,
    ) -> None:
        self.client = client
        self.route = route
        self.method = method
        self.version = version
        self.targets = targets
        self.head = head
        """The request's head as the backend gets it."""
        self.is_chunked = is_chunked
        """The request's body goes on in chunks."""
        self.is_upgrade = is_upgrade
        """Another protocol is asked for: what follows the head waits until the backend agrees."""
        self.expects = expects
        """The client waits to be told before it sends the body."""
        self.upstream: UpstreamConnection | None = None
        self.tries = 0
        self.body: list[bytes] = []
        """What has come of the body and was not sent on yet."""
        self.body_bytes = 0
        self.is_complete = False
        """All of the request has come."""
        self.request_sent = False
        """Some of the body has gone to a backend: it is not there any more to be sent again."""
        self.head_sent = False
        """The response has begun."""
        self.is_closing = False
        """The client's connection ends with this response."""
        self.deadline = 0.0

    def may_try_again(self, *, was_sent: bool) -> bool:
        """Whether another backend may get the request after a failure without an answer."""
        if self.head_sent or self.request_sent or self.tries >= _MOST_TRIES:
            return False
        return not was_sent or self.is_repeatable

    @property
    def is_over(self) -> bool:
        """Nobody waits for the response any more."""
        return self.client.is_gone or self.client.exchange is not self

    @property
    def is_repeatable(self) -> bool:
        return self.method in _REPEATABLE

    def next_target(self) -> Target:
        target = self.targets[self.tries % len(self.targets)]
        self.tries += 1
        return target

    def add_body(self, data: bytes) -> None:
        """A piece of the request's body."""
        self.body_bytes += len(data)
        if self.is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._pass_on(data)

    def complete(self) -> None:
        """The request's end has come."""
        self.is_complete = True
        if self.is_chunked:
            self._pass_on(b"0\r\n\r\n")

    def _pass_on(self, data: bytes) -> None:
        if self.upstream is not None and self.upstream.is_open and not self.is_upgrade:
            self.request_sent = True
            self.upstream.write(data)
        else:
            self.body.append(data)

    def take_body(self) -> bytes:
        """What waits to be sent after the head."""
        if not self.body:
            return b""
        self.request_sent = True
        data = b"".join(self.body)
        self.body.clear()
        return data
