"""Rules for events: loose ones for those of the old kind, and strict ones for what comes by events.k8s.io.

All of them look at an event as core/v1 spells it, which is how errors name fields in Kubernetes too.
"""

from __future__ import annotations

from typing import Final

from ktui.engine.api.validation.fields import each_invalid, immutable, invalid, required
from ktui.kube import names
from ktui.kube.data import section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_LONGEST: Final = {"action": 128, "reason": 128}
_LONGEST_MESSAGE: Final = 1024
_TYPES: Final = ("Normal", "Warning")
_OLD_FIELDS: Final = ("firstTimestamp", "lastTimestamp", "count", "source")
_LASTING: Final = (
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
)
_REPORTER: Final = "reportingController"
"""What errors call `reportingComponent` in events.k8s.io."""


def check_event(event: Object, reporter: str = _REPORTER) -> list[Cause]:
    """What holds for every event; `reporter` is what its API calls the field of who reports."""
    namespace = string(section(event, "metadata"), "namespace")
    involved = string(section(event, "involvedObject"), "namespace")
    is_new = bool(event.get("eventTime"))
    alone = ("default", "kube-system") if is_new else ("", "default")
    causes: list[Cause] = []
    if namespace not in alone if not involved else (not is_new and involved != namespace):
        causes.append(invalid("involvedObject.namespace", involved, "does not match event.namespace"))
    return causes + _said(event, reporter) if is_new else causes


def _said(event: Object, reporter: str) -> list[Cause]:
    controller, instance = string(event, "reportingComponent"), string(event, "reportingInstance")
    causes = [] if controller else [required(reporter)]
    causes += each_invalid(reporter, controller, names.qualified_name(controller))
    if not instance:
        causes.append(required("reportingInstance"))
    causes += _no_longer("reportingInstance", instance, 128)
    for field, most in _LONGEST.items():
        if not event.get(field):
            causes.append(required(field))
        causes += _no_longer(field, string(event, field), most)
    return causes + _no_longer("message", string(event, "message"), _LONGEST_MESSAGE)


def _no_longer(field: str, value: str, most: int) -> list[Cause]:
    is_long = len(value.encode()) > most
    return [invalid(field, "", f"can have at most {most} characters")] if is_long else []


def check_new_event(event: Object) -> list[Cause]:
    """What else holds for an event created by events.k8s.io: nothing of the old kind."""
    causes = _series(event)
    if not event.get("eventTime"):
        causes.append(required("eventTime"))
    kind = string(event, "type")
    if kind not in _TYPES:
        causes.append(invalid("type", "", f"has invalid value: {kind}"))
    return causes + [invalid(field, "", "needs to be unset") for field in _OLD_FIELDS if event.get(field)]


def check_event_update(new: Object, old: Object) -> list[Cause]:
    """By events.k8s.io an event goes on, in its series, and says nothing else."""
    causes = [] if new.get("series") == old.get("series") else _series(new)
    for field in _LASTING:
        path = _REPORTER if field == "reportingComponent" else field
        causes += immutable(path, new.get(field), old.get(field))
    return causes


def _series(event: Object) -> list[Cause]:
    series = event.get("series")
    if series is None:
        return []
    causes: list[Cause] = []
    if (series.get("count") or 0) < 2:
        causes.append(invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        causes.append(required("series.lastObservedTime"))
    return causes
