"""The pods' bridge and the way to Services' addresses.

Podman makes the bridge with the first container and removes it with the last; with it would go the address
that DNS answers on. So it is made here first, and an idle interface of ours in it keeps it. Services' addresses
are routed to the bridge: their packets are rewritten or refused on the way, and without the route they would
take the default one and leave for the network outside.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from pathlib import Path

from ktui.engine.network.nft import NetworkToolError, run
from ktui.engine.network.settings import NetworkSettings


async def ensure_links(settings: NetworkSettings) -> None:
    """Make what is not there. Raises NetworkToolError."""
    bridge, anchor = settings.bridge, settings.anchor
    if not _exists(bridge):
        await run("ip", "link", "add", bridge, "type", "bridge")
    prefix = ipaddress.ip_network(settings.pod_cidr).prefixlen
    await run("ip", "address", "replace", f"{settings.gateway}/{prefix}", "dev", bridge)
    await run("ip", "link", "set", bridge, "up")
    if not _exists(anchor):
        await run("ip", "link", "add", anchor, "type", "veth", "peer", "name", settings.anchor_peer)
    await run("ip", "link", "set", anchor, "master", bridge, "up")
    await run("ip", "link", "set", settings.anchor_peer, "up")
    await run("ip", "route", "replace", settings.service_cidr, "dev", bridge, "src", settings.gateway)
    _allow_loopback_sources(bridge)


def are_whole(settings: NetworkSettings) -> bool:
    """Whether the bridge is there, and what keeps it."""
    return Path("/sys/class/net", settings.bridge, "brif", settings.anchor).exists()


async def remove_links(settings: NetworkSettings) -> None:
    """Remove what is there, once no container uses it; the routes go with the bridge."""
    for link in (settings.anchor, settings.bridge):
        if _exists(link):
            await run("ip", "link", "delete", link)


def allow_hairpins(bridge: str) -> None:
    """Let a pod's packets come back to it, which its Service may ask for: bridged, they go out where they came in."""
    for port in Path("/sys/class/net", bridge, "brif").glob("*/hairpin_mode"):
        with suppress(FileNotFoundError):
            if port.read_text() != "1\n":
                port.write_text("1")


def _exists(link: str) -> bool:
    return Path("/sys/class/net", link).exists()


def _allow_loopback_sources(bridge: str) -> None:
    """What comes to a node port by the loopback address may go to the bridge; the rules drop the way back in."""
    try:
        Path("/proc/sys/net/ipv4/conf", bridge, "route_localnet").write_text("1")
    except OSError as error:
        raise NetworkToolError(f"node ports can't be reached by 127.0.0.1: {error}") from None
