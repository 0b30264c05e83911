"""kube-proxy: the kernel's rules follow Services and their endpoints."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator

from ktui.engine.network.follow import follow
from ktui.engine.network.proxy.connections import forget_stale
from ktui.engine.network.proxy.links import allow_hairpins, are_whole, ensure_links
from ktui.engine.network.proxy.networks import ServiceNetworks
from ktui.engine.network.proxy.rules import age, base_rules, service_rules
from ktui.engine.network.ruleset import Ruleset, merge
from ktui.engine.network.services import ServicePort, ServiceView
from ktui.engine.network.settings import NetworkSettings
from ktui.engine.network.table import Table
from ktui.kube.clock import Clock
from ktui.kube.resource import ObjectKey


class ServiceProxy:
    """Keeps the table of one engine until cancelled; the rules stay in the kernel then, for the pods that run on."""

    def __init__(
        self,
        view: ServiceView,
        settings: NetworkSettings,
        clock: Clock,
        networks: ServiceNetworks | None = None,
    ) -> None:
        self._view = view
        self._networks = networks
        self._settings = settings
        self._clock = clock
        self.table = Table(settings.table, base_rules(settings))
        self._ports: dict[ObjectKey, tuple[ServicePort, ...]] = {}
        self._pieces: dict[ObjectKey, Ruleset] = {}
        self._ready: Counter[str] = Counter()
        """How many service ports send new connections to an address."""
        self._applied = asyncio.Event()
        self.synced = asyncio.Event()
        """Set once the rules have been in the kernel."""

    async def run(self) -> None:
        await self._view.wait_synced()
        if self._networks is not None:
            await self._networks.wait_synced()
        await follow(self.table, self._view.wake, self._pass, self.synced, self._clock, self._check)

    async def without(self, address: str) -> None:
        """Return once no new connection is sent to an address, but where no other endpoint is left."""
        while self._ready[address]:
            self._applied.clear()
            await self._applied.wait()

    async def _check(self) -> bool:
        if not are_whole(self._settings):
            # The route to Services went with the bridge.
            self.table.forget()
            return False
        return await self.table.check()

    async def _pass(self) -> None:
        is_anew = not self.table.is_known
        if is_anew:
            await ensure_links(self._settings)
        if self._networks is not None:
            await self._networks.route(anew=is_anew)
        changed = self._view.take_changes()
        if is_anew:
            changed |= {key for key, _ in self._view.services()} | self._ports.keys()
        before: list[ServicePort] = []
        after: list[ServicePort] = []
        ready = self._ready.copy()
        for key in changed:
            old, new = self._ports.pop(key, ()), self._view.ports(key)
            before += old
            after += new
            ready.subtract(_ready_addresses(old))
            ready.update(_ready_addresses(new))
            self._pieces.pop(key, None)
            if new:
                self._ports[key] = new
                self._pieces[key] = merge(service_rules(port, self._settings) for port in new)
        ordered = sorted(self._pieces, key=lambda key: age(self._ports[key][0]))
        pieces = [self._pieces[key] for key in ordered]
        if self._networks is not None:
            pieces.append(self._networks.rules())
        await self.table.apply(merge(pieces))
        self._ready = +ready
        self._applied.set()
        allow_hairpins(self._settings.bridge)
        await forget_stale(before, after)


def _ready_addresses(ports: Iterable[ServicePort]) -> Iterator[str]:
    return (endpoint.address for port in ports for endpoint in port.endpoints if endpoint.is_ready)
