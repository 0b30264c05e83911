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
        self._rules_changed = asyncio.Event()
        self._statuses_due = asyncio.Event()
        self._told: set[ObjectKey] = set()
        """Of which Ingresses it was said that they are served."""
        for informer in (self._ingresses, self._classes):
            informer.add_handler(self._on_rules)
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
                group.create_task(self._keep_statuses(), name="statuses")
                await self._keep_routes()
            finally:
                await self._proxy.drain()
                await self._proxy.close()

    def _on_rules(self, _: Delta[Object]) -> None:
        self._rules_changed.set()
        self._statuses_due.set()

    def _on_secret(self, delta: Delta[Object]) -> None:
        self._proxy.certificates.put(delta.key, delta.new)

    async def _keep_routes(self) -> None:
        while True:
            await self._rules_changed.wait()
            self._rules_changed.clear()
            self._route()

    def _route(self) -> None:
        self._proxy.router = Router(self._sorted()[0])

    def _sorted(self) -> tuple[list[Object], list[Object]]:
        """The Ingresses that are served here, and those that are not."""
        classes = self._classes.list()
        ours: list[Object] = []
        others: list[Object] = []
        for ingress in self._ingresses.list():
            (ours if is_ours(ingress, classes) else others).append(ingress)
        return ours, others

    async def _keep_statuses(self) -> None:
        while True:
            self._statuses_due.clear()
            try:
                await self._tell()
            except (StatusError, OSError, TimeoutError) as error:
                log.warning("the status of an Ingress was not written: %s", error)
                await self._clock.sleep(_RETRY_SECONDS)
                continue
            await self._statuses_due.wait()

    async def _tell(self) -> None:
        ours, others = self._sorted()
        self._told &= {ObjectKey.of(each) for each in ours}
        wanted = self._status()
        for ingress in ours:
            key = ObjectKey.of(ingress)
            if key not in self._told:
                self._say(ingress)
                self._told.add(key)
            if section(ingress, "status").get("loadBalancer") != wanted["loadBalancer"]:
                await self._write(key, wanted)
        for ingress in others:
            # It was ours: nobody else says these ports of this address.
            if section(ingress, "status").get("loadBalancer") == wanted["loadBalancer"]:
                await self._write(ObjectKey.of(ingress), {"loadBalancer": None})

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
