"""ServiceCIDR and IPAddress: the network of cluster IPs, and single addresses somebody keeps to themselves."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.addresses import check_cidr, network_of
from ktui.engine.api.validation.fields import each_invalid, immutable, invalid, required
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.kinds import IP_ADDRESSES, SERVICE_CIDRS
from ktui.kube.resource import Object


def validate_cidr(service_cidr: Object) -> list[Cause]:
    causes = check_metadata(service_cidr, namespaced=False)
    ranges = strings(section(service_cidr, "spec"), "cidrs")
    if not ranges:
        return [*causes, required("spec.cidrs", "at least one CIDR required")]
    if len(ranges) > 2:
        causes.append(invalid("spec", section(service_cidr, "spec"), "may only hold up to 2 values"))
    for index, text_ in enumerate(ranges):
        causes += check_cidr(f"spec.cidrs[{index}]", text_)
    versions = [network.version for each in ranges if (network := network_of(each))]
    if len(versions) == 2 and versions[0] == versions[1]:
        why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        causes.append(invalid("spec", section(service_cidr, "spec"), why))
    return causes


def validate_cidr_update(new: Object, old: Object) -> list[Cause]:
    after, before = (section(each, "spec").get("cidrs") for each in (new, old))
    return check_metadata_update(new, old) + immutable("spec.cidrs", after, before)


def validate_address(address: Object) -> list[Cause]:
    causes = check_metadata(address, namespaced=False, name_rule=names.ip_address)
    parent = section(address, "spec").get("parentRef")
    if parent is None:
        return [*causes, required("spec.parentRef")]
    group, namespace = string(parent, "group"), string(parent, "namespace")
    if group:
        causes += each_invalid("spec.parentRef.group", group, names.dns_subdomain(group))
    for field in ("resource", "name"):
        value = string(parent, field)
        at = f"spec.parentRef.{field}"
        causes += each_invalid(at, value, names.path_segment(value)) if value else [required(at)]
    if namespace:
        causes += each_invalid("spec.parentRef.namespace", namespace, names.path_segment(namespace))
    return causes


def validate_address_update(new: Object, old: Object) -> list[Cause]:
    after, before = (section(each, "spec").get("parentRef") for each in (new, old))
    return check_metadata_update(new, old) + immutable("spec.parentRef", after, before)


def _parent(address: Object) -> str:
    parent = section(address, "spec", "parentRef")
    resource, group = string(parent, "resource"), string(parent, "group")
    words = [
        f"{resource}.{group}" if group else resource,
        string(parent, "namespace"),
        string(parent, "name"),
    ]
    return "/".join(word for word in words if word) or "<none>"


DECLARATIONS = (
    Declaration(
        resource=SERVICE_CIDRS,
        schema="io.k8s.api.networking.v1.ServiceCIDR",
        columns=(
            NAME,
            text("CIDRs", lambda found: ",".join(strings(section(found, "spec"), "cidrs")), "Its networks."),
            AGE,
        ),
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=only_status,
        validate_create=validate_cidr,
        validate_update=validate_cidr_update,
        has_status=True,
    ),
    Declaration(
        resource=IP_ADDRESSES,
        schema="io.k8s.api.networking.v1.IPAddress",
        columns=(NAME, text("ParentRef", _parent, "What has the address."), AGE),
        validate_create=validate_address,
        validate_update=validate_address_update,
        has_generation=True,
    ),
)
