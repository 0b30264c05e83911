"""Rules for ResourceSlices: the devices of a pool, on which nodes they are, and what they have."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ktui.engine.api.validation.devices import (
    check_binding,
    check_label,
    check_list,
    check_pool_name,
    check_qualified_name,
    check_set,
    check_taint,
)
from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    immutable,
    invalid,
    required,
    too_long,
    too_many,
    unfit,
)
from ktui.engine.api.validation.scheduling import check_node_selector
from ktui.engine.api.validation.storage import check_driver_name
from ktui.kube import names
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_MOST_DEVICES: Final = 128
_MOST_SPECIAL_DEVICES: Final = 64
"""When one of them has taints, uses counters or has attributes with several values."""
_MOST_COUNTER_SETS: Final = 8
_MOST_COUNTERS: Final = 32
_MOST_CONSUMPTIONS: Final = 2
_MOST_ATTRIBUTES: Final = 32
_MOST_VALUES: Final = 48
_MOST_TAINTS: Final = 16
_LONGEST_VALUE: Final = 64
_SINGLE: Final = ("bool", "int", "string", "version")
_SEVERAL: Final = ("bools", "ints", "strings", "versions")
_PLACES: Final = ("nodeName", "nodeSelector", "allNodes")
_VERSION: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)


def check_slice_spec(spec: Object) -> list[Cause]:
    causes = check_driver_name(string(spec, "driver"), "spec.driver")
    causes += _pool(section(spec, "pool"))
    causes += _where(spec, "spec", (*_PLACES, "perDeviceNodeSelection"), "")
    if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
        causes.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    devices = items(spec, "devices")
    most = _MOST_SPECIAL_DEVICES if any(map(_is_special, devices)) else _MOST_DEVICES
    each = partial(_device, is_placed=bool(spec.get("perDeviceNodeSelection")))
    causes += check_set(devices, most, "spec.devices", each, _name)
    counters = items(spec, "sharedCounters")
    return causes + check_set(counters, _MOST_COUNTER_SETS, "spec.sharedCounters", _counter_set, _name)


def check_slice_update(new: Object, old: Object) -> list[Cause]:
    after, before = section(new, "spec"), section(old, "spec")
    causes = immutable(
        "spec.pool.name", section(after, "pool").get("name"), section(before, "pool").get("name")
    )
    for field in ("driver", "nodeName"):
        causes += immutable(f"spec.{field}", after.get(field), before.get(field))
    return causes


def _name(named: Object) -> str:
    return string(named, "name")


def _pool(pool: Object) -> list[Cause]:
    causes = check_pool_name(_name(pool), "spec.pool.name")
    count: int = pool.get("resourceSliceCount") or 0
    generation: int = pool.get("generation") or 0
    if count <= 0:
        causes.append(invalid("spec.pool.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        why = "must be greater than or equal to zero"
        causes.append(invalid("spec.pool.generation", generation, why))
    return causes


def _where(holder: Object, at: str, places: tuple[str, ...], when: str) -> list[Cause]:
    """Exactly one of the ways to say on which nodes devices are."""
    found: list[str] = []
    causes: list[Cause] = []
    for place in places:
        value: Any = holder.get(place)
        if value is None:
            continue
        if value is False:
            causes.append(invalid(f"{at}.{place}", value, "must be either unset or set to true"))
            continue
        if value == "":
            causes.append(
                invalid(f"{at}.{place}", value, "must be either unset or set to a non-empty string")
            )
            continue
        found.append(f"`{place}`")
        if place == "nodeName":
            causes += each_invalid(f"{at}.{place}", value, names.dns_subdomain(value))
        elif place == "nodeSelector":
            causes += _one_term(value, f"{at}.{place}")
    listed = ", ".join(f"`{place}`" for place in places)
    if not found:
        causes.append(required(at, f"exactly one of {listed} is required{when}"))
    elif len(found) > 1:
        why = f"exactly one of {listed} is required{when}, but multiple fields are set"
        causes.append(invalid(at, f"{{{', '.join(found)}}}", why))
    return causes


def _one_term(selector: Object, path: str) -> list[Cause]:
    causes = check_node_selector(selector, path)
    terms = items(selector, "nodeSelectorTerms")
    if len(terms) != 1:
        causes.append(invalid(f"{path}.nodeSelectorTerms", terms, "must have exactly one node selector term"))
    return causes


def _is_special(device: Object) -> bool:
    attributes: dict[str, Object] = device.get("attributes") or {}
    return bool(
        device.get("taints")
        or device.get("consumesCounters")
        or any(field in attribute for attribute in attributes.values() for field in _SEVERAL)
    )


def _device(device: Object, at: str, *, is_placed: bool) -> list[Cause]:
    causes = check_label(_name(device), f"{at}.name")
    attributes: dict[str, Object] = device.get("attributes") or {}
    capacities: dict[str, Object] = device.get("capacity") or {}
    total = len(attributes) + len(capacities)
    values = sum(_values(attribute) for attribute in attributes.values())
    if total > _MOST_ATTRIBUTES:
        why = f"the total number of attributes and capacities must not exceed {_MOST_ATTRIBUTES}"
        causes.append(invalid(at, total, why))
    if values > _MOST_VALUES:
        why = f"the total number of attribute values must not exceed {_MOST_VALUES}"
        causes.append(invalid(at, values, why))
    causes += _named(attributes, f"{at}.attributes", check_qualified_name, _attribute)
    is_shared = bool(device.get("allowMultipleAllocations"))
    capacity = partial(_capacity, is_shared=is_shared)
    causes += _named(capacities, f"{at}.capacity", check_qualified_name, capacity)
    causes += check_list(items(device, "taints"), _MOST_TAINTS, f"{at}.taints", check_taint)
    causes += check_set(
        items(device, "consumesCounters"),
        _MOST_CONSUMPTIONS,
        f"{at}.consumesCounters",
        _consumption,
        lambda each: string(each, "counterSet"),
    )
    if is_placed:
        when = " when `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
        causes += _where(device, at, _PLACES, when)
    elif any(device.get(place) is not None for place in _PLACES):
        why = (
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in "
            "the ResourceSlice spec"
        )
        causes.append(unfit(at, why))
    return causes + check_binding(device, at)


def _named(
    found: dict[str, Object],
    path: str,
    check_key: Callable[[str, str], list[Cause]],
    check: Callable[[Object, str], list[Cause]],
) -> list[Cause]:
    """A map of things by their names."""
    return [
        cause
        for key, value in found.items()
        for cause in (*check_key(key, path), *check(value, f"{path}[{key}]"))
    ]


def _values(attribute: Object) -> int:
    return sum(len(attribute.get(field) or ()) for field in _SEVERAL) or 1


def _attribute(attribute: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    given = [field for field in (*_SINGLE, *_SEVERAL) if attribute.get(field) is not None]
    for field in given:
        value: Any = attribute[field]
        path = f"{at}.{field}"
        if field in _SEVERAL and not value:
            causes.append(invalid(path, value, "must not be empty if specified"))
        listed = (
            [(f"{path}[{i}]", each) for i, each in enumerate(value)] if field in _SEVERAL else [(path, value)]
        )
        for where, each in listed:
            causes += _value(field, each, where)
    if len(given) != 1:
        causes.append(invalid(at, attribute if given else "", "exactly one value must be specified"))
    return causes


def _value(field: str, value: Any, path: str) -> list[Cause]:
    if not isinstance(value, str):
        return []
    causes: list[Cause] = []
    if field.startswith("version") and not _VERSION.fullmatch(value):
        causes.append(invalid(path, value, "must be a string compatible with semver.org spec 2.0.0"))
    if len(value.encode()) > _LONGEST_VALUE:
        causes.append(too_long(path, _LONGEST_VALUE))
    return causes


def _capacity(capacity: Object, at: str, *, is_shared: bool) -> list[Cause]:
    policy: Object | None = capacity.get("requestPolicy")
    if policy is None:
        return []
    path = f"{at}.requestPolicy"
    if not is_shared:
        return [forbidden(path, "allowMultipleAllocations must be true")]
    kinds = [field for field in ("validValues", "validRange") if policy.get(field)]
    if len(kinds) > 1:
        why = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [forbidden(path, why)]
    if kinds and policy.get("default") is None:
        return [required(f"{path}.default", f"required when {kinds[0]} is defined")]
    if kinds == ["validRange"] and section(policy, "validRange").get("min") is None:
        return [required(f"{path}.validRange.min", "required when validRange is defined")]
    return []


def _counter_set(found: Object, at: str) -> list[Cause]:
    name = _name(found)
    causes = check_label(name, f"{at}.name") if name else [required(f"{at}.name")]
    return causes + _counters(found, at)


def _consumption(found: Object, at: str) -> list[Cause]:
    name, path = string(found, "counterSet"), f"{at}.counterSet"
    causes = check_label(name, path) if name else [required(path)]
    return causes + _counters(found, at)


def _counters(found: Object, at: str) -> list[Cause]:
    counters: dict[str, Object] = found.get("counters") or {}
    path = f"{at}.counters"
    if not counters:
        return [required(path)]
    if len(counters) > _MOST_COUNTERS:
        return [too_many(path, len(counters), _MOST_COUNTERS)]
    return [cause for name in counters for cause in check_label(name, path)]
