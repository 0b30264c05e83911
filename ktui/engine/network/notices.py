"""The kernel's word that a table or a link is gone, as it happens: somebody flushed the ruleset, or removed the bridge.

Netlink tells every change of tables and links to who listens; here only removals under given names count. What
was missed, because too much happened at once, counts as a removal: who is told looks for itself. Without the
right to listen nothing is told, and the rules are looked after from time to time only.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

log = logging.getLogger(__name__)

_MESSAGE = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_BYTES = 64 * 1024


class _Source(NamedTuple):
    """A family of netlink, its group, and what a removal looks like there."""

    family: int
    groups: int
    message: int
    header_bytes: int
    name_attribute: int


_TABLES = _Source(family=12, groups=1 << 6, message=(10 << 8) | 2, header_bytes=4, name_attribute=1)
_LINKS = _Source(family=0, groups=1, message=17, header_bytes=16, name_attribute=3)


class Notices:
    """Calls `on_gone` when a table or link of one of the names may be gone, until cancelled."""

    def __init__(self, names: Iterable[str], on_gone: Callable[[], None]) -> None:
        self._names = frozenset(names)
        self._on_gone = on_gone
        self.listening = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        sockets: list[socket.socket] = []
        try:
            for source in (_TABLES, _LINKS):
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, source.family)
                sockets.append(sock)
                sock.setblocking(False)
                sock.bind((0, source.groups))
                loop.add_reader(sock, self._read, sock, source)
            self.listening.set()
            await asyncio.Event().wait()
        except OSError as error:
            log.warning("removals of rules are noticed late: %s", error)
            await asyncio.Event().wait()
        finally:
            for sock in sockets:
                loop.remove_reader(sock)
                sock.close()

    def _read(self, sock: socket.socket, source: _Source) -> None:
        try:
            data = sock.recv(_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                log.warning("netlink: %s", error)
            self._on_gone()
            return
        if any(name in self._names for name in removed(data, source)):
            self._on_gone()


def removed(data: bytes, source: _Source) -> Iterator[str]:
    """The names that messages say were removed."""
    start = 0
    while start + _MESSAGE.size <= len(data):
        length, kind, *_ = _MESSAGE.unpack_from(data, start)
        if length < _MESSAGE.size:
            return
        if kind == source.message:
            yield from _names(data[start + _MESSAGE.size + source.header_bytes : start + length], source)
        start += _aligned(length)


def _names(attributes: bytes, source: _Source) -> Iterator[str]:
    start = 0
    while start + _ATTRIBUTE.size <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, start)
        if length < _ATTRIBUTE.size:
            return
        if kind == source.name_attribute:
            yield attributes[start + _ATTRIBUTE.size : start + length].rstrip(b"\0").decode(errors="replace")
        start += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
