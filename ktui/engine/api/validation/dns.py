"""Rules for a pod's names and name resolution: DNS policy and config, host names, host aliases."""

from __future__ import annotations

import re
from typing import Final

from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    invalid,
    required,
    too_long,
    unsupported,
)
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_SERVERS: Final = 3
_SEARCHES: Final = 32
_SEARCH_LENGTH: Final = 2048
_SEARCH: Final = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*"


def check_dns(spec: Object, path: str) -> list[Cause]:
    policy = string(spec, "dnsPolicy")
    causes: list[Cause] = []
    if not policy:
        causes.append(required(f"{path}.dnsPolicy"))
    elif policy not in _POLICIES:
        causes.append(unsupported(f"{path}.dnsPolicy", policy, _POLICIES))
    at = f"{path}.dnsConfig"
    if policy == "None":
        if "dnsConfig" not in spec:
            return [*causes, required(at, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not section(spec, "dnsConfig").get("nameservers"):
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [*causes, required(f"{at}.nameservers", why)]
    return causes + _config(section(spec, "dnsConfig"), at)


def _config(config: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    servers, searches = strings(config, "nameservers"), strings(config, "searches")
    if len(servers) > _SERVERS:
        causes.append(
            invalid(f"{at}.nameservers", servers, f"must not have more than {_SERVERS} nameservers")
        )
    for index, server in enumerate(servers):
        causes += each_invalid(f"{at}.nameservers[{index}]", server, names.ip_address(server))
    if len(searches) > _SEARCHES:
        causes.append(
            invalid(f"{at}.searches", searches, f"must not have more than {_SEARCHES} search paths")
        )
    if len(" ".join(searches)) > _SEARCH_LENGTH:
        why = f"must not have more than {_SEARCH_LENGTH} characters (including spaces) in the search list"
        causes.append(invalid(f"{at}.searches", searches, why))
    for index, search in enumerate(searches):
        name = search.removesuffix(".")
        if search != "." and not re.fullmatch(_SEARCH, name, re.ASCII):
            rule = (
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or "
                "'.', and must start and end with an alphanumeric character"
            )
            why = names.mismatch(rule, names.SUBDOMAIN, "example.com")
            causes.append(invalid(f"{at}.searches[{index}]", name, why))
    for index, option in enumerate(items(config, "options")):
        if not option.get("name"):
            causes.append(required(f"{at}.options[{index}]", "must not be empty"))
    return causes


def check_host_names(spec: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("hostname", "subdomain"):
        name = string(spec, field)
        if name:
            causes += each_invalid(f"{path}.{field}", name, names.dns_label(name))
    override = spec.get("hostnameOverride")
    if override is not None:
        at = f"{path}.hostnameOverride"
        for field in ("setHostnameAsFQDN", "hostNetwork"):
            if spec.get(field):
                causes.append(forbidden(at, f"may not be specified when {field} is true"))
        if len(override) > 64:
            causes.append(too_long(at, 64))
        causes += each_invalid(at, override, names.dns_subdomain(override))
    for index, alias in enumerate(items(spec, "hostAliases")):
        at = f"{path}.hostAliases[{index}]"
        address = string(alias, "ip")
        causes += each_invalid(f"{at}.ip", address, names.ip_address(address))
        for position, name in enumerate(strings(alias, "hostnames")):
            causes += each_invalid(f"{at}.hostnames[{position}]", name, names.dns_subdomain(name))
    return causes
