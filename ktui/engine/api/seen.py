"""What was computed before for the same JSON: replicas bring one pod spec many times over.

A pure function of a large part of an object is kept by that part's bytes, which are a tenth of the work of the
function. Values that were kept are shared, so nobody may change them.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import msgspec

V = TypeVar("V")

_encode = msgspec.json.Encoder().encode
_KEPT: Final = 256
_LARGEST: Final = 16 * 1024


class Seen(Generic[V]):
    """Values by the JSON they were computed from; the oldest half goes when there are too many."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._values: dict[tuple[Any, bytes], V] = {}

    @staticmethod
    def form(part: Any, *about: Any) -> tuple[Any, bytes]:
        """What to ask for and to keep by: a part of an object, and what else the value depends on."""
        return about, _encode(part)

    def get(self, form: tuple[Any, bytes]) -> V | None:
        """The value, if it was kept."""
        return self._values.get(form)

    def keep(self, form: tuple[Any, bytes], value: V) -> None:
        """Keep a value, unless its part is so large that it is hardly one of many."""
        if len(form[1]) > _LARGEST:
            return
        if len(self._values) >= self._kept:
            for old in list(self._values)[: self._kept // 2]:
                del self._values[old]
        self._values[form] = value
