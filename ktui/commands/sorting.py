"""`--sort-by`: objects in the order of one field, compared as kubectl compares it.

Missing values come first; texts that are quantities are compared as amounts, other texts in natural order
(`web-2` before `web-10`), which puts times in their order too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cmp_to_key
from typing import Any, TypeVar

from ktui.commands.session import UserError
from ktui.kube.jsonpath import JSONPath, JSONPathError
from ktui.kube.quantity import QuantityError, parse_quantity
from ktui.kube.resource import Object

T = TypeVar("T")

_RUNS = re.compile(r"(\d+)")


def sorted_by(path: str, items: Sequence[T], object_of: Callable[[T], Object]) -> list[T]:
    """The items by a field of their objects; equal ones keep their order. Raises UserError."""
    try:
        template = JSONPath(path if path.startswith("{") else "{" + path + "}")
    except JSONPathError as error:
        raise UserError(f"--sort-by {path}: {error}") from None
    pairs = [(next(iter(template.find(object_of(item))), None), item) for item in items]
    by_value = cmp_to_key(compare)
    return [item for _, item in sorted(pairs, key=lambda pair: by_value(pair[0]))]


def compare(left: Any, right: Any) -> int:
    """Negative when `left` comes first, 0 when neither does."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if isinstance(left, str) and isinstance(right, str):
        try:
            return _order(parse_quantity(left), parse_quantity(right))
        except QuantityError:
            return _order(_natural(left), _natural(right))
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _order(left, right)
    return _order(type(left).__name__, type(right).__name__)


def _order(left: Any, right: Any) -> int:
    return (left > right) - (left < right)


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Digits as numbers, what is between them as text; digits before letters, as in the text itself."""
    return [(False, int(run), run) if run.isdecimal() else (True, 0, run) for run in _RUNS.split(text) if run]
