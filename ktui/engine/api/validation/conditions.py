"""Rules for lists of `metav1.Condition`, the same for every kind that has them."""

from __future__ import annotations

import re
from typing import Final

from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    invalid,
    required,
    too_long,
    unsupported,
)
from ktui.kube import names
from ktui.kube.data import string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_STATUSES: Final = ("False", "True", "Unknown")
_REASON: Final = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_LONGEST_REASON: Final = 1024
_LONGEST_MESSAGE: Final = 32 * 1024


def check_conditions(conditions: list[Object], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        at, kind = f"{path}[{index}]", string(condition, "type")
        if kind in seen:
            causes.append(duplicate(at, kind))
        seen.add(kind)
        causes += _condition(condition, at)
    return causes


def _condition(condition: Object, at: str) -> list[Cause]:
    kind, status = string(condition, "type"), string(condition, "status")
    if kind:
        causes = each_invalid(f"{at}.type", kind, names.qualified_name(kind))
    else:
        causes = [required(f"{at}.type", "is required")]
    if not status:
        causes.append(required(f"{at}.status"))
    elif status not in _STATUSES:
        causes.append(unsupported(f"{at}.status", status, _STATUSES))
    observed: int = condition.get("observedGeneration") or 0
    if observed < 0:
        causes.append(invalid(f"{at}.observedGeneration", observed, "must be greater than or equal to zero"))
    if not condition.get("lastTransitionTime"):
        causes.append(required(f"{at}.lastTransitionTime"))
    causes += _reason(string(condition, "reason"), f"{at}.reason")
    if len(string(condition, "message").encode()) > _LONGEST_MESSAGE:
        causes.append(too_long(f"{at}.message", _LONGEST_MESSAGE))
    return causes


def _reason(reason: str, at: str) -> list[Cause]:
    if not reason:
        return [required(at)]
    causes: list[Cause] = []
    if not re.fullmatch(_REASON, reason, re.ASCII):
        why = names.mismatch(
            "a condition reason must start with alphabetic character, optionally followed by a string of "
            "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
            _REASON,
            "my_name",
            "MY_NAME",
            "MyName",
            "ReasonA,ReasonB",
            "ReasonA:ReasonB",
        )
        causes.append(invalid(at, reason, why))
    if len(reason.encode()) > _LONGEST_REASON:
        causes.append(too_long(at, _LONGEST_REASON))
    return causes
