"""Figures as Prometheus reads them: families of samples in, the text format out.

Counting is cheap and knows no text: a `Distribution` is an array of counts that is bisected into. Text is made
when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = Mapping[str, str]
Row: TypeAlias = tuple[str, Labels, float | int, int | None]
"""One line: name, labels, value, and when it was measured (ms) if that is told."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its samples: labels and a value, and when it was measured (ms) if that is told."""

    name: str
    type: str
    help: str
    samples: Sequence[tuple[Labels, float | int, int | None]] = field(
        default_factory=tuple[tuple[Labels, float | int, int | None], ...]
    )

    def rows(self) -> Iterator[Row]:
        """Its lines."""
        for labels, value, when in self.samples:
            yield self.name, labels, value, when


class Distribution:
    """How values spread over buckets (their upper bounds, ascending)."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.sum = 0.0
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def rows(self, name: str, labels: Labels) -> Iterator[Row]:
        """Its lines: the buckets, each with all that is below it, the sum and the count."""
        totals = list(accumulate(self._counts))
        bounds = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        for bound, total in zip(bounds, totals, strict=True):
            yield f"{name}_bucket", {**labels, "le": bound}, total, None
        yield f"{name}_sum", labels, self.sum, None
        yield f"{name}_count", labels, totals[-1], None


@dataclass(frozen=True, slots=True)
class Histogram:
    """One metric with distributions by labels."""

    name: str
    help: str
    samples: Sequence[tuple[Labels, Distribution]]
    type: str = "histogram"

    def rows(self) -> Iterator[Row]:
        """Its lines."""
        for labels, distribution in self.samples:
            yield from distribution.rows(self.name, labels)


def exposed(families: Iterable[Family | Histogram]) -> bytes:
    """The text format; metrics without samples are left out."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.type}"]
        for name, labels, value, when in family.rows():
            inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            stamp = "" if when is None else f" {when}"
            lines.append(f"{name}{{{inside}}} {value}{stamp}" if inside else f"{name} {value}{stamp}")
    return ("\n".join(lines) + "\n").encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
