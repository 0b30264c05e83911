"""Conditions of a CustomResourceDefinition's status."""

from __future__ import annotations

from datetime import datetime

from ktui.kube.clock import rfc3339
from ktui.kube.data import items, section
from ktui.kube.resource import Object


def with_condition(
    definition: Object, kind: str, value: str, reason: str, message: str, now: datetime
) -> Object:
    """The definition with a condition set; its time changes with its status only."""
    found = section(definition, "status")
    conditions = items(found, "conditions")
    old = next((each for each in conditions if each.get("type") == kind), None)
    wanted: Object = {"lastTransitionTime": rfc3339(now)}
    wanted |= {"message": message, "reason": reason, "status": value, "type": kind}
    if old is None:
        return {**definition, "status": {**found, "conditions": [*conditions, wanted]}}
    if old.get("status") == value:
        wanted["lastTransitionTime"] = old.get("lastTransitionTime") or wanted["lastTransitionTime"]
    kept = [wanted if each is old else each for each in conditions]
    return {**definition, "status": {**found, "conditions": kept}}
