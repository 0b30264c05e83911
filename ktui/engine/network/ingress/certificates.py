"""Certificates of the hosts that Ingresses name: chosen by SNI, read anew when their Secret changes."""

from __future__ import annotations

import base64
import binascii
import logging
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from ktui.engine.network.ingress.self_signed import self_signed
from ktui.kube.data import mapping
from ktui.kube.resource import Object, ObjectKey

log = logging.getLogger(__name__)


class Certificates:
    """The TLS side of the proxy."""

    def __init__(self, secret_of: Callable[[str], ObjectKey | None]) -> None:
        self._secret_of = secret_of
        """Which Secret has the certificate for a host."""
        self._contexts: dict[ObjectKey, ssl.SSLContext] = {}
        self.context = _context(*self_signed())
        """For the listener: a certificate of our own for hosts that have none."""
        self.context.sni_callback = self._choose

    def put(self, key: ObjectKey, secret: Object | None) -> None:
        """A Secret of type kubernetes.io/tls has come, changed or gone (None)."""
        self._contexts.pop(key, None)
        if secret is None:
            return
        data = mapping(secret, "data")
        try:
            pair = [base64.b64decode(data.get(name, ""), validate=True) for name in ("tls.crt", "tls.key")]
            self._contexts[key] = _context(*pair)
        except (ssl.SSLError, binascii.Error, OSError, ValueError) as error:
            log.error("Secret %s holds no certificate with its key: %s", key, error)

    def has(self, host: str) -> bool:
        """Whether a host has a certificate of its own."""
        key = self._secret_of(host)
        return key is not None and key in self._contexts

    def _choose(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        key = self._secret_of((name or "").lower())
        if key is not None and (context := self._contexts.get(key)):
            tls.context = context


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # The library reads certificates from files only.
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("crt", "key")]
        for path, content in zip(paths, (certificate, key), strict=True):
            path.touch(0o600)
            path.write_bytes(content)
        # Without a password an encrypted key would be asked for on the terminal.
        context.load_cert_chain(paths[0], paths[1], password="")
    return context
