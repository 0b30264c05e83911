"""When the change happened that endpoints are written for: `endpoints.kubernetes.io/last-change-trigger-time`.

Per service: the earliest of the moments at which one of its pods became ready or unready, or the service was
made, that the last sync had not seen. Whoever measures how long a change takes to arrive starts the clock there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from lightkube.models.core_v1 import Pod, Service

from ktui.engine.controllers.objects import condition_of, created_at, key_of
from ktui.kube.clock import rfc3339
from ktui.kube.resource import ObjectKey

TRIGGER_TIME: Final = "endpoints.kubernetes.io/last-change-trigger-time"


class TriggerTimes:
    """What the last sync of each service had seen."""

    def __init__(self) -> None:
        self._seen: dict[ObjectKey, dict[ObjectKey, datetime]] = {}

    def annotations(self, service: Service, pods: Iterable[Pod]) -> dict[str, str]:
        """The annotation for what is written now; empty when nothing has a time of its own."""
        key = key_of(service)
        before = self._seen.get(key)
        now = {key_of(pod): moment for pod in pods if (moment := _changed(pod)) is not None}
        now[key] = created_at(service)
        fresh = [moment for name, moment in now.items() if before is None or before.get(name) != moment]
        if before is not None:
            fresh = [moment for moment in fresh if moment != created_at(service)]
        self._seen[key] = now
        return {TRIGGER_TIME: rfc3339(min(fresh))} if fresh else {}

    def forget(self, service: ObjectKey) -> None:
        self._seen.pop(service, None)


def _changed(pod: Pod) -> datetime | None:
    condition = condition_of(pod, "Ready")
    return condition.lastTransitionTime if condition is not None else None
