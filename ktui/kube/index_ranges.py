"""Sets of indexes as a Job's status and policies write them: `0,2-5`, ordered, without overlaps.

Kept as ranges, because a Job may have a hundred thousand indexes and its status a few stretches of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class IndexRangeError(ValueError):
    """A text that is no set of indexes; the message is kube-apiserver's."""


class _Span(NamedTuple):
    first: int
    last: int


class IndexRanges:
    """An immutable set of indexes."""

    def __init__(self, spans: Sequence[_Span] = ()) -> None:
        self._spans = tuple(spans)

    def __len__(self) -> int:
        return sum(span.last - span.first + 1 for span in self._spans)

    def __contains__(self, index: int) -> bool:
        low, high = 0, len(self._spans)
        while low < high:
            middle = (low + high) // 2
            if self._spans[middle].last < index:
                low = middle + 1
            else:
                high = middle
        return low < len(self._spans) and self._spans[low].first <= index

    def __iter__(self) -> Iterator[int]:
        for span in self._spans:
            yield from range(span.first, span.last + 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IndexRanges) and self._spans == other._spans

    def __hash__(self) -> int:
        return hash(self._spans)

    def __str__(self) -> str:
        return ",".join(_text(span) for span in self._spans)

    def including(self, indexes: Iterable[int]) -> IndexRanges:
        """These and the given ones."""
        return self._joined([*self._spans, *(_Span(index, index) for index in indexes)])

    def common(self, other: IndexRanges) -> int:
        """How many indexes both have."""
        count = mine = theirs = 0
        while mine < len(self._spans) and theirs < len(other._spans):
            left, right = self._spans[mine], other._spans[theirs]
            count += max(min(left.last, right.last) - max(left.first, right.first) + 1, 0)
            mine += left.last <= right.last
            theirs += right.last <= left.last
        return count

    def pending(self, count: int, without: IndexRanges) -> list[int]:
        """The first of 0 … count - 1 that are in neither set."""
        taken = self._joined([*self._spans, *without._spans])
        return [index for index in range(count) if index not in taken]

    @staticmethod
    def _joined(spans: list[_Span]) -> IndexRanges:
        joined: list[_Span] = []
        for span in sorted(spans):
            if joined and span.first <= joined[-1].last + 1:
                joined[-1] = _Span(joined[-1].first, max(joined[-1].last, span.last))
            else:
                joined.append(span)
        return IndexRanges(joined)

    @classmethod
    def of(cls, indexes: Iterable[int]) -> IndexRanges:
        return cls().including(indexes)

    @classmethod
    def parse(cls, text: str, completions: int) -> IndexRanges:
        """Read `0,2-5`, of indexes below `completions`. Raises IndexRangeError."""
        spans: list[_Span] = []
        for part in text.split(",") if text else ():
            ends = part.split("-")
            if len(ends) > 2:
                raise IndexRangeError(
                    f'the fragment "{part}" violates the requirement that an index interval can have at most two '
                    "parts separated by '-'"
                )
            span = _Span(_index(ends[0]), _index(ends[-1]))
            if span.first >= completions or span.last >= completions:
                raise IndexRangeError(
                    "too large index: " + f'"{ends[0] if span.first >= completions else ends[-1]}"'
                )
            if spans and spans[-1].last >= span.first:
                raise IndexRangeError(
                    f"non-increasing order, previous: {spans[-1].last}, current: {span.first}"
                )
            if len(ends) == 2 and span.first >= span.last:
                raise IndexRangeError(f"non-increasing order, previous: {span.first}, current: {span.last}")
            spans.append(span)
        return cls._joined(spans)


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise IndexRangeError(f'cannot convert string to integer for index: "{text}"')
    return int(text)


def _text(span: _Span) -> str:
    """Two are listed, three and more are a range."""
    if span.first == span.last:
        return str(span.first)
    return f"{span.first}{',' if span.last == span.first + 1 else '-'}{span.last}"
