"""The ports an ingress controller answers on: the usual ones where they are free and allowed, else others.

A controller shares its ports with the one it takes over from, and with nobody else: another engine's on the same
machine would get half of its connections.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from ktui.engine.network.child import end_other
from ktui.engine.network.launch import is_agent

_CHOICES = ((80, 443), (8080, 8443), (0, 0))
USUAL = _CHOICES[0]
_FILE = "ingress.json"


class _Held(msgspec.Struct, frozen=True):
    """What is in `ingress.json`."""

    pid: int
    ports: tuple[int, int]


def bound_pair(folder: Path) -> tuple[socket.socket, socket.socket]:
    """Sockets for HTTP and HTTPS, and a note in the agent's folder of who has them. Raises OSError."""
    held = _held(folder)
    shared = held.ports if held else ()
    plain, secure = (bound([pair[index] for pair in _CHOICES], shared) for index in (0, 1))
    ports = (plain.getsockname()[1], secure.getsockname()[1])
    (folder / _FILE).write_bytes(msgspec.json.encode(_Held(os.getpid(), ports)))
    return plain, secure


def bound(ports: list[int], held: tuple[int, ...] = ()) -> socket.socket:
    """A socket on the first of these ports that is free and allowed, or among those `held` by whom we follow."""
    for port in ports[:-1]:
        if port not in held and not _is_free(port):
            continue
        with suppress(OSError):
            return _listening(port, shared=True)
    return _listening(ports[-1], shared=True)


def _is_free(port: int) -> bool:
    try:
        _listening(port, shared=False).close()
    except OSError:
        return False
    return True


def _listening(port: int, *, shared: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        sock.bind(("0.0.0.0", port))
    except OSError:
        sock.close()
        raise
    return sock


def held_by(folder: Path) -> int:
    """The process of the controller of this folder that still runs, 0 when none does."""
    held = _held(folder)
    return held.pid if held else 0


async def end_orphan(pid: int, folder: Path) -> None:
    """End a controller of this folder whose agent was killed; others are their agent's to end."""
    if pid and is_agent(pid, folder) and not is_agent(_parent(pid), folder):
        await end_other(pid, folder)


def _parent(pid: int) -> int:
    try:
        # Behind the command's name, which may hold anything: the state, and then the parent.
        return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _held(folder: Path) -> _Held | None:
    """The note of the controller of this folder that still runs."""
    try:
        held = msgspec.json.decode((folder / _FILE).read_bytes(), type=_Held)
    except (OSError, msgspec.MsgspecError):
        return None
    return held if is_agent(held.pid, folder) else None
