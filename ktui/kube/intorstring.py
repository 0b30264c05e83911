"""IntOrString: a number, or a share of another number (`25%`), as in maxSurge and maxUnavailable."""

from __future__ import annotations

import re

_percent = re.compile(r"[0-9]+%", re.ASCII).fullmatch


def percent_of(value: int | str | None) -> int | None:
    """The percentage of `25%`; None for numbers and anything else."""
    return int(value[:-1]) if isinstance(value, str) and _percent(value) else None


def scaled(value: int | str, total: int, *, round_up: bool) -> int:
    """A number as it is, a percentage as that share of `total`, rounded up or down. Raises ValueError."""
    if isinstance(value, int):
        return value
    share = percent_of(value)
    if share is None:
        raise ValueError("invalid value for IntOrString: invalid type: string is not a percentage")
    return -(-share * total // 100) if round_up else share * total // 100
