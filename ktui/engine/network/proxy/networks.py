"""Networks of cluster IPs beside the cluster's first one: routed to the pods' bridge, and refused where no Service answers.

In: the ServiceCIDRs. Out: elements of the service proxy's table, and routes. What the host reaches by another way
is left alone: a network that meets such a route is not served, and the log says so.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Iterable, Iterator

import msgspec
from lightkube.models.networking_v1 import ServiceCIDR

from ktui.client.informer import Informers
from ktui.engine.network.nft import run
from ktui.engine.network.ruleset import Ruleset
from ktui.engine.network.settings import NetworkSettings
from ktui.kube.kinds import SERVICE_CIDRS

log = logging.getLogger(__name__)

_Network = ipaddress.IPv4Network


class _Route(msgspec.Struct, frozen=True):
    dst: str
    dev: str = ""


class ServiceNetworks:
    """Follows the ServiceCIDRs; `wake` is set when there is something to follow."""

    def __init__(self, informers: Informers, settings: NetworkSettings, wake: asyncio.Event) -> None:
        self._settings = settings
        self._cidrs = informers.of(SERVICE_CIDRS, ServiceCIDR)
        self._wake = wake
        self._is_routed = False
        self._served: tuple[_Network, ...] = ()
        self._cidrs.add_handler(lambda _: self._changed())

    def _changed(self) -> None:
        self._is_routed = False
        self._wake.set()

    async def wait_synced(self) -> None:
        await self._cidrs.wait_synced()

    def rules(self) -> Ruleset:
        """What new connections are refused to, where no Service has the address."""
        return Ruleset(elements={("service-networks", str(network)): "" for network in self._served})

    async def route(self, *, anew: bool = False) -> None:
        """Make the routes to the bridge what they should be, also when it is a new one. Raises NetworkToolError."""
        if anew:
            self._is_routed = False
        # Again when one comes meanwhile: whoever calls this has been woken for it.
        while not self._is_routed:
            self._is_routed = True
            try:
                await self._route()
            except BaseException:
                self._is_routed = False
                raise

    async def _route(self) -> None:
        bridge, gateway = self._settings.bridge, self._settings.gateway
        first = {_Network(self._settings.service_cidr), _Network(self._settings.pod_cidr)}
        routes = list(_routes(await run("ip", "-j", "-4", "route", "show")))
        there = {network for network, device in routes if device == bridge} - first
        taken = [network for network, device in routes if device != bridge]
        self._served = tuple(self._wanted([*taken, _Network(self._settings.pod_cidr)]))
        for network in there.difference(self._served):
            await run("ip", "route", "delete", str(network), "dev", bridge)
        for network in self._served:
            if network not in there:
                await run("ip", "route", "add", str(network), "dev", bridge, "src", gateway)

    def _wanted(self, taken: Iterable[_Network]) -> Iterator[_Network]:
        """The networks to serve, without the cluster's first one."""
        first, taken = _Network(self._settings.service_cidr), tuple(taken)
        for network in ipaddress.collapse_addresses(self._networks()):
            if network.subnet_of(first):
                continue
            if met := [each for each in taken if each.overlaps(network)]:
                log.error("ServiceCIDR %s is not served: the host reaches %s by another way", network, met[0])
                continue
            yield network

    def _networks(self) -> Iterator[_Network]:
        for cidr in self._cidrs.list():
            for text in (cidr.spec and cidr.spec.cidrs) or ():
                if ":" not in text:
                    yield _Network(text, strict=False)


def _routes(listing: str) -> Iterator[tuple[_Network, str]]:
    for route in msgspec.json.decode(listing or "[]", type=list[_Route]):
        if route.dst != "default":
            yield _Network(route.dst), route.dev
