"""kube-proxy: the kernel's rules follow Services and their endpoints.

The first pass makes the engine's table anew, whatever an earlier engine left in it; after that a script names
only what changed. A script that fails is followed by a new table, later each time. Once in a while it is
checked that nobody has flushed the table.
"""

from __future__ import annotations

import asyncio
import logging

from ktui.engine.network.nft import NetworkToolError, has_table, nft, remove_table
from ktui.engine.network.proxy.connections import forget, stale_flows
from ktui.engine.network.proxy.links import allow_hairpins, ensure_links
from ktui.engine.network.proxy.rules import base_rules, service_rules
from ktui.engine.network.proxy.ruleset import Ruleset, creation, difference, merge
from ktui.engine.network.services import ServicePort, ServiceView
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.clock import Clock
from ktui.kube.resource import ObjectKey

log = logging.getLogger(__name__)

_CHECK_SECONDS = 30.0
_RETRY_SECONDS = (0.5, 2.0, 10.0, 30.0)


class ServiceProxy:
    """Keeps the table of one engine until cancelled; the rules stay in the kernel then, for the pods that run on."""

    def __init__(self, view: ServiceView, settings: NetworkSettings, clock: Clock) -> None:
        self._view = view
        self._settings = settings
        self._clock = clock
        self._ports: dict[ObjectKey, tuple[ServicePort, ...]] = {}
        self._pieces: dict[ObjectKey, Ruleset] = {}
        self._rules: Ruleset | None = None
        """What is in the kernel; None when that is not known."""
        self._failures = 0
        self.synced = asyncio.Event()
        """Set once the rules have been in the kernel."""

    async def run(self) -> None:
        await self._view.wait_synced()
        self._rules = None
        while True:
            try:
                await self._pass()
                self._failures = 0
                self.synced.set()
                await self._wait(_CHECK_SECONDS)
            except NetworkToolError as error:
                self._rules = None
                pause = _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
                self._failures += 1
                log.error("service proxy: %s; tried again in %g s", error, pause)
                await self._clock.sleep(pause)

    async def _wait(self, seconds: float) -> None:
        """Until something changed, or the time has passed and somebody has removed the table."""
        check = asyncio.ensure_future(self._clock.sleep(seconds))
        wake = asyncio.ensure_future(self._view.wake.wait())
        try:
            await asyncio.wait((check, wake), return_when=asyncio.FIRST_COMPLETED)
        finally:
            check.cancel()
            wake.cancel()
        if not self._view.wake.is_set() and not await has_table(self._settings.table):
            log.warning("table %s was removed by somebody: it is made anew", self._settings.table)
            self._rules = None

    async def _pass(self) -> None:
        changed = self._view.take_changes()
        if self._rules is None:
            changed |= {key for key, _ in self._view.services()} | self._ports.keys()
        flows: list[tuple[str, ...]] = []
        for key in changed:
            old, new = self._ports.get(key, ()), self._view.ports(key)
            flows += stale_flows(old, new)
            self._ports[key] = new
            self._pieces[key] = merge(service_rules(port, self._settings) for port in new)
            if not new:
                del self._ports[key], self._pieces[key]
        rules = merge(piece for _, piece in sorted(self._pieces.items()))
        if self._rules is None:
            await ensure_links(self._settings)
            await nft(creation(self._settings.table, base_rules(self._settings), rules))
        else:
            await nft(difference(self._settings.table, self._rules, rules))
        self._rules = rules
        allow_hairpins(self._settings.bridge)
        await forget(flows)


async def remove_rules(settings: NetworkSettings) -> None:
    """Take the engine's table out of the kernel."""
    await remove_table(settings.table)
