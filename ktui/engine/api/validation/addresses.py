"""Rules for addresses and ports: of services, endpoints, policies and ingresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Any, Final

from ktui.engine.api.validation.fields import each_invalid, invalid, required
from ktui.kube import names
from ktui.kube.errors import Cause

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CIDR: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_SPECIAL: Final = (
    ("is_loopback", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
    ("is_link_local", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
)
_LINK_MULTICAST: Final = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))


def address_of(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def network_of(text: str) -> Network | None:
    """A range in CIDR notation; bits below the prefix may be set."""
    if not text.rpartition("/")[2].isdecimal() or "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def check_ip(path: str, text: str) -> list[Cause]:
    return each_invalid(path, text, names.ip_address(text))


def check_cidr(path: str, text: str, known: Collection[str] = ()) -> list[Cause]:
    """What was there before (`known`) is not asked about again."""
    return [] if text in known or network_of(text) else [invalid(path, text, _CIDR)]


def check_reachable(path: str, text: str) -> list[Cause]:
    """An address that traffic can be sent to: not unspecified, loopback or link-local."""
    found = address_of(text)
    if found is None:
        return [invalid(path, text, "must be a valid IP address")]
    causes = [invalid(path, text, why) for test, why in _SPECIAL if getattr(found, test)]
    if found.is_unspecified:
        causes.insert(0, invalid(path, text, f"may not be unspecified ({text})"))
    if any(found in network for network in _LINK_MULTICAST):
        why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        causes.append(invalid(path, text, why))
    return causes


def check_port(path: str, number: int) -> list[Cause]:
    return each_invalid(path, number, names.port_number(number))


def check_port_or_name(path: str, port: Any) -> list[Cause]:
    """A number, or the name of a container's port."""
    if isinstance(port, int):
        return check_port(path, port)
    return each_invalid(path, port, names.port_name(port)) if port else [required(path)]
