"""Which ports an ingress controller takes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from ktui.engine.network.ingress.ports import bound, bound_pair


def taken() -> socket.socket:
    """A port on which another controller listens, which shares it as ours would."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("0.0.0.0", 0))
    sock.listen()
    return sock


def test_a_port_of_another_engine_is_left_to_it() -> None:
    with taken() as theirs, bound([theirs.getsockname()[1], 0]) as ours:
        assert ours.getsockname()[1] != theirs.getsockname()[1]


def test_a_port_is_shared_with_the_one_it_takes_over_from() -> None:
    with taken() as theirs:
        port = theirs.getsockname()[1]
        with bound([port, 0], held=(port,)) as ours:
            assert ours.getsockname()[1] == port


def test_what_an_ended_controller_noted_is_nobodys(tmp_path: Path) -> None:
    with taken() as theirs:
        port = theirs.getsockname()[1]
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        for pid in (ended.pid, os.getpid()):
            (tmp_path / "ingress.json").write_bytes(msgspec.json.encode({"pid": pid, "ports": [port, port]}))
            sockets = bound_pair(tmp_path)
            assert port not in [sock.getsockname()[1] for sock in sockets]
            for sock in sockets:
                sock.close()
