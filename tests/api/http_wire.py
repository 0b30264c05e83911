"""An API over TLS in this process, and requests to it as one user or another."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from ktui.engine.api.http.audit import AuditLog
from ktui.engine.api.http.front import HttpFront
from ktui.engine.api.http.limits import Limits
from ktui.engine.api.http.secure import Address, SecureApi
from ktui.engine.api.pki.folder import Pki
from ktui.engine.api.rbac.authorizer import Rbac
from ktui.engine.api.rbac.bootstrap import ensure_default_roles
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.clock import Clock, RealClock


@asynccontextmanager
async def served_over_tls(
    data_dir: Path, *, limits: Limits | None = None, clock: Clock | None = None
) -> AsyncIterator[Wire]:
    """A fresh API over TLS with the default roles, and on a unix socket for its owner."""
    store = open_store(None, clock=RealClock())
    server = ApiServer(store, default_registry(), RealClock(), authorizer=Rbac(store))
    await server.start()
    await ensure_default_roles(server)
    audit = AuditLog(data_dir / "audit.log")
    front = HttpFront(server, [server.tokens.authenticate], audit, limits=limits)
    await front.listen(data_dir / "api.sock")
    secure = SecureApi(front, data_dir, Address("127.0.0.1", 0), clock or RealClock())
    await secure.start()
    async with aiohttp.ClientSession() as session:
        wire = Wire(server, secure, data_dir, session)
        wire.admin = wire.context("admin", "system:masters")
        yield wire
    await front.close()
    await audit.close()
    await store.close()


@dataclass
class Wire:
    """The server and who calls it."""

    server: ApiServer
    secure: SecureApi
    data_dir: Path
    session: aiohttp.ClientSession
    admin: ssl.SSLContext | None = None

    def context(self, user: str = "", *groups: str) -> ssl.SSLContext:
        """TLS as a user with a certificate, or as nobody."""
        context = ssl.create_default_context(cafile=str(self.data_dir / "pki" / "ca.crt"))
        if user:
            pair = Pki(self.data_dir / "pki").issue(user, groups, RealClock().now())
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
            method, self.secure.url + path, ssl=tls or self.admin or True, headers=headers, **options
        ) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()
