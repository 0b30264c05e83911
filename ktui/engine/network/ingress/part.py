"""The ingress controller: the proxy follows Ingresses, their classes, Services and certificates.

Every Ingress that is served gets the node's address in its status, with the ports where it answers, and an
event that says so.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from ktui.client.base import Client, PatchType
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informer, Informers
from ktui.engine.network.ingress.balancer import Balancer
from ktui.engine.network.ingress.ports import USUAL, bound_pair
from ktui.engine.network.ingress.proxy import IngressProxy
from ktui.engine.network.ingress.routes import Router, is_ours
from ktui.engine.network.services import ServiceView
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.clock import Clock
from ktui.kube.data import section
from ktui.kube.errors import StatusError
from ktui.kube.kinds import INGRESS_CLASSES, INGRESSES, SECRETS
from ktui.kube.resource import Object, ObjectKey

log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0


class IngressPart:
    """Serves until cancelled."""

    def __init__(self, client: Client, settings: NetworkSettings, folder: Path, clock: Clock) -> None:
        self.serving = asyncio.Event()
        """Set once requests are routed."""
        self._client = client
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._informers = Informers(client, clock)
        self._view = ServiceView(self._informers)
        self._ingresses: Informer[Object] = self._informers.of(INGRESSES, dict[str, Any])
        self._classes: Informer[Object] = self._informers.of(INGRESS_CLASSES, dict[str, Any])
        self._secrets: Informer[Object] = Informer(
            client, SECRETS, dict[str, Any], field_selector="type=kubernetes.io/tls", clock=clock
        )
        self._recorder = EventRecorder(client, "ktui-ingress", clock=clock)
        self._proxy = IngressProxy(
            Balancer(self._view, through_node=not settings.is_in_kernel), settings.dial_socket
        )
        self._changed = asyncio.Event()
        self._told: set[ObjectKey] = set()
        """Of which Ingresses it was said that they are served."""
        for informer in (self._ingresses, self._classes):
            informer.add_handler(lambda _: self._changed.set())
        self._secrets.add_handler(self._on_secret)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informers.run(), name="informers")
            group.create_task(self._secrets.run(), name="certificates")
            group.create_task(self._recorder.run(), name="events")
            for informer in (self._ingresses, self._classes, self._secrets):
                await informer.wait_synced()
            await self._view.wait_synced()
            self._route()
            await self._proxy.listen(*bound_pair(self._folder))
            log.info("ingress answers on ports %d and %d", *self._proxy.ports)
            group.create_task(self._proxy.run(), name="timeouts")
            try:
                self.serving.set()
                await self._follow()
            finally:
                await self._proxy.drain()
                await self._proxy.close()

    def _on_secret(self, delta: Delta[Object]) -> None:
        self._proxy.certificates.put(delta.key, delta.new)

    async def _follow(self) -> None:
        while True:
            self._changed.clear()
            served = self._route()
            try:
                await self._tell(served)
            except StatusError as error:
                log.warning("the status of an Ingress was not written: %s", error)
                await self._clock.sleep(_RETRY_SECONDS)
                continue
            await self._changed.wait()

    def _route(self) -> list[Object]:
        classes = self._classes.list()
        served = [each for each in self._ingresses.list() if is_ours(each, classes)]
        self._proxy.router = Router(served)
        return served

    async def _tell(self, served: list[Object]) -> None:
        self._told &= {ObjectKey.of(each) for each in served}
        wanted = self._status()
        for ingress in served:
            key = ObjectKey.of(ingress)
            if key not in self._told:
                self._say(ingress)
                self._told.add(key)
            if section(ingress, "status").get("loadBalancer") != wanted["loadBalancer"]:
                await self._write(key, wanted)

    async def _write(self, key: ObjectKey, wanted: Object) -> None:
        try:
            await self._client.patch(
                INGRESSES,
                key.name,
                {"status": wanted},
                key.namespace,
                patch_type=PatchType.MERGE,
                subresource="status",
            )
        except StatusError as error:
            if not error.is_not_found:
                raise

    def _status(self) -> Object:
        ports = [{"port": port, "protocol": "TCP"} for port in self._proxy.ports]
        return {"loadBalancer": {"ingress": [{"ip": self._settings.host_address, "ports": ports}]}}

    def _say(self, ingress: Object) -> None:
        plain, secure = self._proxy.ports
        message = f"Served on port {plain} (HTTP) and {secure} (HTTPS) of {self._settings.host_address}"
        if (plain, secure) != USUAL:
            message += "; ports 80 and 443 are taken or not allowed"
        self._recorder.event(ingress, "Normal", "Serving", message)
