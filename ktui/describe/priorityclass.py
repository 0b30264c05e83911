"""PriorityClasses."""

from __future__ import annotations

from collections.abc import Mapping

from ktui.describe.fields import metadata_of, write_events
from ktui.describe.related import Related
from ktui.describe.text import NONE, Text
from ktui.kube.resource import Object


def describe_priority_class(out: Text, obj: Object, related: Related) -> None:
    """Write a PriorityClass."""
    metadata = metadata_of(obj)
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    listed = ",".join(f"{key}={value}" for key, value in sorted(annotations.items()))
    out.field("Name", metadata.get("name") or "")
    out.field("Value", str(obj.get("value") or 0))
    out.field("GlobalDefault", str(bool(obj.get("globalDefault"))).lower())
    out.field("PreemptionPolicy", obj.get("preemptionPolicy") or "")
    out.field("Description", obj.get("description") or "")
    out.field("Annotations", listed or NONE)
    write_events(out, related.events)
