"""The DNS server as a part of the network agent: listens once the zone is known, follows its settings.

As in kube-dns, the ConfigMap kube-system/kube-dns may name other resolvers: `upstreamNameservers` (a JSON list)
instead of the host's, `stubDomains` (a JSON object from domain to a list) for some domains.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from ktui.client.informer import Delta, Informer, Informers
from ktui.engine.network.dns.server import DnsServer
from ktui.engine.network.dns.sockets import NameSockets
from ktui.engine.network.dns.upstream import Server, Upstream
from ktui.engine.network.dns.zone import Zone
from ktui.engine.network.services import ServiceView
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.clock import Clock
from ktui.kube.kinds import CONFIG_MAPS
from ktui.kube.resource import Object, ObjectKey

log = logging.getLogger(__name__)

_PORT = 53
_SETTINGS = ObjectKey("kube-system", "kube-dns")


class DnsPart:
    """Answers the pods' questions until cancelled."""

    def __init__(
        self, view: ServiceView, informers: Informers, settings: NetworkSettings, clock: Clock
    ) -> None:
        self._settings = settings
        self._zone = Zone(view, informers, settings)
        self._upstream = Upstream(clock, Server((settings.gateway, _PORT)))
        self._server = DnsServer(self._zone, self._upstream)
        self._config: Informer[Object] = Informer(
            informers.client,
            CONFIG_MAPS,
            dict[str, Any],
            namespace=_SETTINGS.namespace,
            field_selector=f"metadata.name={_SETTINGS.name}",
            clock=clock,
        )
        self._config.add_handler(self._on_config)
        view.on_change(self._server.forget)
        self._zone.on_change(self._server.forget)
        self.serving = asyncio.Event()
        """Set once questions are answered."""

    async def run(self, sockets: NameSockets | None = None) -> None:
        """On sockets that somebody keeps, or on its own."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._config.run(), name="DNS settings")
            await self._zone.wait_synced()
            try:
                await self._server.start(self._settings.gateway, _PORT, sockets)
                self.serving.set()
                await self._upstream.run()
            finally:
                await self._server.close()

    def _on_config(self, delta: Delta[Object]) -> None:
        data: Object = (delta.new or {}).get("data") or {}
        try:
            servers = msgspec.json.decode(data.get("upstreamNameservers") or "[]", type=list[str])
            stubs = msgspec.json.decode(data.get("stubDomains") or "{}", type=dict[str, list[str]])
            self._upstream.configure(servers, stubs)
        except (msgspec.MsgspecError, ValueError) as error:
            log.error("ConfigMap %s: %s; the settings before it stay", _SETTINGS, error)
