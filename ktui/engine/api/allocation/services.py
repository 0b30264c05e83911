"""Cluster IPs from the service networks, node ports from 30000-32767: one stock for all services.

A claim works out what a new or changed Service needs, with Kubernetes' rules and messages; addresses and ports
asked for by name come first, others are picked at random from the upper part of a range, so that the lower
part stays for those who ask. A dry run picks what it would get and takes nothing. Networks are those of the
ServiceCIDRs that are ready, as the store has them at that moment: the cluster's first one, then others by name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Self

from ktui.engine.api.allocation.families import node_ports_of, with_families
from ktui.engine.api.allocation.holdings import Holdings, Item, Items
from ktui.engine.api.allocation.service_range import ready_networks, stored_range
from ktui.engine.api.documents import decode
from ktui.engine.api.validation.fields import invalid
from ktui.engine.store.base import Entry, Key, Store
from ktui.kube import errors
from ktui.kube.data import section
from ktui.kube.errors import StatusError, internal
from ktui.kube.kinds import IP_ADDRESSES, SERVICES
from ktui.kube.resource import Object
from ktui.kube.service import (
    NODE_PORTS,
    cluster_ips,
    is_headless,
    needs_health_check,
    needs_node_ports,
    ports_of,
    type_of,
)

log = logging.getLogger(__name__)

_TRIES: Final = 32
"""Random picks before a range is searched from its start."""


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `first` to `last`; those below `dynamic` are picked last."""

    kind: str
    first: int
    last: int
    dynamic: int


def address_range(network: ipaddress.IPv4Network) -> Range:
    """All addresses of a network but its first and its last."""
    first, last = int(network[0]) + 1, int(network[-1]) - 1
    reserved = min(max(16, network.num_addresses // 16), 256)
    return Range("ip", first, last, first + reserved if first + reserved <= last else first)


def port_range() -> Range:
    first, last = NODE_PORTS
    reserved = min(max(16, (last - first + 1) // 32), 128)
    return Range("port", first, last, first + reserved)


class ServiceStock:
    """Addresses and ports of all services of one store."""

    def __init__(
        self, network: ipaddress.IPv4Network, store: Store | None = None, dice: random.Random | None = None
    ) -> None:
        self.network = network
        self.holdings = Holdings()
        self._store = store
        self._ports = port_range()
        self._dice = dice or random.Random()

    @classmethod
    def of(cls, store: Store, network: str) -> ServiceStock:
        """With what the stored services have, of the network that the store's cluster has; `network` if none."""
        stock = cls(ipaddress.IPv4Network(stored_range(store) or network), store)
        stock._load(store)
        return stock

    def _load(self, store: Store) -> None:
        for entry in store.list(SERVICES.key).entries:
            held = items_of(decode(entry.data))
            if taken := [item for item in held if not self.holdings.is_free(item, entry.key)]:
                log.warning("%s shares %s with another service", entry.key, _shown(taken))
            self.holdings.store(entry.key, entry.revision, held)

    def claim(self, key: Key, new: Object, old: Object | None, *, dry_run: bool) -> ServiceClaim:
        """Allocate for a new Service or a change of one. Raises Invalid, or InternalError when all are taken."""
        picking = Picking(self, key, str(section(new, "metadata").get("name") or ""))
        service = with_families(new, old)
        service = picking.cluster_ip(service, old)
        service = picking.node_ports(service, old)
        items = frozenset[Item]() if dry_run else frozenset(picking.taken)
        return ServiceClaim(self.holdings, key, service, items)

    def released(self, entry: Entry) -> None:
        """A Service is gone."""
        self.holdings.store(entry.key, entry.revision, frozenset())

    def pick(self, numbers: Range, key: Key, besides: set[Item]) -> int | None:
        """Any number that is free; None when all are taken."""
        if numbers.first > numbers.last:
            return None
        for low in (numbers.dynamic, numbers.first):
            for _ in range(_TRIES):
                number = self._dice.randint(low, numbers.last)
                if self._is_free(Item(numbers.kind, number), key, besides):
                    return number
        ordered = (*range(numbers.dynamic, numbers.last + 1), *range(numbers.first, numbers.dynamic))
        return next((n for n in ordered if self._is_free(Item(numbers.kind, n), key, besides)), None)

    def _is_free(self, item: Item, key: Key, besides: set[Item]) -> bool:
        return item not in besides and item not in self.holdings.holds(key) and self.is_available(item, key)

    def is_available(self, item: Item, key: Key) -> bool:
        """Whether nobody else has it or keeps it."""
        return self.holdings.is_free(item, key) and not self._is_kept(item, key)

    def _is_kept(self, item: Item, key: Key) -> bool:
        """Whether an IPAddress keeps it for something else."""
        if item.kind != "ip" or self._store is None:
            return False
        kept = self._store.get(Key(IP_ADDRESSES.key, "", str(ipaddress.IPv4Address(item.number))))
        parent = section(decode(kept.data), "spec", "parentRef") if kept else None
        own = {"group": "", "resource": SERVICES.plural, "namespace": key.namespace, "name": key.name}
        return parent is not None and {**parent, "group": parent.get("group") or ""} != own

    def networks(self) -> list[ipaddress.IPv4Network]:
        """Where addresses come from now, in the order in which they are asked."""
        found = ready_networks(self._store) if self._store is not None else None
        return [self.network] if found is None else found

    @property
    def ports(self) -> Range:
        return self._ports


def items_of(service: Object) -> Items:
    """What a Service holds."""
    found = [Item("port", port) for port in node_ports_of(service)]
    if type_of(service) != "ExternalName":
        found += [Item("ip", int(ip)) for text in cluster_ips(service) if (ip := _address(text))]
    return frozenset(found)


def _address(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None


def _shown(items: list[Item]) -> str:
    return ", ".join(
        str(ipaddress.IPv4Address(item.number)) if item.kind == "ip" else f"port {item.number}"
        for item in items
    )


class Picking:
    """One Service's way through the stock."""

    def __init__(self, stock: ServiceStock, key: Key, name: str) -> None:
        self.taken: set[Item] = set()
        self._stock = stock
        self._key = key
        self._name = name

    def cluster_ip(self, service: Object, old: Object | None) -> Object:
        """The Service with its cluster IP, unless it has or wants none; one that it had stays its own."""
        if type_of(service) == "ExternalName" or is_headless(service):
            return service
        if old is not None and type_of(old) != "ExternalName":
            return service
        asked = cluster_ips(service)
        if asked and asked[0]:
            self._take_address(asked)
            return service
        ranges = map(address_range, self._stock.networks())
        picks = (self._stock.pick(each, self._key, self.taken) for each in ranges)
        number = next((picked for picked in picks if picked is not None), None)
        if number is None:
            raise internal("failed to allocate a serviceIP: range is full")
        self.taken.add(Item("ip", number))
        address = str(ipaddress.IPv4Address(number))
        spec = {**section(service, "spec"), "clusterIP": address, "clusterIPs": [address]}
        return {**service, "spec": spec}

    def _take_address(self, asked: list[str]) -> None:
        text = asked[0]
        address, networks = _address(text), self._stock.networks()
        ranges = [address_range(network) for network in networks]
        if address is None or not any(each.first <= int(address) <= each.last for each in ranges):
            why = (
                f"the provided IP ({text}) is not in the valid range. The range of valid IPs is "
                f"{', '.join(map(str, networks))}"
            )
        elif not self._stock.is_available(Item("ip", int(address)), self._key):
            why = "provided IP is already allocated"
        else:
            self.taken.add(Item("ip", int(address)))
            return
        raise self._invalid("spec.clusterIPs", asked, f"failed to allocate IP {text}: {why}")

    def node_ports(self, service: Object, old: Object | None) -> Object:
        """The Service with its node ports, that for health checks as well."""
        spec = {**section(service, "spec")}
        if type_of(service) in ("NodePort", "LoadBalancer") and spec.get("ports"):
            spec["ports"] = self._service_ports(service, old)
        if needs_health_check(service):
            asked = spec.get("healthCheckNodePort") or 0
            if not asked:
                spec["healthCheckNodePort"] = self._any_port("HealthCheck NodePort")
            elif old is None or asked not in node_ports_of(old):
                at = "spec.healthCheckNodePort"
                why = f"failed to allocate requested HealthCheck NodePort {asked}: "
                self._take_port(at, asked, why)
        return {**service, "spec": spec}

    def _service_ports(self, service: Object, old: Object | None) -> list[Object]:
        """Ports of one number (TCP and UDP) share a node port."""
        given = ports_of(service)
        had = node_ports_of(old) if old is not None else []
        by_port: dict[int, int] = {}
        for index, port in enumerate(given):
            asked = port.get("nodePort") or 0
            if not asked:
                continue
            if asked not in had and Item("port", asked) not in self.taken:
                self._take_port(f"spec.ports[{index}].nodePort", asked)
            by_port.setdefault(port.get("port") or 0, asked)
        used = {(port.get("protocol"), port.get("nodePort")) for port in given if port.get("nodePort")}
        ports: list[Object] = []
        for port in given:
            if not port.get("nodePort") and needs_node_ports(service):
                shared = by_port.get(port.get("port") or 0)
                if shared is None or (port.get("protocol"), shared) in used:
                    shared = self._any_port("nodePort")
                    by_port.setdefault(port.get("port") or 0, shared)
                used.add((port.get("protocol"), shared))
                port = {**port, "nodePort": shared}
            ports.append(port)
        return ports

    def _any_port(self, what: str) -> int:
        number = self._stock.pick(self._stock.ports, self._key, self.taken)
        if number is None:
            raise internal(f"failed to allocate a {what}: range is full")
        self.taken.add(Item("port", number))
        return number

    def _take_port(self, path: str, number: int, before: str = "") -> None:
        first, last = NODE_PORTS
        if not first <= number <= last:
            why = f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
        elif not self._stock.holdings.is_free(Item("port", number), self._key):
            why = "provided port is already allocated"
        else:
            self.taken.add(Item("port", number))
            return
        raise self._invalid(path, number, before + why)

    def _invalid(self, path: str, value: object, why: str) -> StatusError:
        return errors.invalid(SERVICES, self._name, [invalid(path, value, why)])


class ServiceClaim:
    """What one write of a Service took."""

    def __init__(self, holdings: Holdings, key: Key, service: Object, items: Items) -> None:
        self.object = service
        self._holdings = holdings
        self._key = key
        self._items = items
        self._is_open = True
        holdings.claim(key, items)

    async def settle(self, write: Awaitable[Entry]) -> Entry:
        """Wait for the write; when the caller is cancelled, the write still decides what the Service holds."""
        self._is_open = False
        task = asyncio.ensure_future(write)
        task.add_done_callback(self._written)
        return await asyncio.shield(task)

    def _written(self, task: asyncio.Future[Entry]) -> None:
        if not task.cancelled() and task.exception() is None:
            entry = task.result()
            self._holdings.store(entry.key, entry.revision, items_of(decode(entry.data)))
        self._holdings.end_claim(self._key, self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._is_open:
            self._is_open = False
            self._holdings.end_claim(self._key, self._items)
