"""Sockets that live in a pod's network namespace.

A socket stays in the namespace it was created in. As root a short-lived thread joins the namespace and makes
it; an ordinary user can't join a rootless pod's namespaces from a process with threads, so there a child
started through nsenter makes the socket and hands it over.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading

_CLONE_NEWNET = 0x40000000
_HANDOVER_SECONDS = 10.0
_HANDOVER = (
    "import socket,sys;"
    "s=socket.socket(int(sys.argv[2]),socket.SOCK_STREAM);"
    "socket.send_fds(socket.socket(fileno=int(sys.argv[1])),[b'.'],[s.fileno()])"
)


async def connect_inside(
    pid: int, hosts: list[str], port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first of `hosts` that answers on `port`, from inside the namespace of process `pid`."""
    loop = asyncio.get_running_loop()
    failure: OSError = ConnectionRefusedError(f"nothing answers on port {port}")
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = await asyncio.to_thread(socket_inside, pid, family)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, (host, port))
            return await asyncio.open_connection(sock=sock)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
    raise failure


def socket_inside(pid: int, family: int) -> socket.socket:
    """A TCP socket in the network namespace of process `pid`; raises OSError."""
    return _joined_socket(pid, family) if os.geteuid() == 0 else _handed_over_socket(pid, family)


def _joined_socket(pid: int, family: int) -> socket.socket:
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def make() -> None:
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace, _CLONE_NEWNET) != 0:
                    code = ctypes.get_errno()
                    raise OSError(code, os.strerror(code), f"/proc/{pid}/ns/net")
            finally:
                os.close(namespace)
            made.append(socket.socket(family, socket.SOCK_STREAM))
        except OSError as error:
            failed.append(error)

    # A thread of its own: it never has to find the way back to the host's namespace.
    thread = threading.Thread(target=make, name="ktui-netns")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def _handed_over_socket(pid: int, family: int) -> socket.socket:
    nsenter = shutil.which("nsenter")
    if nsenter is None:
        raise FileNotFoundError("nsenter is not installed (package util-linux)")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(_HANDOVER_SECONDS)
        command = [nsenter, f"--target={pid}", "--user", "--net", "--preserve-credentials", "--"]
        done = subprocess.run(
            [*command, _python(), "-c", _HANDOVER, str(theirs.fileno()), str(int(family))],
            pass_fds=[theirs.fileno()],
            capture_output=True,
            timeout=_HANDOVER_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise OSError(f"can't enter the pod's network: {done.stderr.decode(errors='replace').strip()}")
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    return socket.socket(fileno=descriptors[0])


def _python() -> str:
    """An interpreter that this user may run: a venv's may lie in another user's home."""
    if os.access(sys.executable, os.X_OK):
        return sys.executable
    return shutil.which("python3") or "python3"
