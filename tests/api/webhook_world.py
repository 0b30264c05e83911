"""A server with webhooks to ask, and a client of it who hears warnings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from admission_objects import configuration, webhook
from api_objects import config_map
from webhook_server import WebhookServer

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import Store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS

KINDS = {"Validating": VALIDATING_WEBHOOK_CONFIGURATIONS, "Mutating": MUTATING_WEBHOOK_CONFIGURATIONS}


class World:
    """A server, a webhook server, and a client who hears warnings."""

    def __init__(self, server: ApiServer, hooks: WebhookServer) -> None:
        self.server = server
        self.hooks = hooks
        self.warnings: list[str] = []
        self.client = LocalClient(server, "alice", manager="kubectl", on_warning=self.warnings.append)

    async def configure(self, path: str = "x", kind: str = "Validating", name: str = "hooks", **more) -> None:
        """One webhook at a path of the webhook server."""
        hook = webhook(name=f"{path}.hooks.test", clientConfig=self.hooks.config(path), **more)
        await self.client.create(KINDS[kind], configuration(hook, kind=kind, name=name))

    async def refusal(self, obj=None, kind=CONFIG_MAPS, **options) -> StatusError:
        with pytest.raises(StatusError) as error:
            await self.client.create(kind, obj or config_map("c"), **options)
        return error.value

    @property
    def asked(self) -> list[str]:
        return [path for path, _ in self.hooks.asked]


@asynccontextmanager
async def webhook_world(store: Store, clock: FakeClock, folder: Path) -> AsyncIterator[World]:
    """Everything started, and ended."""
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    hooks = WebhookServer()
    await hooks.start(folder)
    try:
        yield World(server, hooks)
    finally:
        await server.webhooks.close()
        await hooks.stop()
