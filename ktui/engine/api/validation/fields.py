"""Field errors in kube-apiserver's words, the vocabulary of every rule.

A path is the text a user sees: `spec.containers[0].ports[1].containerPort`, `metadata.labels[app]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ktui.kube import names
from ktui.kube.errors import Cause

IMMUTABLE = "field is immutable"


def invalid(path: str, value: Any, why: str) -> Cause:
    return Cause(path, "FieldValueInvalid", f"Invalid value: {shown(value)}: {why}")


def unfit(path: str, why: str) -> Cause:
    """Invalid, of a value that an error does not repeat: long ones, and those that are a whole object."""
    return Cause(path, "FieldValueInvalid", f"Invalid value: {why}")


def required(path: str, why: str = "") -> Cause:
    return Cause(path, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def forbidden(path: str, why: str) -> Cause:
    return Cause(path, "FieldValueForbidden", f"Forbidden: {why}")


def duplicate(path: str, value: Any) -> Cause:
    return Cause(path, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def not_found(path: str, value: Any) -> Cause:
    return Cause(path, "FieldValueNotFound", f"Not found: {shown(value)}")


def unsupported(path: str, value: Any, supported: Iterable[str]) -> Cause:
    listed = ", ".join(f'"{item}"' for item in supported)
    return Cause(
        path, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}"
    )


def too_long(path: str, most: int) -> Cause:
    return Cause(path, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")


def too_many(path: str, found: int, most: int) -> Cause:
    return Cause(path, "FieldValueTooMany", f"Too many: {found}: must have at most {most} items")


def shown(value: Any) -> str:
    """A value as an error shows it: strings quoted, the rest as JSON."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return msgspec.json.encode(value).decode()


def each_invalid(path: str, value: Any, problems: Iterable[str]) -> list[Cause]:
    """One error a problem, as the checks in `ktui.kube.names` give them."""
    return [invalid(path, value, problem) for problem in problems]


def one_of(path: str, value: Any, supported: Sequence[str]) -> list[Cause]:
    return [] if value in supported else [unsupported(path, value, supported)]


def non_negative(path: str, value: int | None) -> list[Cause]:
    return [] if value is None or value >= 0 else [invalid(path, value, names.NON_NEGATIVE)]


def between(path: str, value: int, low: int, high: int) -> list[Cause]:
    return [] if low <= value <= high else [invalid(path, value, names.not_between(low, high))]


def immutable(path: str, new: Any, old: Any) -> list[Cause]:
    """Refuse a change; what is missing equals what is empty."""
    return [] if (new or None) == (old or None) else [invalid(path, new, IMMUTABLE)]
