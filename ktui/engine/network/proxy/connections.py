"""UDP flows that must be forgotten: the kernel would go on sending them to an endpoint that has left.

A TCP connection ends with its endpoint; a UDP flow is only what conntrack remembers of it, for as long as
the client keeps sending. So the kernel's flows are compared with where Services lead now, as kube-proxy does:
after a change, and when the proxy starts and does not know what changed before.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from ktui.engine.network.nft import NetworkToolError, run
from ktui.engine.network.services import ServicePort

log = logging.getLogger(__name__)

_FLOW = re.compile(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")


class Flow(NamedTuple):
    """A flow to a Service's address, and which endpoint it goes to."""

    address: str
    port: int
    endpoint: str
    """The address itself where nobody has translated it."""
    endpoint_port: int


def read_flows(listing: str) -> Iterator[Flow]:
    """The flows in what `conntrack -L` prints."""
    for line in listing.splitlines():
        match _FLOW.findall(line):
            case [(_, address, _, port), (endpoint, _, endpoint_port, _)]:
                yield Flow(address, int(port), endpoint, int(endpoint_port))
            case _:
                pass


def stale_flows(
    flows: Iterable[Flow], old: Iterable[ServicePort], new: Iterable[ServicePort], hosts: Iterable[str]
) -> set[Flow]:
    """Of the flows to what Services had or have, those that lead elsewhere now. `hosts`: where node ports answer."""
    wanted: dict[tuple[str, int], set[tuple[str, int]]] = {}
    hosts = tuple(hosts)
    for port in old:
        for destination in _destinations(port, hosts):
            wanted.setdefault(destination, set())
    for port in new:
        for destination in _destinations(port, hosts):
            wanted.setdefault(destination, set()).update((each.address, each.port) for each in port.endpoints)
    return {
        flow
        for flow in flows
        if (allowed := wanted.get((flow.address, flow.port))) is not None
        and (flow.endpoint, flow.endpoint_port) not in allowed
    }


def _destinations(port: ServicePort, hosts: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    if port.protocol != "udp":
        return
    for address in (*port.cluster_ips, *port.external_ips, *port.load_balancer_ips):
        yield address, port.port
    if port.node_port:
        for host in hosts:
            yield host, port.node_port


async def forget_stale(old: Iterable[ServicePort], new: Iterable[ServicePort]) -> None:
    """Delete the flows; where that is not possible it is logged, and they end by their time-out."""
    old, new = ([port for port in ports if port.protocol == "udp"] for ports in (old, new))
    if not old and not new:
        return
    try:
        flows = read_flows(await run("conntrack", "-L", "-p", "udp"))
        for flow in stale_flows(flows, old, new, await _host_addresses()):
            await _forget(flow)
    except NetworkToolError as error:
        log.warning("stale UDP flows stay until they time out: %s", error)


async def _forget(flow: Flow) -> None:
    to_service = ("--orig-dst", flow.address, "--orig-port-dst", str(flow.port))
    to_endpoint = ("--reply-src", flow.endpoint, "--reply-port-src", str(flow.endpoint_port))
    try:
        await run("conntrack", "-D", "-p", "udp", *to_service, *to_endpoint)
    except NetworkToolError as error:
        # One that has ended meanwhile.
        if "0 flow entries" not in str(error):
            raise


async def _host_addresses() -> list[str]:
    links = msgspec.json.decode(await run("ip", "-4", "-j", "address"), type=list[_Link])
    return [address.local for link in links for address in link.addr_info]


class _Address(msgspec.Struct):
    local: str = ""


class _Link(msgspec.Struct):
    addr_info: list[_Address] = []
