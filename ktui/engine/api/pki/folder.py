"""The certificates of one cluster in a folder: made at first start, renewed before they end.

The authority stays for ten years, so that kubeconfigs handed out keep working; the server's and the admin's
certificates are renewed a month before they end, or when the server gets new names. Files are 0600 in a 0700
folder and replaced whole.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from ktui.engine.api.pki.any_client import let_in
from ktui.engine.api.pki.issuing import (
    Pair,
    belongs,
    client_pair,
    expires,
    names_of,
    new_authority,
    server_pair,
    sign_request,
)

FRONT_PROXY_USER = "front-proxy-client"
"""Whom the certificate names with which requests are handed on to aggregated servers."""
_FRONT_PROXY, _FRONT_PROXY_CA = "front-proxy-client", "front-proxy-ca"
ADMIN_USER, ADMIN_GROUP = "kubernetes-admin", "system:masters"
"""Whom the admin's certificate names."""

_MARGIN = timedelta(days=30)


class PkiError(Exception):
    """The folder can't be used as it is; the message says why and what to do."""


class Pki:
    """The folder `pki` of a cluster. Methods touch files: call them off the loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, names: Sequence[str], now: datetime) -> bool:
        """Make or renew what is missing or ends soon; True when something changed."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        authority, is_new = self._authority(now)

        def is_right_server(pair: Pair) -> bool:
            return names_of(pair.certificate) >= set(names)

        server = self._kept(
            "apiserver", authority, now, is_right_server, lambda: server_pair(authority, names, now)
        )
        admin = self._kept(
            "admin",
            authority,
            now,
            lambda _: True,
            lambda: client_pair(authority, ADMIN_USER, (ADMIN_GROUP,), now),
        )
        return is_new or server or admin

    def prepare_front_proxy(self, now: datetime) -> None:
        """Make or renew the certificate that aggregated servers believe, and its own authority."""
        authority, _ = self._authority(now, _FRONT_PROXY_CA)
        self._kept(
            _FRONT_PROXY,
            authority,
            now,
            lambda _: True,
            lambda: client_pair(authority, FRONT_PROXY_USER, (), now),
        )

    @property
    def front_proxy(self) -> tuple[Path, Path]:
        """The files of the front proxy's certificate and key."""
        return self._folder / f"{_FRONT_PROXY}.crt", self._folder / f"{_FRONT_PROXY}.key"

    @property
    def front_proxy_authority(self) -> bytes:
        """The certificate of the front proxy's authority."""
        return (self._folder / f"{_FRONT_PROXY_CA}.crt").read_bytes()

    @property
    def authority(self) -> bytes:
        """The authority's certificate, which clients trust."""
        return (self._folder / "ca.crt").read_bytes()

    @property
    def admin(self) -> Pair:
        """The admin's certificate and key."""
        return self._read("admin")

    def issue(
        self, user: str, groups: Sequence[str], now: datetime, lifetime: timedelta | None = None
    ) -> Pair:
        """A certificate for a client; raises PkiError without an authority, ValueError for an unfit name."""
        try:
            authority = self._read("ca")
        except FileNotFoundError:
            raise PkiError(
                f"{self._folder} holds no certificate authority; `ktui serve` makes one at its first start"
            ) from None
        return client_pair(authority, user, groups, now, lifetime)

    def sign(
        self, request: bytes, usages: Sequence[str], now: datetime, lifetime: timedelta | None = None
    ) -> bytes:
        """The certificate (PEM) for an approved request (PEM)."""
        return sign_request(self._read("ca"), request, usages, now, lifetime)

    def server_context(self) -> ssl.SSLContext:
        """TLS for the server: clients may show a certificate, which is verified when it is to be believed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authority.decode())
        let_in(context)
        context.set_alpn_protocols(["http/1.1"])
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let new connections see the server's present certificate."""
        context.load_cert_chain(self._folder / "apiserver.crt", self._folder / "apiserver.key")

    def _authority(self, now: datetime, name: str = "ca") -> tuple[Pair, bool]:
        """The authority there is, or a new one; whether it is new."""
        try:
            pair = self._read(name)
        except FileNotFoundError:
            return self._write(name, _new_authority(now, name)), True
        try:
            if not belongs(pair, pair.certificate):
                raise ValueError("its key and certificate don't fit each other")
            ends = expires(pair.certificate)
        except ValueError as error:
            raise PkiError(
                f"{self._folder}/{name}.crt or {name}.key can't be used: {error}; put back a copy, or remove the folder "
                f"to get a new authority (kubeconfigs made before then no longer work)"
            ) from error
        if ends - now < _MARGIN:
            return self._write(name, _new_authority(now, name)), True
        return pair, False

    def _kept(
        self,
        name: str,
        authority: Pair,
        now: datetime,
        fits: Callable[[Pair], bool],
        make: Callable[[], Pair],
    ) -> bool:
        """Make the pair anew unless the one there is still good; True when it was made."""
        try:
            pair = self._read(name)
            is_good = (
                belongs(pair, authority.certificate)
                and expires(pair.certificate) - now >= _MARGIN
                and fits(pair)
            )
        except (FileNotFoundError, ValueError):
            is_good = False
        if not is_good:
            self._write(name, make())
        return not is_good

    def _read(self, name: str) -> Pair:
        return Pair((self._folder / f"{name}.crt").read_bytes(), (self._folder / f"{name}.key").read_bytes())

    def _write(self, name: str, pair: Pair) -> Pair:
        """The key goes first: a certificate on disk always has one."""
        write_private(self._folder / f"{name}.key", pair.key)
        write_private(self._folder / f"{name}.crt", pair.certificate)
        return pair


def _new_authority(now: datetime, name: str) -> Pair:
    return new_authority(now, "kubernetes" if name == "ca" else name)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file whole, readable by its owner only."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
