"""Rules for nodes: taints, pod ranges, capacities, and what an update may change."""

from __future__ import annotations

import ipaddress
from typing import Any

from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
    unsupported,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.errors import Cause
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def validate_node(node: Object) -> list[Cause]:
    causes = check_metadata(node, namespaced=False)
    spec: Object = node.get("spec") or {}
    causes += check_taints(spec.get("taints") or [], "spec.taints")
    ranges: list[str] = spec.get("podCIDRs") or []
    for index, text in enumerate(ranges):
        causes += _range(text, f"spec.podCIDRs[{index}]")
    if spec.get("podCIDR"):
        if ranges and ranges[0] != spec["podCIDR"]:
            causes.append(
                invalid(
                    "spec.podCIDR",
                    spec["podCIDR"],
                    "node.Spec.PodCIDR must match the first of node.Spec.PodCIDRs",
                )
            )
        elif not ranges:
            causes += _range(spec["podCIDR"], "spec.podCIDR")
    status: Object = node.get("status") or {}
    for which in ("capacity", "allocatable"):
        amounts: dict[str, str] = status.get(which) or {}
        for name, amount in amounts.items():
            path = f"status.{which}[{name}]"
            causes += each_invalid(path, name, names.qualified_name(name))
            if parse_quantity(amount).nanos < 0:
                causes.append(invalid(path, amount, names.NON_NEGATIVE))
    return causes


def validate_node_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    after: Object = new.get("spec") or {}
    before: Object = old.get("spec") or {}
    for field in ("podCIDR", "podCIDRs"):
        if before.get(field) and after.get(field) != before[field]:
            causes.append(
                forbidden(f"spec.{field}", 'node updates may not change podCIDR except from "" to valid')
            )
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        causes.append(
            forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
        )
    return causes


def check_taints(taints: list[dict[str, Any]], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at = f"{path}[{index}]"
        key, value, effect = (str(taint.get(field) or "") for field in ("key", "value", "effect"))
        causes += each_invalid(f"{at}.key", key, names.qualified_name(key))
        causes += each_invalid(f"{at}.value", value, names.label_value(value))
        if not effect:
            causes.append(required(f"{at}.effect"))
        elif effect not in TAINT_EFFECTS:
            causes.append(unsupported(f"{at}.effect", effect, TAINT_EFFECTS))
        if (key, effect) in seen:
            causes.append(duplicate(at, taint))
        seen.add((key, effect))
    return causes


def _range(text: str, path: str) -> list[Cause]:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return [invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    return []
