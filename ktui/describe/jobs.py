"""Jobs and CronJobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ktui.describe.fields import (
    label_selector,
    write_controlled,
    write_events,
    write_names,
)
from ktui.describe.pod import write_pod_template
from ktui.describe.related import Related
from ktui.describe.text import NONE, UNSET, Text
from ktui.kube.age import human_duration
from ktui.kube.clock import parse_time
from ktui.kube.data import items, section, string
from ktui.kube.resource import Object

_SHOWN_INDEXES: Final = 50
"""Characters of a set of indexes, about."""


def describe_job(out: Text, obj: Object, related: Related) -> None:
    """Write a Job."""
    spec, status = section(obj, "spec"), section(obj, "status")
    write_controlled(out, obj)
    out.field("Parallelism", _or_unset(spec.get("parallelism")))
    out.field("Completions", _or_unset(spec.get("completions")))
    for label, field in (
        ("Completion Mode", "completionMode"),
        ("Suspend", "suspend"),
        ("Backoff Limit", "backoffLimit"),
        ("TTL Seconds After Finished", "ttlSecondsAfterFinished"),
    ):
        if spec.get(field) is not None:
            out.field(label, _plain(spec[field]))
    _write_times(out, status)
    if spec.get("activeDeadlineSeconds") is not None:
        out.field("Active Deadline Seconds", f"{spec['activeDeadlineSeconds']}s")
    out.field("Pods Statuses", _pods(status))
    if spec.get("completionMode") == "Indexed":
        out.field("Completed Indexes", _capped(string(status, "completedIndexes")))
    write_pod_template(out, section(spec, "template"))
    write_events(out, related.events)


def _write_times(out: Text, status: Object) -> None:
    start, end = string(status, "startTime"), string(status, "completionTime")
    if start:
        out.field("Start Time", out.time(start))
    if end:
        out.field("Completed At", out.time(end))
    if start and end:
        out.field("Duration", human_duration((parse_time(end) - parse_time(start)).total_seconds()))


def _pods(status: Object) -> str:
    active = str(status.get("active") or 0) + " Active"
    if status.get("ready") is not None:
        active += f" ({status['ready']} Ready)"
    return f"{active} / {status.get('succeeded') or 0} Succeeded / {status.get('failed') or 0} Failed"


def _capped(indexes: str) -> str:
    """The set up to the first comma after the longest that is shown."""
    end = indexes.find(",", _SHOWN_INDEXES)
    return (indexes if end < 0 else f"{indexes[: end + 1]}...") or NONE


def describe_cron_job(out: Text, obj: Object, related: Related) -> None:
    """Write a CronJob."""
    spec, status = section(obj, "spec"), section(obj, "status")
    write_names(out, obj)
    out.field("Schedule", string(spec, "schedule"))
    out.field("Concurrency Policy", string(spec, "concurrencyPolicy"))
    out.field("Suspend", str(bool(spec.get("suspend"))))
    out.field("Successful Job History Limit", _or_unset(spec.get("successfulJobsHistoryLimit")))
    out.field("Failed Job History Limit", _or_unset(spec.get("failedJobsHistoryLimit")))
    deadline = spec.get("startingDeadlineSeconds")
    out.field("Starting Deadline Seconds", UNSET if deadline is None else f"{deadline}s")
    _write_template(out, section(spec, "jobTemplate", "spec"))
    last = string(status, "lastScheduleTime")
    out.field("Last Schedule Time", out.time(last) if last else UNSET)
    out.field("Active Jobs", _names(items(status, "active")))
    write_events(out, related.events)


def _write_template(out: Text, spec: Object) -> None:
    selector: Object | None = spec.get("selector")
    out.field("Selector", UNSET if selector is None else label_selector(selector))
    out.field("Parallelism", _or_unset(spec.get("parallelism")))
    out.field("Completions", _or_unset(spec.get("completions")))
    if spec.get("activeDeadlineSeconds") is not None:
        out.field("Active Deadline Seconds", f"{spec['activeDeadlineSeconds']}s")
    write_pod_template(out, section(spec, "template"))


def _names(references: Sequence[Object]) -> str:
    return ", ".join(string(reference, "name") for reference in references) or NONE


def _or_unset(value: Any) -> str:
    return UNSET if value is None else str(value)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
