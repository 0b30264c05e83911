"""Sort keys that order cells as a person would: 9 before 10, 512Mi before 1Gi, 1/3 before 3/3, 59s before 2m.

Text in, a tuple out; tuples of any two cells compare. Cells that hold nothing (`<none>`, "") sort last.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

SortKey: TypeAlias = tuple[int, float, tuple[tuple[int, int, str], ...]]

_EMPTY = {"", "-", "n/a", "<none>", "<unknown>", "<unset>"}
_LAST: SortKey = (2, 0.0, ())
_SCALES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60, "%": 1.0, "": 1.0,
}  # fmt: skip
_SECONDS = {"y": 365 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d+)?)([KMGTPE]i|[numkMGTPE%])?(?:$|[ (])")
_RATIO = re.compile(r"(\d+)/(\d+)")
_DURATION = re.compile(r"(?:\d+[ydhms])+")
_DURATION_PART = re.compile(r"(\d+)([ydhms])")
_CHUNK = re.compile(r"(\d+)")


def duration_seconds(text: str) -> float | None:
    """The seconds in `5m30s` as Kubernetes prints ages, or None when `text` does not start with one."""
    match = _DURATION.match(text)
    if match is None:
        return None
    return float(sum(int(count) * _SECONDS[unit] for count, unit in _DURATION_PART.findall(match[0])))


def number_of(text: str) -> float | None:
    """The value of a cell that starts with a number or quantity (`3 (5m ago)`, `250m`, `41%`, `1/3`)."""
    ratio = _RATIO.match(text)
    if ratio is not None:
        return float(ratio[1])
    match = _QUANTITY.match(text)
    return float(match[1]) * _SCALES[match[2] or ""] if match is not None else None


@lru_cache(maxsize=1 << 15)
def natural_key(text: str, *, duration: bool = False) -> SortKey:
    """The sort key of a cell; `duration` reads `5m` as five minutes and not as five thousandths."""
    if text in _EMPTY:
        return _LAST
    if duration:
        seconds = duration_seconds(text)
        if seconds is not None:
            return (0, seconds, ())
    first = text[0]
    if first.isdigit() or first in "+-":
        ratio = _RATIO.match(text)
        if ratio is not None:
            return (0, float(ratio[1]), ((0, int(ratio[2]), ""),))
        number = number_of(text)
        if number is not None:
            return (0, number, ())
    return (1, 0.0, _chunks(text))


def _chunks(text: str) -> tuple[tuple[int, int, str], ...]:
    lowered = text.lower()
    if lowered.isalpha():
        return ((1, 0, lowered),)
    return tuple(
        (0, int(part), part) if index % 2 else (1, 0, part)
        for index, part in enumerate(_CHUNK.split(lowered))
    )
