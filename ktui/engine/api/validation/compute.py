"""Rules for compute resources: names, quantities, and requests that stay within limits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
    unsupported,
)
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.quantity import Quantity, parse_quantity
from ktui.kube.resource import Object

_STANDARD: Final = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES: Final = "hugepages-"


def is_native(name: str) -> bool:
    """Not an extended resource: without a prefix or with Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def check_container_resources(container: Object, path: str, claims: Collection[str]) -> list[Cause]:
    """`resources` of a container."""
    resources = section(container, "resources")
    return [
        *_amounts(resources, f"{path}.resources", _container_name),
        *_claims(items(resources, "claims"), f"{path}.resources.claims", claims),
    ]


def check_overhead(overhead: dict[str, str], path: str) -> list[Cause]:
    return _amounts({"limits": overhead}, path, _container_name)


def check_pod_resources(spec: Object, path: str) -> list[Cause]:
    """`resources` of a pod: what its containers ask for together must fit in."""
    resources = section(spec, "resources")
    if not resources:
        return []
    at = f"{path}.resources"
    causes: list[Cause] = []
    if "claims" in resources:
        causes.append(forbidden(f"{at}.claims", "claims may not be set for Resources at pod-level"))
    causes += _amounts(resources, at, _pod_name)
    requests, limits = mapping(resources, "requests"), mapping(resources, "limits")
    summed: dict[str, Quantity] = {}
    for container in items(spec, "containers"):
        for name, amount in mapping(section(container, "resources"), "requests").items():
            summed[name] = summed.get(name, Quantity(0)) + parse_quantity(amount)
    for name, total in summed.items():
        if name in requests and total > parse_quantity(requests[name]):
            causes.append(
                invalid(
                    f"{at}.requests[{name}]",
                    requests[name],
                    f"must be greater than or equal to aggregate container requests of {total}",
                )
            )
    for index, container in enumerate(items(spec, "containers")):
        for name, amount in mapping(section(container, "resources"), "limits").items():
            if name in limits and parse_quantity(amount) > parse_quantity(limits[name]):
                causes.append(
                    invalid(
                        f"{at}.containers[{index}][{name}].limits",
                        amount,
                        f"must be less than or equal to pod limits of {limits[name]}",
                    )
                )
    return causes


def _amounts(resources: Object, path: str, check_name: Callable[[str, str], list[Cause]]) -> list[Cause]:
    limits, requests = mapping(resources, "limits"), mapping(resources, "requests")
    causes: list[Cause] = []
    for which, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            at = f"{path}.{which}[{name}]"
            causes += check_name(name, at) + check_amount(name, amount, at)
            if which == "requests":
                causes += _within_limit(name, amount, limits, path)
    named = {*limits, *requests}
    if any(name.startswith(_HUGE_PAGES) for name in named) and not named & {"cpu", "memory"}:
        causes.append(forbidden(path, "HugePages require cpu or memory"))
    return causes


def check_amount(name: str, amount: str, path: str) -> list[Cause]:
    """A quantity that is possible for a resource."""
    quantity = parse_quantity(amount)
    causes: list[Cause] = []
    if quantity.nanos < 0:
        causes.append(invalid(path, amount, names.NON_NEGATIVE))
    if not is_native(name) and quantity.millis % 1000:
        causes.append(invalid(path, amount, "must be an integer"))
    if name.startswith(_HUGE_PAGES):
        page = name.removeprefix(_HUGE_PAGES)
        try:
            size = parse_quantity(page).value
        except ValueError:
            size = 0
        if size <= 0 or quantity.nanos <= 0 or quantity.value % size:
            causes.append(invalid(path, amount, f"{amount} is not positive integer multiple of {name}"))
    return causes


def _within_limit(name: str, request: str, limits: Mapping[str, str], path: str) -> list[Cause]:
    overcommit = is_native(name) and not name.startswith(_HUGE_PAGES)
    if name not in limits:
        if overcommit:
            return []
        return [required(f"{path}.limits", "Limit must be set for non overcommitable resources")]
    limit = limits[name]
    asked, most = parse_quantity(request), parse_quantity(limit)
    if asked != most and not overcommit:
        return [invalid(f"{path}.requests", request, f"must be equal to {name} limit of {limit}")]
    if asked > most:
        return [
            invalid(f"{path}.requests", request, f"must be less than or equal to {name} limit of {limit}")
        ]
    return []


def _container_name(name: str, path: str) -> list[Cause]:
    causes = each_invalid(path, name, names.qualified_name(name))
    if "/" not in name:
        if name not in _STANDARD and not name.startswith(_HUGE_PAGES):
            causes.append(invalid(path, name, "must be a standard resource type or fully qualified"))
            causes.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and (name.startswith("requests.") or names.qualified_name(f"requests.{name}")):
        causes.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return causes


def _pod_name(name: str, path: str) -> list[Cause]:
    if name in ("cpu", "memory") or name.startswith(_HUGE_PAGES):
        return []
    return [unsupported(path, name, ("cpu", _HUGE_PAGES, "memory"))]


def _claims(claims: list[Object], path: str, known: Collection[str]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        at = f"{path}[{index}]"
        name, request = string(claim, "name"), string(claim, "request")
        if not name:
            causes.append(required(at))
            continue
        key = f"{name}/{request}" if request else name
        if name in seen or key in seen:
            causes.append(duplicate(at, key))
        if request:
            causes += each_invalid(f"{at}.request", request, names.dns_label(request))
        seen.add(key)
        if name not in known:
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            causes.append(
                Cause(
                    at,
                    "FieldValueNotFound",
                    f'Not found: "{name}": must be one of the names in pod.spec.resourceClaims{listed}',
                )
            )
    return causes
