"""A pod's quality of service, from its requests and limits: Guaranteed, Burstable or BestEffort."""

from __future__ import annotations

from itertools import chain
from typing import Any

from ktui.kube.quantity import Quantity, parse_quantity
from ktui.kube.resource import Object

GUARANTEED = "Guaranteed"
BURSTABLE = "Burstable"
BEST_EFFORT = "BestEffort"

_COUNTED = ("cpu", "memory")


def qos_class(pod: Object) -> str:
    """The class Kubernetes gives a pod; pod-level resources, where set, decide alone."""
    spec: Object = pod.get("spec") or {}
    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}
    every_container_is_limited = True
    holders: list[Object] = (
        [spec]
        if _amounts(spec, "requests") or _amounts(spec, "limits")
        else list(chain(spec.get("containers") or (), spec.get("initContainers") or ()))
    )
    for holder in holders:
        for name, amount in _amounts(holder, "requests").items():
            requests[name] = requests[name] + amount if name in requests else amount
        found = _amounts(holder, "limits")
        for name, amount in found.items():
            limits[name] = limits[name] + amount if name in limits else amount
        if len(found) < len(_COUNTED):
            every_container_is_limited = False
    if not requests and not limits:
        return BEST_EFFORT
    if every_container_is_limited and all(limits.get(name) == amount for name, amount in requests.items()):
        return GUARANTEED
    return BURSTABLE


def _amounts(holder: Object, which: str) -> dict[str, Quantity]:
    resources: dict[str, Any] = holder.get("resources") or {}
    listed: dict[str, str] = resources.get(which) or {}
    amounts = {name: parse_quantity(listed[name]) for name in _COUNTED if name in listed}
    return {name: amount for name, amount in amounts.items() if amount.nanos > 0}
