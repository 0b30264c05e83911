"""A namespace."""

from __future__ import annotations

from ktui.describe.fields import metadata_of, write_annotations, write_labels
from ktui.describe.limits import write_limit_ranges, write_quotas
from ktui.describe.related import Related
from ktui.describe.text import Text
from ktui.kube.resource import Object


def describe_namespace(out: Text, obj: Object, related: Related) -> None:
    """Write a namespace."""
    metadata = metadata_of(obj)
    status: Object = obj.get("status") or {}
    out.field("Name", metadata.get("name") or "")
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    out.field("Status", status.get("phase") or "")
    if status.get("conditions"):
        out.line("Conditions:")
        columns = ("Type", "Status", "LastTransitionTime", "Reason", "Message")
        out.row(*columns, level=1)
        out.row(*("-" * len(column) for column in columns), level=1)
    for condition in status.get("conditions") or ():
        out.row(
            condition.get("type"),
            condition.get("status"),
            out.time(condition.get("lastTransitionTime")),
            condition.get("reason") or "",
            condition.get("message") or "",
            level=1,
        )
    write_quotas(out, related.quotas)
    write_limit_ranges(out, related.limit_ranges)
