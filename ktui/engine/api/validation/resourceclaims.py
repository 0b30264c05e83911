"""Rules for ResourceClaims and their templates, and for what an allocation may say."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Final

from ktui.engine.api.validation.conditions import check_conditions
from ktui.engine.api.validation.devices import (
    check_binding,
    check_configuration,
    check_fully_qualified_name,
    check_label,
    check_list,
    check_pool_name,
    check_raw,
    check_selectors,
    check_set,
    check_toleration,
)
from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    immutable,
    invalid,
    required,
    too_many,
    unfit,
    unsupported,
)
from ktui.engine.api.validation.scheduling import check_node_selector
from ktui.engine.api.validation.storage import check_driver_name
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_MOST: Final = 32
"""Requests, constraints, configurations and results of a claim."""
_MOST_ALTERNATIVES: Final = 8
_MOST_CONSUMERS: Final = 256
_MOST_CONDITIONS: Final = 8
_MODES: Final = ("All", "ExactCount")
_SOURCES: Final = ("FromClaim", "FromClass")
_ONE_KIND: Final = "exactly one of `exactly` or `firstAvailable` is required"

Names = dict[str, set[str]]
"""The requests of a claim, each with the alternatives in it."""


def check_claim_spec(spec: Object, path: str) -> list[Cause]:
    devices = section(spec, "devices")
    requests = items(devices, "requests")
    known = _names(requests)
    at = f"{path}.devices"
    causes = check_set(requests, _MOST, f"{at}.requests", _request, _name)
    causes += check_list(
        items(devices, "constraints"), _MOST, f"{at}.constraints", partial(_constraint, known)
    )
    return causes + check_list(items(devices, "config"), _MOST, f"{at}.config", partial(_config, known))


def _name(named: Object) -> str:
    return string(named, "name")


def _names(requests: list[Object]) -> Names:
    return {_name(each): {_name(other) for other in items(each, "firstAvailable")} for each in requests}


def _request(request: Object, at: str) -> list[Cause]:
    causes = check_label(_name(request), f"{at}.name")
    alternatives: list[Object] = items(request, "firstAvailable")
    exactly: Object | None = request.get("exactly")
    if exactly is not None and alternatives:
        causes.append(unfit(at, f"{_ONE_KIND}, but multiple fields are set"))
    elif alternatives:
        causes += check_set(alternatives, _MOST_ALTERNATIVES, f"{at}.firstAvailable", _alternative, _name)
    elif exactly is not None:
        causes += _wanted(exactly, f"{at}.exactly")
    else:
        causes.append(required(at, _ONE_KIND))
    return causes


def _alternative(request: Object, at: str) -> list[Cause]:
    return check_label(_name(request), f"{at}.name") + _wanted(request, at)


def _wanted(request: Object, at: str) -> list[Cause]:
    class_name, mode = string(request, "deviceClassName"), string(request, "allocationMode")
    path = f"{at}.deviceClassName"
    causes = (
        each_invalid(path, class_name, names.dns_subdomain(class_name)) if class_name else [required(path)]
    )
    causes += check_selectors(items(request, "selectors"), f"{at}.selectors")
    count: int = request.get("count") or 0
    if mode not in _MODES:
        causes.append(unsupported(f"{at}.allocationMode", mode, _MODES))
    elif mode == "All" and count:
        why = "must not be specified when allocationMode is 'All'"
        causes.append(invalid(f"{at}.count", count, why))
    elif mode == "ExactCount" and count <= 0:
        causes.append(invalid(f"{at}.count", count, "must be greater than zero"))
    for index, toleration in enumerate(items(request, "tolerations")):
        causes += check_toleration(toleration, f"{at}.tolerations[{index}]")
    return causes


def _reference(known: Names, name: str, path: str) -> list[Cause]:
    """`request` or `request/alternative`."""
    request, slash, alternative = name.partition("/")
    why = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    if "/" in alternative:
        return [invalid(path, name, why)]
    causes = check_label(request, path) + (check_label(alternative, path) if slash else [])
    if request not in known or (slash and alternative not in known[request]):
        causes.append(invalid(path, name, why))
    return causes


def _references(known: Names, holder: Object, at: str) -> list[Cause]:
    return check_set(strings(holder, "requests"), _MOST, f"{at}.requests", partial(_reference, known), str)


def _constraint(known: Names, constraint: Object, at: str) -> list[Cause]:
    causes = _references(known, constraint, at)
    for field in ("matchAttribute", "distinctAttribute"):
        attribute: str | None = constraint.get(field)
        if attribute is not None:
            return causes + check_fully_qualified_name(attribute, f"{at}.{field}")
    why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*causes, required(at, why)]


def _config(known: Names, config: Object, at: str) -> list[Cause]:
    return _references(known, config, at) + check_configuration(config, at)


def check_claim_status(new: Object, old: Object) -> list[Cause]:
    status, before = section(new, "status"), section(old, "status")
    known = _names(items(section(new, "spec", "devices"), "requests"))
    allocation: Object | None = status.get("allocation")
    consumers = items(status, "reservedFor")
    causes = check_set(
        consumers, _MOST_CONSUMERS, "status.reservedFor", _consumer, lambda each: string(each, "uid")
    )
    results = items(section(allocation or {}, "devices"), "results")
    allocated = {_device(result) for result in results}
    devices = items(status, "devices")
    causes += check_set(devices, len(devices), "status.devices", partial(_device_status, allocated), _device)
    if consumers and allocation is None:
        why = "may not be specified when `allocated` is not set"
        causes.append(forbidden("status.reservedFor", why))
    elif section(new, "metadata").get("deletionTimestamp") and any(
        consumer not in items(before, "reservedFor") for consumer in consumers
    ):
        why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        causes.append(forbidden("status.reservedFor", why))
    if allocation is None:
        return causes
    if before.get("allocation") is not None:
        return causes + immutable("status.allocation", allocation, before["allocation"])
    return causes + _allocation(known, allocation, "status.allocation")


def _consumer(consumer: Object, at: str) -> list[Cause]:
    return [required(f"{at}.{field}") for field in ("resource", "name", "uid") if not string(consumer, field)]


def _device(holder: Object) -> tuple[str, ...]:
    """Which device it is, and which share of it."""
    return tuple(string(holder, field) for field in ("driver", "pool", "device", "shareID"))


def _identified(holder: Object, at: str) -> list[Cause]:
    causes = check_driver_name(string(holder, "driver"), f"{at}.driver")
    causes += check_pool_name(string(holder, "pool"), f"{at}.pool")
    causes += check_label(string(holder, "device"), f"{at}.device")
    share: str | None = holder.get("shareID")
    return causes if share is None else causes + _uid(share, f"{at}.shareID")


def _uid(text: str, path: str) -> list[Cause]:
    try:
        is_normal = str(uuid.UUID(text)) == text
    except ValueError:
        return [invalid(path, text, "error validating uid: invalid UUID format")]
    why = (
        "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal "
        "characters"
    )
    return [] if is_normal else [invalid(path, text, why)]


def _device_status(allocated: set[tuple[str, ...]], device: Object, at: str) -> list[Cause]:
    causes = _identified(device, at)
    if _device(device) not in allocated:
        named = "/".join(part for part in _device(device) if part)
        causes.append(invalid(at, named, "must be an allocated device in the claim"))
    conditions = items(device, "conditions")
    if len(conditions) > _MOST_CONDITIONS:
        causes.append(too_many(f"{at}.conditions", len(conditions), _MOST_CONDITIONS))
    causes += check_conditions(conditions, f"{at}.conditions")
    return causes + (check_raw(device["data"], f"{at}.data") if device.get("data") is not None else [])


def _allocation(known: Names, allocation: Object, at: str) -> list[Cause]:
    devices = section(allocation, "devices")
    path = f"{at}.devices"
    causes = check_list(items(devices, "results"), _MOST, f"{path}.results", partial(_result, known))
    causes += check_list(items(devices, "config"), 2 * _MOST, f"{path}.config", partial(_allocated, known))
    selector: Object | None = allocation.get("nodeSelector")
    return causes if selector is None else causes + check_node_selector(selector, f"{at}.nodeSelector")


def _result(known: Names, result: Object, at: str) -> list[Cause]:
    causes = _reference(known, string(result, "request"), f"{at}.request")
    causes += _identified(result, at) + check_binding(result, at)
    for index, toleration in enumerate(items(result, "tolerations")):
        causes += check_toleration(toleration, f"{at}.tolerations[{index}]")
    return causes


def _allocated(known: Names, config: Object, at: str) -> list[Cause]:
    source = string(config, "source")
    causes: list[Cause] = []
    if not source:
        causes.append(required(f"{at}.source"))
    elif source not in _SOURCES:
        causes.append(unsupported(f"{at}.source", source, _SOURCES))
    return causes + _config(known, config, at)
