"""What a controller has done but not yet seen in its cache, so that it doesn't do it twice.

Before creating or deleting pods a controller writes down how many creations and which deletions (by UID) it
expects; the informer's handlers tick them off. Until all are seen, or five minutes have passed (a lost watch
event must not block for ever), the controller leaves replicas alone. client-go's ControllerExpectations.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ktui.kube.clock import Clock
from ktui.kube.resource import ObjectKey

TIMEOUT = 300.0


@dataclass(slots=True)
class _Expected:
    creations: int
    deletions: set[str] = field(default_factory=set[str])
    since: float = 0.0


class Expectations:
    """Expected creations and deletions, per object that owns them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected: dict[ObjectKey, _Expected] = {}

    def satisfied(self, key: ObjectKey) -> bool:
        """Whether the cache has caught up with what was done for `key`."""
        expected = self._expected.get(key)
        if expected is None:
            return True
        if expected.creations <= 0 and not expected.deletions:
            return True
        return self._clock.monotonic() - expected.since > TIMEOUT

    def expect_creations(self, key: ObjectKey, count: int) -> None:
        self.expect(key, count, set())

    def expect_deletions(self, key: ObjectKey, uids: set[str]) -> None:
        self.expect(key, 0, uids)

    def expect(self, key: ObjectKey, creations: int, deletions: set[str]) -> None:
        self._expected[key] = _Expected(creations, set(deletions), self._clock.monotonic())

    def creation_observed(self, key: ObjectKey, count: int = 1) -> None:
        """A pod of `key` appeared, or (count) creations failed and will never be seen."""
        expected = self._expected.get(key)
        if expected is not None:
            expected.creations -= count

    def deletion_observed(self, key: ObjectKey, uid: str) -> None:
        """A pod of `key` went or is going, or its deletion failed."""
        expected = self._expected.get(key)
        if expected is not None:
            expected.deletions.discard(uid)

    def forget(self, key: ObjectKey) -> None:
        """The owner is gone."""
        self._expected.pop(key, None)
