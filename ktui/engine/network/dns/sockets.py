"""The sockets that DNS answers on, held by two: the engine makes them, its network agent binds and reads them.

When the agent is killed, what was asked meanwhile waits in the sockets that the engine still holds, and nobody
is told that nothing listens.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import NamedTuple, Self

_IP_FREEBIND = 15
_BACKLOG = 128


class NameSockets(NamedTuple):
    """One for datagrams, one for connections; they share their port with those they take over from."""

    datagrams: socket.socket
    stream: socket.socket

    @classmethod
    def make(cls) -> Self:
        """New ones, bound to nothing."""
        return cls(*(_made(socket.socket(socket.AF_INET, kind)) for kind in _KINDS))

    @classmethod
    def inherited(cls, numbers: Sequence[int]) -> Self:
        """Those that another process made, by their descriptors here."""
        return cls(*(_made(socket.socket(fileno=number)) for number in numbers))

    def duplicates(self) -> Self:
        """The same sockets under descriptors of their own, for one who closes them."""
        return type(self)(*(each.dup() for each in self))

    def listen(self, address: str, port: int) -> None:
        """Bind them, unless that is done; the address need not be there yet. Raises OSError."""
        if self.datagrams.getsockname()[1]:
            return
        self.datagrams.bind((address, port))
        self.stream.bind((address, self.datagrams.getsockname()[1]))
        self.stream.listen(_BACKLOG)

    def numbers(self) -> tuple[int, int]:
        return self.datagrams.fileno(), self.stream.fileno()

    def close(self) -> None:
        for each in self:
            each.close()


_KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)


def _made(sock: socket.socket) -> socket.socket:
    sock.set_inheritable(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    sock.setblocking(False)
    return sock
