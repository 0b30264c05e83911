"""The API over TLS: the address it listens on, its certificates, and the admin's kubeconfig.

In: an address asked for and the data folder. Out: an open port, remembered so that kubeconfigs keep working
after a restart, and certificates that are renewed while the server runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ktui.client import kubeconfig
from ktui.engine.api.http.front import HttpFront
from ktui.engine.api.pki.folder import ADMIN_USER, Pki, write_private
from ktui.kube.clock import Clock

log = logging.getLogger(__name__)

DEFAULT_PORT = 6443
_READ_BYTES = 32 * 1024
"""What a connection has room for at a time, all the while it is open: two records of TLS. asyncio's own 256 KB
make a thousand idle watches 200 MB."""
_RENEWAL_SECONDS = 12 * 3600.0
_FREEBIND = 15
"""Linux's IP_FREEBIND, which has no name in Python's socket module."""
_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    "::1",
    "10.96.0.1",
)
"""What clients on this machine and in pods call the server."""


class ListenError(Exception):
    """The server can't listen where it was asked to; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port None: the one of last time, else 6443, else any that is free; 0: any."""

    host: str = "127.0.0.1"
    port: int | None = None


class SecureApi:
    """Serves a front over TLS."""

    def __init__(
        self,
        front: HttpFront,
        data_dir: Path,
        address: Address,
        clock: Clock,
        *,
        names: Sequence[str] = (),
    ) -> None:
        """`names` are what else clients call it: its address in the services' network."""
        self.url = ""
        """How clients on this machine reach it, once started."""
        self.port = 0
        self._front = front
        self._data_dir = data_dir
        self._address = address
        self._names = tuple(names)
        self._clock = clock
        self._pki = Pki(data_dir / "pki")
        self._context: ssl.SSLContext | None = None

    async def start(self) -> None:
        """Listen and write the kubeconfig; raises ListenError or PkiError."""
        SSLProtocol.max_size = _READ_BYTES
        await asyncio.to_thread(self._prepare)
        self._front.trust(self._pki.authority)
        self._context = context = await asyncio.to_thread(self._pki.server_context)
        bound = self._bind()
        try:
            await self._front.listen_tls(bound, context)
        except BaseException:
            bound.close()
            raise
        port = self.port = bound.getsockname()[1]
        self.url = f"https://{_for_url(_reachable(self._address.host))}:{port}"
        await asyncio.to_thread(self._remember, port)
        log.info("the API listens on %s", self.url)

    def serves(self, host: str) -> bool:
        """Whether it listens at an address of this machine."""
        return host == self._address.host or _is_wildcard(self._address.host)

    async def serve_at(self, host: str) -> bool:
        """Listen at another address too, which may come to this machine later: that of the host for its pods.

        False where another program has the port at that address; the API then works for everyone but pods.
        """
        assert self._context is not None, "the API has not been started"
        self._names = (*self._names, host)
        if await asyncio.to_thread(self._prepare):
            self._pki.load_into(self._context)
        if self.serves(host):
            return True
        try:
            bound = _bound(host, self.port, may_come_later=True)
        except OSError as error:
            where = f"{_for_url(host)}:{self.port}"
            log.warning("pods don't reach the API: can't listen on %s: %s", where, error.strerror or error)
            return False
        await self._front.listen_tls(bound, self._context)
        return True

    async def run(self) -> None:
        """Renew certificates before they end, until cancelled."""
        while True:
            await self._clock.sleep(_RENEWAL_SECONDS)
            if await asyncio.to_thread(self._prepare):
                assert self._context is not None
                self._pki.load_into(self._context)
                self._front.trust(self._pki.authority)
                await asyncio.to_thread(self._write_kubeconfig)
                log.info("renewed the API's certificates")

    def _prepare(self) -> bool:
        names = [*server_names(self._address.host), *self._names]
        return self._pki.prepare(list(dict.fromkeys(names)), self._clock.now())

    def _bind(self) -> socket.socket:
        host, asked = self._address.host, self._address.port
        ports = [asked] if asked is not None else [*self._remembered(), DEFAULT_PORT, 0]
        for port in ports:
            try:
                return _bound(host, port)
            except OSError as error:
                is_taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
                if is_taken and asked is None and port != 0:
                    continue
                where = f"{_for_url(host)}:{port}"
                raise ListenError(
                    f"the API can't listen on {where}: {error.strerror or error}; name another --listen HOST:PORT, "
                    "with port 0 for any that is free, or start with --no-api"
                ) from error
        raise AssertionError("port 0 is bound or raises")

    @property
    def _port_file(self) -> Path:
        return self._data_dir / "api-port"

    def _remembered(self) -> list[int]:
        with contextlib.suppress(OSError, ValueError):
            port = int(self._port_file.read_text())
            return [port] if 0 < port < 65536 else []
        return []

    def _remember(self, port: int) -> None:
        if self._address.port is None:
            write_private(self._port_file, f"{port}\n".encode())
        self._write_kubeconfig()

    def _write_kubeconfig(self) -> None:
        admin = self._pki.admin
        access = kubeconfig.Access(
            name="ktui",
            user=ADMIN_USER,
            server=self.url,
            authority=self._pki.authority,
            certificate=admin.certificate,
            key=admin.key,
            data_dir=str(self._data_dir),
        )
        write_private(self._data_dir / "kubeconfig", kubeconfig.text(kubeconfig.document(access)).encode())


def server_names(host: str) -> Iterator[str]:
    """The names and addresses the server's certificate is for."""
    own = socket.gethostname()
    names = [*_NAMES, own]
    if _is_wildcard(host):
        with contextlib.suppress(OSError):
            names += [str(info[4][0]) for info in socket.getaddrinfo(own, None, type=socket.SOCK_STREAM)]
    else:
        names.append(host)
    for name in dict.fromkeys(names):
        try:
            yield str(ipaddress.ip_address(name.partition("%")[0]))
        except ValueError:
            if name.isascii():
                yield name


def _bound(host: str, port: int, *, may_come_later: bool = False) -> socket.socket:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = infos[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if may_come_later:
            bound.setsockopt(socket.SOL_IP, _FREEBIND, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _reachable(host: str) -> str:
    """The address a client on this machine uses for a listener."""
    if not _is_wildcard(host):
        return host
    return "::1" if ":" in host else "127.0.0.1"


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
