"""managedFields of every write."""

from __future__ import annotations

from ktui.engine.api.writing import Write
from ktui.kube.clock import Clock
from ktui.kube.resource import Object


class Managers:
    """Tracks field managers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def created(self, write: Write, obj: Object) -> Object:
        return obj

    def updated(self, write: Write, old: Object, new: Object) -> Object:
        return new
