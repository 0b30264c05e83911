"""What a node runs for its pods' network: service proxy, DNS server, network policy, ingress.

In: a client of the cluster's API and the node's settings. Each part is supervised on its own, so that one that
fails leaves the others alone. The agent knows nothing but the API: it goes on with what it last saw while the
API is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from ktui.client.base import Client
from ktui.client.informer import Informers
from ktui.engine.network.dns.part import DnsPart
from ktui.engine.network.dns.sockets import NameSockets
from ktui.engine.network.ingress.keeper import IngressKeeper
from ktui.engine.network.notices import Notices
from ktui.engine.network.policy.part import PolicyPart
from ktui.engine.network.proxy.health_ports import HealthPorts
from ktui.engine.network.proxy.networks import ServiceNetworks
from ktui.engine.network.proxy.service_proxy import ServiceProxy
from ktui.engine.network.services import ServiceView
from ktui.engine.network.settings import NetworkSettings
from ktui.engine.network.table import Table
from ktui.engine.parts import Part, supervise
from ktui.kube.clock import Clock, RealClock

log = logging.getLogger(__name__)


class NetworkAgent:
    """One node's data plane; `run` until cancelled."""

    def __init__(
        self,
        client: Client,
        settings: NetworkSettings,
        folder: Path,
        clock: Clock | None = None,
        sockets: NameSockets | None = None,
    ) -> None:
        self.parts: list[Part] = []
        self.ready = asyncio.Event()
        """Set once every part serves what the API says."""
        self._clock = clock or RealClock()
        self._informers = Informers(client, self._clock)
        ingress = IngressKeeper(self._informers, folder)
        self._proxy: ServiceProxy | None = None
        self._tables: list[Table] = []
        self._runs: dict[str, Callable[[], Awaitable[None]]] = {"ingress": ingress.run}
        self._syncs = [ingress.settled]
        if settings.is_in_kernel:
            self._add_kernel_parts(settings, sockets)

    def _add_kernel_parts(self, settings: NetworkSettings, sockets: NameSockets | None) -> None:
        view = ServiceView(self._informers)
        networks = ServiceNetworks(self._informers, settings, view.wake)
        proxy = self._proxy = ServiceProxy(view, settings, self._clock, networks)
        names = DnsPart(view, self._informers, settings, self._clock)
        policy = PolicyPart(self._informers, settings, self._clock)
        self._tables = [proxy.table, policy.table]
        names_of_ours = (settings.table, settings.policy_table, settings.bridge, settings.anchor)
        self._runs |= {
            "notices": Notices(names_of_ours, self._suspect).run,
            "service proxy": proxy.run,
            "DNS": partial(names.run, sockets),
            "network policy": policy.run,
            "health check ports": HealthPorts(view, settings.node, self._clock).run,
        }
        self._syncs += [proxy.synced, names.serving, policy.synced]

    def _suspect(self) -> None:
        for table in self._tables:
            table.suspect.set()

    def write_anew(self) -> None:
        """The agent before has ended: what it wrote last may not be what it should be."""
        for table in self._tables:
            table.forget()

    async def without(self, address: str) -> None:
        """Return once no new connection is sent to a pod that leaves."""
        if self._proxy is not None:
            await self._proxy.without(address)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informers.run(), name="informers")
            for name, run in self._runs.items():
                part = Part(name)
                self.parts.append(part)
                group.create_task(supervise(part, run, self._clock, _tell), name=name)
            for synced in self._syncs:
                await synced.wait()
            self.ready.set()


def _tell(part: Part) -> None:
    log.error("%s failed and is started again: %s", part.name, part.last_error)
