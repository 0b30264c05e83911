"""Kubernetes' extension functions of CEL: strings, lists, URLs, IP addresses, quantities, regular expressions.

Quantities travel as their canonical text, URLs and addresses as text; the receiver of a method is the first
argument.
"""

# What CEL hands over has no static type.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import base64
import ipaddress
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

from ktui.engine.api.crd.formats import is_cidr
from ktui.kube.clock import rfc3339
from ktui.kube.quantity import QuantityError, canonical, parse_quantity


def _is(check: Callable[[str], object]) -> Callable[[str], bool]:
    def found(text: str) -> bool:
        try:
            check(text)
        except (ValueError, QuantityError):
            return False
        return True

    return found


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return text.startswith("/") or bool(parts.scheme and parts.netloc)


def _url(text: str) -> str:
    if not _is_url(text):
        raise ValueError(f"URL parse error during conversion from string: {text}")
    return text


def _cidr(text: str) -> str:
    if not is_cidr(text):
        raise ValueError(f"network address parse error during conversion from string: {text}")
    return text


def _network(text: str) -> Any:
    return ipaddress.ip_network(text, strict=False)


def _contains_ip(cidr: str, ip: str) -> bool:
    return ipaddress.ip_address(ip) in _network(cidr)


def _contains_cidr(cidr: str, other: str) -> bool:
    outer, inner = _network(cidr), _network(other)
    return outer.version == inner.version and inner.subnet_of(outer)


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ValueError(f"index out of range: {start}")
    return text[start:stop]


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise ValueError(f"index out of range: {index}")
    return text[index : index + 1]


def _string(value: Any) -> str:
    """`string(value)`, where the library knows too few types or spells them otherwise."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
        case bytes():
            return value.decode()
        case datetime():
            return rfc3339(value)
        case timedelta():
            return f"{value.total_seconds():.9f}".rstrip("0").rstrip(".") + "s"
        case int() | str():
            return str(value)
        case _:
            raise ValueError("no such overload: string")


def _index_of(values: Any, value: Any, start: int = 0) -> int:
    if isinstance(values, str):
        return values.find(value, start)
    return next((index for index, item in enumerate(values) if item == value), -1)


def _last_index_of(values: Any, value: Any) -> int:
    if isinstance(values, str):
        return values.rfind(value)
    return next((index for index in reversed(range(len(values))) if values[index] == value), -1)


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found.group(0) if found else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    found = [match.group(0) for match in re.finditer(pattern, text)]
    return found if most < 0 else found[:most]


def _replace(text: str, old: str, new: str, most: int = -1) -> str:
    return text.replace(old, new, most)


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    if most in (0, 1):
        return [text][:most]
    return list(text) if not separator else text.split(separator, most - 1 if most > 0 else -1)


def _compare(one: str, other: str) -> int:
    left, right = parse_quantity(one).nanos, parse_quantity(other).nanos
    return (left > right) - (left < right)


def _plus(one: str, other: Any, sign: int = 1) -> str:
    left = parse_quantity(one)
    right = parse_quantity(str(other))
    return canonical(str(left + right)) if sign > 0 else canonical(str(left - right))


_VERB: Final = re.compile(r"%(?:\.(\d+))?([sdfebxXo%])")


def _format(template: str, values: list[Any]) -> str:
    """`'%s is %d'.format([a, b])`."""
    left = iter(values)

    def shown(match: re.Match[str]) -> str:
        precision, verb = match.group(1), match.group(2)
        if verb == "%":
            return "%"
        try:
            value = next(left)
        except StopIteration:
            raise ValueError("index out of range: not enough arguments to format") from None
        match verb:
            case "s":
                return _text(value)
            case "f" | "e":
                return f"{float(value):.{precision or 6}{verb}}"
            case "d":
                return str(value)
            case "x" | "X" if isinstance(value, str | bytes):
                data = value.encode() if isinstance(value, str) else value
                return data.hex().upper() if verb == "X" else data.hex()
            case _:
                return format(int(value), verb)

    return _VERB.sub(shown, template)


def _text(value: Any) -> str:
    """As `%s` shows it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(_text(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(sorted(f'{_text(key)}: {_text(item)}' for key, item in value.items()))}}}"
        case float():
            return f"{value:g}"
        case timedelta():
            return f"{value.total_seconds():g}s"
        case datetime():
            return rfc3339(value)
        case _:
            return str(value)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "format": _format,
    "sort": sorted,
    "distinct": lambda values: [value for index, value in enumerate(values) if value not in values[:index]],
    "flatten": lambda values: [
        item for value in values for item in (value if isinstance(value, list) else [value])
    ],
    "slice": lambda values, start, end: values[start:end],
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "sets_contains": lambda one, other: all(item in one for item in other),
    "sets_equivalent": lambda one, other: all(i in one for i in other) and all(i in other for i in one),
    "sets_intersects": lambda one, other: any(item in one for item in other),
    "math_greatest": lambda *values: max(values[0] if isinstance(values[0], list) else values),
    "math_least": lambda *values: min(values[0] if isinstance(values[0], list) else values),
    "math_abs": abs,
    "math_ceil": lambda value: float(math.ceil(value)),
    "math_floor": lambda value: float(math.floor(value)),
    "math_round": lambda value: float(math.floor(value + 0.5)),
    "math_sign": lambda value: type(value)((value > 0) - (value < 0)),
    "math_isNaN": math.isnan,
    "math_isInf": math.isinf,
    "math_isFinite": math.isfinite,
    "base64_encode": lambda data: base64.b64encode(data).decode(),
    "base64_decode": lambda text: base64.b64decode(text + "=" * (-len(text) % 4)),
    "strings_quote": lambda text: json.dumps(text, ensure_ascii=False),
    "isSorted": lambda values: all(one <= other for one, other in pairwise(values)),
    "sum": lambda values: sum(values[1:], values[0]) if values else 0,
    "min": lambda *values: min(values[0] if len(values) == 1 and isinstance(values[0], list) else values),
    "max": lambda *values: max(values[0] if len(values) == 1 and isinstance(values[0], list) else values),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "find": _find,
    "findAll": _find_all,
    "charAt": _char_at,
    "join": lambda values, separator="": separator.join(values),
    "lowerAscii": str.lower,
    "upperAscii": str.upper,
    "replace": _replace,
    "reverse": lambda value: value[::-1],
    "split": _split,
    "substring": _substring,
    "trim": str.strip,
    "isURL": _is_url,
    "url": _url,
    "getScheme": lambda text: urlsplit(text).scheme,
    "getHost": lambda text: urlsplit(text).netloc.rpartition("@")[2],
    "getHostname": lambda text: urlsplit(text).hostname or "",
    "getPort": lambda text: str(urlsplit(text).port or ""),
    "getEscapedPath": lambda text: urlsplit(text).path,
    "isIP": _is(ipaddress.ip_address),
    "ip": lambda text: str(ipaddress.ip_address(text)),
    "family": lambda text: ipaddress.ip_address(text).version,
    "isLoopback": lambda text: ipaddress.ip_address(text).is_loopback,
    "isUnspecified": lambda text: ipaddress.ip_address(text).is_unspecified,
    "isCIDR": is_cidr,
    "cidr": _cidr,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "prefixLength": lambda text: _network(text).prefixlen,
    "masked": lambda text: str(_network(text)),
    "string": _string,
    "jsonpatch_escapeKey": lambda text: text.replace("~", "~0").replace("/", "~1"),
    "isQuantity": _is(canonical),
    "quantity": canonical,
    "isInteger": lambda text: parse_quantity(text).nanos % 10**9 == 0,
    "asInteger": lambda text: parse_quantity(text).nanos // 10**9,
    "asApproximateFloat": lambda text: parse_quantity(text).nanos / 10**9,
    "sign": lambda text: _compare(text, "0"),
    "isGreaterThan": lambda one, other: _compare(one, other) > 0,
    "isLessThan": lambda one, other: _compare(one, other) < 0,
    "compareTo": _compare,
    "add": _plus,
    "sub": lambda one, other: _plus(one, other, -1),
}
"""By name."""
