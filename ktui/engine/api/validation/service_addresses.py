"""Rules for a Service's cluster IPs and IP families: how they agree with each other, and what stays as it is."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.validation.addresses import address_of, check_ip
from ktui.engine.api.validation.fields import duplicate, forbidden, invalid, one_of, required
from ktui.engine.api.validation.metadata import check_metadata_update
from ktui.kube.data import section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object
from ktui.kube.service import HEADLESS, cluster_ips, is_headless, needs_health_check, type_of

FAMILIES: Final = ("IPv4", "IPv6")
FAMILY_POLICIES: Final = ("SingleStack", "PreferDualStack", "RequireDualStack")
_AT: Final = "spec.clusterIPs"
_ONCE: Final = "may not change once set"


def check_cluster_ips(service: Object) -> list[Cause]:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy among themselves."""
    if type_of(service) == "ExternalName":
        return []
    spec = section(service, "spec")
    addresses, families = cluster_ips(service), strings(spec, "ipFamilies")
    causes = _first(spec, addresses)
    for index, family in enumerate(families):
        causes += one_of(f"spec.ipFamilies[{index}]", family, FAMILIES)
        if family in families[:index]:
            causes.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None:
        causes += one_of("spec.ipFamilyPolicy", policy, FAMILY_POLICIES)
    wrong: list[Cause] = []
    for index, address in enumerate(addresses):
        if index == 0 and address == HEADLESS:
            if len(addresses) > 1:
                wrong.append(invalid(_AT, addresses, "'None' must be the first and only value"))
        else:
            wrong += check_ip(f"{_AT}[{index}]", address)
    causes += wrong
    if len(addresses) > 2:
        causes.append(invalid(_AT, addresses, "may only hold up to 2 values"))
    return causes if wrong else causes + _agreement(service, addresses, families)


def _first(spec: Object, addresses: list[str]) -> list[Cause]:
    first = string(spec, "clusterIP")
    if not first:
        why = "must be empty when `clusterIP` is not specified"
        return [invalid(_AT, addresses, why)] if addresses else []
    if not addresses:
        return [required(_AT)]
    return [] if addresses[0] == first else [invalid(_AT, addresses, "first value must match `clusterIP`")]


def family_of(address: str) -> str:
    found = address_of(address)
    return "IPv6" if found is not None and found.version == 6 else "IPv4"


def _agreement(service: Object, addresses: list[str], families: list[str]) -> list[Cause]:
    causes: list[Cause] = []
    if len(addresses) > 1 and len({family_of(address) for address in addresses}) == 1:
        causes.append(invalid(_AT, addresses, "may specify no more than one IP for each IP family"))
    if is_headless(service):
        return causes
    for index, (address, family) in enumerate(zip(addresses, families, strict=False)):
        if family in FAMILIES and family_of(address) != family:
            why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            causes.append(invalid(f"{_AT}[{index}]", address, why))
    return causes


def validate_service_update(new: Object, old: Object) -> list[Cause]:
    """What an update may not change."""
    causes = check_metadata_update(new, old)
    if "ExternalName" not in (type_of(new), type_of(old)):
        causes += _kept_addresses(new, old) + _kept_families(new, old)
    if type_of(new) == type_of(old) == "LoadBalancer":
        after, before = (section(service, "spec").get("loadBalancerClass") for service in (new, old))
        if after != before:
            causes.append(invalid("spec.loadBalancerClass", after, _ONCE))
    if needs_health_check(new) and needs_health_check(old):
        after, before = (section(service, "spec").get("healthCheckNodePort") for service in (new, old))
        if after != before:
            causes.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return causes


def _kept_addresses(new: Object, old: Object) -> list[Cause]:
    after, before = cluster_ips(new), cluster_ips(old)
    if is_headless(new) and is_headless(old):
        return []
    if len(after) == len(before):
        changed = [index for index, address in enumerate(before) if address != after[index]]
        return [invalid(f"{_AT}[{index}]", after, _ONCE) for index in changed]
    causes: list[Cause] = []
    if not after:
        causes.append(invalid(f"{_AT}[0]", after, "primary clusterIP can not be unset"))
    elif before and after[0] != before[0]:
        causes.append(invalid(f"{_AT}[0]", after, _ONCE))
    if len(before) > len(after) == 1 and not _is_single_stack(new):
        why = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        causes.append(invalid("spec.ipFamilyPolicy", _policy(new), why))
    return causes


def _kept_families(new: Object, old: Object) -> list[Cause]:
    after, before = (strings(section(service, "spec"), "ipFamilies") for service in (new, old))
    if is_headless(new) or is_headless(old):
        return []
    at = "spec.ipFamilies[0]"
    if len(after) == len(before):
        return [invalid(at, after, _ONCE) for was, now in zip(before, after, strict=True) if was != now]
    causes: list[Cause] = []
    if not after:
        causes.append(invalid(at, after, "primary ipFamily can not be unset"))
    elif before and after[0] != before[0]:
        causes.append(invalid(at, after, _ONCE))
    if len(before) > len(after) == 1 and not _is_single_stack(new):
        why = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        causes.append(invalid("spec.ipFamilyPolicy", _policy(new), why))
    return causes


def _policy(service: Object) -> str | None:
    return section(service, "spec").get("ipFamilyPolicy")


def _is_single_stack(service: Object) -> bool:
    return _policy(service) == "SingleStack"
