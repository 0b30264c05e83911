"""Rules for a NetworkPolicy: selectors, peers, address ranges and ports."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.validation.addresses import check_cidr, check_port, network_of
from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    invalid,
    one_of,
    required,
)
from ktui.engine.api.validation.metadata import check_metadata
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_TYPES: Final = ("Ingress", "Egress")
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")


def validate_policy(policy: Object) -> list[Cause]:
    spec = section(policy, "spec")
    causes = check_metadata(policy, namespaced=True)
    causes += check_label_selector(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(items(spec, direction)):
            at = f"spec.{direction}[{index}]"
            for position, port in enumerate(items(rule, "ports")):
                causes += _port(port, f"{at}.ports[{position}]")
            for position, peer in enumerate(items(rule, peers)):
                causes += _peer(peer, f"{at}.{peers}[{position}]")
    types = strings(spec, "policyTypes")
    if len(types) > len(_TYPES):
        why = "may not specify more than two policyTypes"
        return [*causes, invalid("spec.policyTypes", types, why)]
    for index, kind in enumerate(types):
        causes += one_of(f"spec.policyTypes[{index}]", kind, _TYPES)
    return causes


def _port(port: Object, at: str) -> list[Cause]:
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    causes = [] if protocol is None else one_of(f"{at}.protocol", protocol, _PROTOCOLS)
    if number is None:
        if end is not None:
            causes.append(invalid(f"{at}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(number, int):
        causes += check_port(f"{at}.port", number)
        if end is not None:
            if end < number:
                causes.append(invalid(f"{at}.endPort", end, "must be greater than or equal to `port`"))
            causes += check_port(f"{at}.endPort", end)
    else:
        if end is not None:
            why = "may not be specified when `port` is non-numeric"
            causes.append(invalid(f"{at}.endPort", end, why))
        causes += each_invalid(f"{at}.port", number, names.port_name(number))
    return causes


def _peer(peer: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(name) is not None]
    for name in given:
        if name != "ipBlock":
            causes += check_label_selector(peer[name], f"{at}.{name}")
        else:
            causes += _block(peer[name], f"{at}.{name}")
    if not given:
        causes.append(required(at, "must specify a peer"))
    elif len(given) > 1 and "ipBlock" in given:
        causes.append(forbidden(at, "may not specify both ipBlock and another peer"))
    return causes


def _block(block: Object, at: str) -> list[Cause]:
    text = string(block, "cidr")
    if not text:
        return [required(f"{at}.cidr")]
    causes = check_cidr(f"{at}.cidr", text)
    whole = network_of(text)
    if whole is None:
        return causes
    for index, exception in enumerate(strings(block, "except")):
        here = f"{at}.except[{index}]"
        part = network_of(exception)
        if part is None:
            causes += check_cidr(here, exception)
        elif part.network_address not in whole or part.prefixlen <= whole.prefixlen:
            causes.append(invalid(here, exception, "must be a strict subset of `cidr`"))
    return causes
