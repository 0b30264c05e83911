"""What the kinds of resource.k8s.io share: names of drivers, pools and attributes, selectors, taints, configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from ktui.engine.api.cel import programs as cel
from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    invalid,
    required,
    too_long,
    too_many,
    unsupported,
)
from ktui.engine.api.validation.storage import check_driver_name
from ktui.kube import names
from ktui.kube.data import string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

Item = TypeVar("Item")
Check = Callable[[Item, str], list[Cause]]

_LONGEST_POOL: Final = 253
_LONGEST_ID: Final = 32
_LONGEST_EXPRESSION: Final = 10 * 1024
_LARGEST_PARAMETERS: Final = 10 * 1024
_MOST_SELECTORS: Final = 32
_MOST_BINDING: Final = 4
EFFECTS: Final = ("NoExecute", "NoSchedule", "None")
_OPERATORS: Final = ("Equal", "Exists")
_IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]*"


def check_list(found: Sequence[Item], most: int, path: str, check: Check[Item]) -> list[Cause]:
    """No more than `most` items, each of them sound."""
    if len(found) > most:
        return [too_many(path, len(found), most)]
    return [cause for index, item in enumerate(found) for cause in check(item, f"{path}[{index}]")]


def check_set(
    found: Sequence[Item], most: int, path: str, check: Check[Item], key: Callable[[Item], Hashable]
) -> list[Cause]:
    """As a list, and none twice."""
    causes = check_list(found, most, path, check)
    if len(found) > most:
        return causes
    seen: set[Hashable] = set()
    for index, item in enumerate(found):
        named = key(item)
        if named in seen:
            causes.append(duplicate(f"{path}[{index}]", named))
        seen.add(named)
    return causes


def check_label(name: str, path: str) -> list[Cause]:
    """Names of devices, requests and counters."""
    return each_invalid(path, name, names.dns_label(name))


def check_pool_name(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    causes = [too_long(path, _LONGEST_POOL)] if len(name) > _LONGEST_POOL else []
    for part in name.split("/"):
        causes += each_invalid(path, part, names.dns_subdomain(part))
    return causes


def check_qualified_name(name: str, path: str) -> list[Cause]:
    """`[domain/]name` of an attribute or a capacity."""
    parts = name.split("/")
    if len(parts) == 1:
        return _identifier(name, path)
    if len(parts) > 2:
        return []
    domain, own = parts
    causes = (
        check_driver_name(domain, path) if domain else [invalid(path, "", "the domain must not be empty")]
    )
    return causes + (_identifier(own, path) if own else [invalid(path, "", "the name must not be empty")])


def check_fully_qualified_name(name: str, path: str) -> list[Cause]:
    causes = check_qualified_name(name, path)
    if "/" not in name:
        why = "a fully qualified name must be a domain and a name separated by a slash"
        causes.append(invalid(path, name, why))
    return causes


def _identifier(name: str, path: str) -> list[Cause]:
    causes = [too_long(path, _LONGEST_ID)] if len(name) > _LONGEST_ID else []
    if not re.fullmatch(_IDENTIFIER, name, re.ASCII):
        why = names.mismatch(
            "a valid C identifier must start with alphabetic character or '_', followed by a string of "
            "alphanumeric characters or '_'",
            _IDENTIFIER,
            "my_name",
            "MY_NAME",
            "MyName",
        )
        causes.append(invalid(path, name, why))
    return causes


def check_selectors(selectors: Sequence[Object], path: str) -> list[Cause]:
    return check_list(selectors, _MOST_SELECTORS, path, _selector)


def _selector(selector: Object, at: str) -> list[Cause]:
    found: Object | None = selector.get("cel")
    if found is None:
        return [required(f"{at}.cel")]
    expression, path = string(found, "expression"), f"{at}.cel.expression"
    if len(expression.encode()) > _LONGEST_EXPRESSION:
        return [too_long(path, _LONGEST_EXPRESSION)]
    try:
        cel.compiled(expression)
    except cel.CelError as error:
        return [invalid(path, expression, str(error))]
    return []


def check_configuration(config: Object, at: str) -> list[Cause]:
    """Parameters that a driver understands and nobody else."""
    opaque: Object | None = config.get("opaque")
    if opaque is None:
        return [required(f"{at}.opaque")]
    causes = check_driver_name(string(opaque, "driver"), f"{at}.opaque.driver")
    return causes + check_raw(opaque.get("parameters"), f"{at}.opaque.parameters")


def check_raw(value: Any, path: str) -> list[Cause]:
    """Any JSON object that is not too large."""
    if value is None:
        return [required(path)]
    if not isinstance(value, dict):
        return [invalid(path, "<value omitted>", "must be a valid JSON object")]
    is_large = len(msgspec.json.encode(value)) > _LARGEST_PARAMETERS
    return [too_long(path, _LARGEST_PARAMETERS)] if is_large else []


def check_taint(taint: Object, at: str) -> list[Cause]:
    key, value, effect = (string(taint, field) for field in ("key", "value", "effect"))
    causes = each_invalid(f"{at}.key", key, names.qualified_name(key))
    causes += each_invalid(f"{at}.value", value, names.label_value(value))
    if not effect:
        causes.append(required(f"{at}.effect"))
    elif effect not in EFFECTS:
        causes.append(unsupported(f"{at}.effect", effect, EFFECTS))
    return causes


def check_toleration(toleration: Object, at: str) -> list[Cause]:
    key, value, effect = (string(toleration, field) for field in ("key", "value", "effect"))
    causes = each_invalid(f"{at}.key", key, names.qualified_name(key)) if key else []
    match string(toleration, "operator"):
        case "Exists":
            if value:
                causes.append(invalid(f"{at}.value", value, "must be empty for operator `Exists`"))
        case "Equal":
            causes += each_invalid(f"{at}.value", value, names.label_value(value))
        case "":
            causes.append(required(f"{at}.operator"))
        case operator:
            causes.append(unsupported(f"{at}.operator", operator, _OPERATORS))
    if effect and effect not in EFFECTS:
        causes.append(unsupported(f"{at}.effect", effect, EFFECTS))
    return causes


def check_binding(holder: Object, at: str) -> list[Cause]:
    """The conditions a device has to fulfil before a pod is bound: both kinds or none, and no condition in both."""
    wanted, failed = strings(holder, "bindingConditions"), strings(holder, "bindingFailureConditions")
    causes: list[Cause] = []
    for field, conditions in (("bindingConditions", wanted), ("bindingFailureConditions", failed)):
        causes += check_set(conditions, _MOST_BINDING, f"{at}.{field}", _condition_name, str)
    for index, condition in enumerate(failed):
        if condition in wanted:
            why = "bindingFailureConditions must not overlap with bindingConditions"
            causes.append(invalid(f"{at}.bindingFailureConditions[{index}]", condition, why))
    if failed and not wanted:
        why = "bindingConditions are required to use bindingFailureConditions"
        causes.append(invalid(f"{at}.bindingConditions", wanted, why))
    if wanted and not failed:
        why = "bindingFailureConditions are required to use bindingConditions"
        causes.append(invalid(f"{at}.bindingFailureConditions", failed, why))
    return causes


def _condition_name(name: str, path: str) -> list[Cause]:
    return each_invalid(path, name, names.qualified_name(name))
