"""Event of events.k8s.io: the events of the core group under their newer names, with stricter rules.

Both APIs show the same stored objects; what is written here is stored as core/v1 spells it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from ktui.engine.api.declaration import Converted, Declaration
from ktui.engine.api.documents import decode, encode
from ktui.engine.api.resources import events
from ktui.engine.api.validation.events import check_event, check_event_update, check_new_event
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube.errors import Cause
from ktui.kube.kinds import EVENTS, EVENTS_OF_GROUP
from ktui.kube.resource import Object

Seen = TypeVar("Seen")

_NAMES: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
"""What core/v1 calls a field, and what this API calls it."""
_CORE_NAMES: Final = {newer: older for older, newer in _NAMES.items()}
_SELECTED: Final = {
    "reason": "reason",
    "reportingController": "reportingComponent",
    "type": "type",
    **{
        f"regarding.{field}": f"involvedObject.{field}"
        for field in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    },
}
_CORE: Final = events.DECLARATIONS[0]


def to_core(event: Object) -> Object:
    """An event as it is stored."""
    return {_CORE_NAMES.get(field, field): value for field, value in event.items()} | {
        "apiVersion": EVENTS.api_version
    }


def from_core(event: Object) -> Object:
    """A stored event as this API spells it."""
    return {_NAMES.get(field, field): value for field, value in event.items()} | {
        "apiVersion": EVENTS_OF_GROUP.api_version
    }


def validate(event: Object) -> list[Cause]:
    return check_metadata(event, namespaced=True) + check_event(to_core(event))


def validate_new(event: Object) -> list[Cause]:
    return check_new_event(to_core(event))


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + check_event_update(to_core(new), to_core(old))


def _as_core(read: Callable[[Object], Seen]) -> Callable[[Object], Seen]:
    """What reads a core event, of this API's."""
    return lambda event: read(to_core(event))


DECLARATIONS = (
    Declaration(
        resource=EVENTS_OF_GROUP,
        schema="io.k8s.api.events.v1.Event",
        shows=EVENTS,
        converted=Converted(lambda data: encode(from_core(decode(data))), to_core),
        creates_on_update=True,
        columns=[replace(column, read=_as_core(column.read)) for column in _CORE.columns],
        validate_create=validate,
        validate_new=validate_new,
        validate_update=validate_update,
        selectable_fields={
            field: _as_core(_CORE.selectable_fields[of_core]) for field, of_core in _SELECTED.items()
        },
    ),
)
