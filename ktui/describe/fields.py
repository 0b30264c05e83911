"""The parts that descriptions of many kinds share: labels, annotations, tolerations, conditions, events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ktui.describe.text import NONE, Text
from ktui.kube.age import age
from ktui.kube.data import section
from ktui.kube.resource import Object
from ktui.kube.selector import Selector

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_WIDEST_ANNOTATION: Final = 140


def metadata_of(obj: Object) -> Object:
    return obj.get("metadata") or {}


def write_names(out: Text, obj: Object) -> None:
    """Name, namespace, labels and annotations, as most descriptions begin."""
    metadata = metadata_of(obj)
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))


def write_labels(out: Text, title: str, labels: Mapping[str, Any] | None) -> None:
    """`title: key=value`, one a line. `title` may begin with the indentation, which every line repeats."""
    indent = title[: len(title) - len(title.lstrip())]
    write_listed(out, title, [f"{key}={value}" for key, value in sorted((labels or {}).items())], indent)


def write_listed(out: Text, title: str, values: Iterable[str], indent: str = "") -> None:
    """The values below each other behind one title, or `<none>`."""
    lead = f"{title}:"
    for value in list(values) or [NONE]:
        out.row(lead, value)
        lead = indent


def write_annotations(out: Text, title: str, annotations: Mapping[str, Any] | None) -> None:
    """Long or several-line values go below their key, cut to the width."""
    shown = {key: value for key, value in (annotations or {}).items() if key != LAST_APPLIED}
    lead = f"{title}:"
    if not shown:
        out.row(lead, NONE)
    for key, annotation in sorted(shown.items()):
        value = str(annotation).removesuffix("\n")
        if len(value) + len(key) + 2 > _WIDEST_ANNOTATION or "\n" in value:
            out.row(lead, f"{key}:")
            for part in value.split("\n"):
                out.row("", f"  {_shortened(part, _WIDEST_ANNOTATION - 2)}")
        else:
            out.row(lead, f"{key}: {value}")
        lead = ""


def write_tolerations(out: Text, title: str, tolerations: Sequence[Object] | None) -> None:
    indent = title[: len(title) - len(title.lstrip())]
    ordered = sorted(tolerations or (), key=lambda toleration: toleration.get("key") or "")
    write_listed(out, title, [_toleration(toleration) for toleration in ordered], indent)


def write_conditions(out: Text, conditions: Sequence[Object] | None) -> None:
    """Type, status and reason: what workloads show."""
    if not conditions:
        return
    out.line("Conditions:")
    out.row("Type", "Status", "Reason", level=1)
    out.row("----", "------", "------", level=1)
    for condition in conditions:
        out.row(f"{condition.get('type')} ", condition.get("status"), condition.get("reason") or "", level=1)


def write_events(out: Text, events: Sequence[Object] | None) -> None:
    """The table at the end, oldest first; nothing when events were not asked for."""
    if events is None:
        return
    if not events:
        out.row("Events:", NONE)
        return
    out.flush()
    out.line("Events:")
    out.row("Type", "Reason", "Age", "From", "Message", level=1)
    out.row("----", "------", "----", "----", "-------", level=1)
    for event in sorted(events, key=lambda event: event.get("lastTimestamp") or ""):
        source: Object = event.get("source") or {}
        out.row(
            event.get("type") or "",
            event.get("reason") or "",
            _interval(event, out),
            source.get("component") or event.get("reportingComponent") or "",
            str(event.get("message") or "").strip(),
            level=1,
        )


def controlled_by(obj: Object) -> str:
    """`ReplicaSet/web-5d4`, or ""."""
    owners: Sequence[Object] = metadata_of(obj).get("ownerReferences") or ()
    return next((f"{o.get('kind')}/{o.get('name')}" for o in owners if o.get("controller")), "")


def write_controlled(out: Text, obj: Object) -> None:
    """How an object that selects pods begins: its name and selector, and who controls it."""
    metadata, spec = metadata_of(obj), section(obj, "spec")
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    out.field("Selector", label_selector(spec.get("selector")))
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    if owner := controlled_by(obj):
        out.field("Controlled By", owner)


def label_selector(selector: Object | None) -> str:
    """A LabelSelector in the query's syntax."""
    return str(Selector.of(selector)) or NONE


def _toleration(toleration: Object) -> str:
    key, value = toleration.get("key") or "", toleration.get("value") or ""
    effect, seconds = toleration.get("effect") or "", toleration.get("tolerationSeconds")
    text = key
    if value:
        text += f"={value}"
    if effect:
        text += f":{effect}"
    if toleration.get("operator") == "Exists" and not value:
        text += " op=Exists" if text else "op=Exists"
    return text if seconds is None else f"{text} for {seconds}s"


def _interval(event: Object, out: Text) -> str:
    first = age(event.get("eventTime") or event.get("firstTimestamp"), out.now)
    series: Object | None = event.get("series")
    if series:
        return f"{age(series.get('lastObservedTime'), out.now)} (x{series.get('count')} over {first})"
    if (event.get("count") or 0) > 1:
        return f"{age(event.get('lastTimestamp'), out.now)} (x{event['count']} over {first})"
    return first


def _shortened(text: str, longest: int) -> str:
    return f"{text[:longest]}..." if len(text) > longest else text
