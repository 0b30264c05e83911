"""Ratcheting: an update may leave what a stricter schema finds wrong with values it does not touch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_STEP: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_NOWHERE: Final = object()


def changed_only(causes: Iterable[Cause], new: Object, old: Object) -> list[Cause]:
    """The causes about values that are not as they were."""
    return [cause for cause in causes if not _is_unchanged(cause, new, old)]


def _is_unchanged(cause: Cause, new: Object, old: Object) -> bool:
    steps = [int(index) if index else name for index, name in _STEP.findall(cause.field)]
    after, before = _at(new, steps), _at(old, steps)
    if after is _NOWHERE and steps:
        # What is missing is a matter of what it is missing in.
        after, before = _at(new, steps[:-1]), _at(old, steps[:-1])
    return after is not _NOWHERE and after == before


def _at(value: Any, steps: Iterable[str | int]) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return _NOWHERE
    return value
