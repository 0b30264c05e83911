"""The IP families of a Service on a cluster that has IPv4 alone: what is inferred, and what is refused."""

from __future__ import annotations

from ktui.engine.api.validation.fields import invalid
from ktui.engine.api.validation.service_addresses import check_cluster_ips, family_of
from ktui.kube import errors
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.kinds import SERVICES
from ktui.kube.resource import Object
from ktui.kube.service import HEADLESS, cluster_ips, is_headless, type_of

FAMILY = "IPv4"
_SINGLE, _REQUIRE = "SingleStack", "RequireDualStack"
_POLICY = "spec.ipFamilyPolicy"


def with_families(service: Object, old: Object | None) -> Object:
    """The Service with its families and their policy. Raises Invalid."""
    if type_of(service) == "ExternalName":
        return service
    spec = {**section(service, "spec")}
    free = is_headless(service) and not mapping(spec, "selector")
    if spec.get("ipFamilyPolicy") is None:
        kept = section(old or {}, "spec").get("ipFamilyPolicy")
        spec["ipFamilyPolicy"] = kept or (_REQUIRE if free else _SINGLE)
    service = {**service, "spec": spec}
    _raise(service, check_cluster_ips(service))
    single = spec["ipFamilyPolicy"] == _SINGLE
    families = list(strings(spec, "ipFamilies"))
    if single and old is not None and families == strings(section(old, "spec"), "ipFamilies"):
        families = families[:1]
    _raise(service, _too_many(service, families) if single else [])
    families = _inferred(service, families)
    if free:
        families = families or [FAMILY]
        if len(families) < 2 and not single:
            families.append("IPv6" if families[0] == FAMILY else FAMILY)
    else:
        _raise(service, _not_here(spec["ipFamilyPolicy"], families))
        families = families or [FAMILY]
    return {**service, "spec": {**spec, "ipFamilies": families}}


def _too_many(service: Object, families: list[str]) -> list[Cause]:
    either = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
    causes: list[Cause] = []
    if len(cluster_ips(service)) == 2:
        causes.append(invalid(_POLICY, _SINGLE, f"{either} cluster IPs are specified"))
    if len(families) == 2:
        causes.append(invalid(_POLICY, _SINGLE, f"{either} IP families are specified"))
    return causes


def _inferred(service: Object, families: list[str]) -> list[str]:
    """With the families of addresses that were asked for."""
    found, causes = list(families), list[Cause]()
    addresses = cluster_ips(service)
    for index, address in enumerate(addresses):
        if address == HEADLESS:
            break
        if index < len(found):
            continue
        family = family_of(address)
        if family != FAMILY:
            why = f"{family} is not configured on this cluster"
            causes.append(invalid(f"spec.clusterIPs[{index}]", addresses, why))
        else:
            found.append(family)
    _raise(service, causes)
    return found


def _not_here(policy: str, families: list[str]) -> list[Cause]:
    causes: list[Cause] = []
    if policy == _REQUIRE:
        why = "this cluster is not configured for dual-stack services"
        causes.append(invalid(_POLICY, policy, why))
    for index, family in enumerate(families):
        if family != FAMILY:
            causes.append(invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
    return causes


def _raise(service: Object, causes: list[Cause]) -> None:
    if causes:
        raise errors.invalid(SERVICES, string(section(service, "metadata"), "name"), causes)


def node_ports_of(service: Object) -> list[int]:
    """The node ports a Service has, that for health checks as well."""
    spec = section(service, "spec")
    ports: list[int] = [port.get("nodePort") or 0 for port in items(spec, "ports")]
    return [port for port in (*ports, spec.get("healthCheckNodePort") or 0) if port]
