"""An API over TLS in this process, and requests to it as one user or another."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from ktui.engine.api.http.secure import SecureApi
from ktui.engine.api.pki.folder import Pki


@dataclass
class Wire:
    """The server and who calls it."""

    secure: SecureApi
    data_dir: Path
    session: aiohttp.ClientSession
    admin: ssl.SSLContext

    def context(self, user: str = "", *groups: str) -> ssl.SSLContext:
        """TLS as a user with a certificate, or as nobody."""
        context = ssl.create_default_context(cafile=str(self.data_dir / "pki" / "ca.crt"))
        if user:
            pair = Pki(self.data_dir / "pki").issue(user, groups, self.secure._clock.now())
            path = self.data_dir / f"{user}.pem"
            path.write_bytes(pair.certificate + pair.key)
            context.load_cert_chain(path)
        return context

    async def call(
        self,
        method: str,
        path: str,
        *,
        tls: ssl.SSLContext | None = None,
        accept: str = "application/json",
        **options: Any,
    ) -> tuple[int, Any]:
        """Status code and decoded answer."""
        headers = {"Accept": accept, **options.pop("headers", {})}
        async with self.session.request(
            method, self.secure.url + path, ssl=tls or self.admin, headers=headers, **options
        ) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()
