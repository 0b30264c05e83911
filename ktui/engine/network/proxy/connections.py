"""UDP flows that must be forgotten: the kernel would go on sending them to an endpoint that has left.

A TCP connection ends with its endpoint; a UDP flow is only what conntrack remembers of it, for as long as
the client keeps sending.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from ktui.engine.network.nft import NetworkToolError, run
from ktui.engine.network.services import ServicePort

log = logging.getLogger(__name__)


def stale_flows(old: Iterable[ServicePort], new: Iterable[ServicePort]) -> Iterator[tuple[str, ...]]:
    """conntrack's arguments for what to forget when a Service's ports change."""
    now = {(port.name, port.port): port for port in new if port.protocol == "udp"}
    before = {(port.name, port.port): port for port in old if port.protocol == "udp"}
    for key in before.keys() | now.keys():
        was, is_now = before.get(key), now.get(key)
        left = set(was.endpoints if was else ()) - set(is_now.endpoints if is_now else ())
        began = is_now is not None and is_now.endpoints and (was is None or not was.endpoints)
        for port in (was,) if was is not None else ():
            for endpoint in left:
                for match in _destinations(port):
                    yield (*match, "--dst-nat", endpoint.address)
        for match in _destinations(is_now) if is_now is not None and began else ():
            yield match


def _destinations(port: ServicePort) -> Iterator[tuple[str, ...]]:
    for address in (*port.cluster_ips, *port.external_ips, *port.load_balancer_ips):
        yield ("--orig-dst", address, "--orig-port-dst", str(port.port))
    if port.node_port:
        yield ("--orig-port-dst", str(port.node_port))


async def forget(flows: Iterable[tuple[str, ...]]) -> None:
    """Delete the flows; where that is not possible it is logged, and they end by their time-out."""
    for match in flows:
        try:
            await run("conntrack", "-D", "-p", "udp", *match)
        except NetworkToolError as error:
            if "0 flow entries" not in str(error):
                log.warning("stale UDP flows stay until they time out: %s", error)
                return
