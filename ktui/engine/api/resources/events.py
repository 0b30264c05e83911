"""Event: what happened to an object, counted when it happens again. Kept for a while only."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.declaration import Column, Declaration
from ktui.engine.api.resources.columns import NAME, text
from ktui.engine.api.validation.events import check_event
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube.age import age
from ktui.kube.data import section
from ktui.kube.errors import Cause
from ktui.kube.kinds import EVENTS
from ktui.kube.resource import Object

_INVOLVED: Final = (
    "kind",
    "namespace",
    "name",
    "uid",
    "apiVersion",
    "resourceVersion",
    "fieldPath",
)


def validate(event: Object) -> list[Cause]:
    return check_metadata(event, namespaced=True) + check_event(event, "reportingComponent")


def _source(event: Object) -> str:
    source = section(event, "source")
    component: str = source.get("component") or event.get("reportingComponent") or ""
    host: str = source.get("host") or (
        "" if source.get("component") else event.get("reportingInstance") or ""
    )
    return f"{component}, {host}" if host else component


def _object(event: Object) -> str:
    involved = section(event, "involvedObject")
    kind = str(involved.get("kind") or "").lower()
    return f"{kind}/{involved['name']}" if involved.get("name") else kind


def _first_seen(event: Object) -> Any:
    return event.get("firstTimestamp") or event.get("eventTime")


def _last_seen(event: Object) -> Any:
    series = section(event, "series")
    if series:
        return series.get("lastObservedTime")
    return event.get("lastTimestamp") or _first_seen(event)


def _count(event: Object) -> int:
    series = section(event, "series")
    return int((series.get("count") if series else event.get("count")) or 1)


def _reads(field: str) -> Column:
    return text(field.capitalize(), lambda event: str(event.get(field) or ""))


def _involved(event: Object, field: str) -> str:
    return str(section(event, "involvedObject").get(field) or "")


DECLARATIONS = (
    Declaration(
        resource=EVENTS,
        schema="io.k8s.api.core.v1.Event",
        creates_on_update=True,
        columns=(
            Column(name="Last Seen", read=_last_seen, show=age, description="When it last happened."),
            _reads("type"),
            _reads("reason"),
            text("Object", _object, "What it happened to."),
            text("Subobject", lambda event: _involved(event, "fieldPath"), priority=1),
            text("Source", _source, "Who reports it.", priority=1),
            text("Message", lambda event: str(event.get("message") or "").strip()),
            Column(
                name="First Seen",
                read=_first_seen,
                show=age,
                description="When it first happened.",
                priority=1,
            ),
            text("Count", _count, "How often it happened.", priority=1),
            Column(name="Name", read=NAME.read, format="name", priority=1),
        ),
        validate_create=validate,
        validate_update=check_metadata_update,
        selectable_fields={
            **{
                f"involvedObject.{field}": lambda event, field=field: _involved(event, field)
                for field in _INVOLVED
            },
            "reason": lambda event: str(event.get("reason") or ""),
            "reportingComponent": lambda event: str(event.get("reportingComponent") or ""),
            "source": lambda event: str(
                section(event, "source").get("component") or event.get("reportingComponent") or ""
            ),
            "type": lambda event: str(event.get("type") or ""),
        },
    ),
)
