"""Rules for the status of a Job: what has ended stays ended, counts only grow, and the parts agree."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.validation.fields import (
    IMMUTABLE,
    duplicate,
    invalid,
    non_negative,
    required,
)
from ktui.kube.data import items, section, strings
from ktui.kube.errors import Cause
from ktui.kube.index_ranges import IndexRangeError, IndexRanges
from ktui.kube.resource import Object

_COUNTS: Final = ("active", "succeeded", "failed", "ready", "terminating")
_FINAL: Final = ("Failed", "Complete", "FailureTarget", "SuccessCriteriaMet")
_CONTRADICTIONS: Final = (
    ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
    ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
    ("SuccessCriteriaMet", "Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    (
        "SuccessCriteriaMet",
        "FailureTarget",
        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
    ),
)


def validate_job_status(new: Object, old: Object) -> list[Cause]:
    """What an update of the status may write."""
    after, before, spec = section(new, "status"), section(old, "status"), section(new, "spec")
    now, then = _true(after), _true(before)
    causes: list[Cause] = []
    for field in _COUNTS:
        causes += non_negative(f"status.{field}", after.get(field))
    causes += _uncounted(section(after, "uncountedTerminatedPods"))
    for one, other, why in _CONTRADICTIONS:
        if one in now and other in now:
            causes.append(_conditions(why))
    causes += [
        _conditions(
            f"cannot disable the {'' if kind == 'SuccessCriteriaMet' else 'terminal '}{kind}=True condition"
        )
        for kind in _FINAL
        if kind in then and kind not in now
    ]
    for field in ("failed", "succeeded"):
        count: int = after.get(field) or 0
        if count < (before.get(field) or 0) and not (field == "succeeded" and _is_indexed(spec)):
            causes.append(invalid(f"status.{field}", count, f"cannot decrease the {field} counter"))
    return [*causes, *_times(after, before, spec, now), *_end(after, now), *_index_sets(after, spec)]


def _true(status: Object) -> set[str]:
    return {
        str(condition.get("type"))
        for condition in items(status, "conditions")
        if condition.get("status") == "True"
    }


def _is_indexed(spec: Object) -> bool:
    return spec.get("completionMode") == "Indexed"


def _conditions(why: str) -> Cause:
    return Cause("status.conditions", "FieldValueInvalid", f"Invalid value: {why}")


def _uncounted(uncounted: Object) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for field in ("succeeded", "failed"):
        for index, uid in enumerate(strings(uncounted, field)):
            path = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                causes.append(invalid(path, uid, "must not be empty"))
            elif uid in seen:
                causes.append(duplicate(path, uid))
            seen.add(uid)
    return causes


def _times(after: Object, before: Object, spec: Object, now: set[str]) -> list[Cause]:
    completed, started = after.get("completionTime"), after.get("startTime")
    causes: list[Cause] = []
    if completed and "Complete" not in now:
        why = "cannot set completionTime when there is no Complete=True condition"
        causes.append(invalid("status.completionTime", completed, why))
    if not completed and "Complete" in now:
        causes.append(required("status.completionTime", "completionTime is required for Complete jobs"))
    if completed and started and completed < started:
        causes.append(invalid("status.completionTime", completed, "must be equal to or after `startTime`"))
    if completed and before.get("completionTime") and completed != before["completionTime"]:
        causes.append(invalid("status.completionTime", completed, IMMUTABLE))
    if before.get("startTime") and started != before["startTime"] and not spec.get("suspend"):
        causes.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    return causes


def _end(after: Object, now: set[str]) -> list[Cause]:
    """What a Job that has ended has, and has no longer."""
    if not now & {"Complete", "Failed"}:
        return []
    causes: list[Cause] = []
    if "Failed" in now and "FailureTarget" not in now:
        causes.append(
            _conditions("cannot set Failed=True condition without the FailureTarget=true condition")
        )
    if "Complete" in now and "SuccessCriteriaMet" not in now:
        causes.append(
            _conditions("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
        )
    if not after.get("startTime"):
        causes.append(required("status.startTime", "startTime is required for finished job"))
    for field in ("active", "terminating"):
        if after.get(field):
            causes.append(invalid(f"status.{field}", after[field], f"{field}>0 is invalid for finished job"))
    uncounted = section(after, "uncountedTerminatedPods")
    if uncounted.get("succeeded") or uncounted.get("failed"):
        causes.append(invalid("status.uncountedTerminatedPods", uncounted, "must be empty for finished job"))
    return causes


def _index_sets(after: Object, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    completed: str = after.get("completedIndexes") or ""
    failed: str | None = after.get("failedIndexes")
    if completed and not _is_indexed(spec):
        why = "cannot set non-empty completedIndexes when non-indexed completion mode"
        causes.append(invalid("status.completedIndexes", completed, why))
    if failed is not None and spec.get("backoffLimitPerIndex") is None:
        why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        causes.append(invalid("status.failedIndexes", failed, why))
    completions: int | None = spec.get("completions")
    if completions is None:
        return causes
    sets: list[IndexRanges] = []
    for field, text in (("completedIndexes", completed), ("failedIndexes", failed or "")):
        try:
            sets.append(IndexRanges.parse(text, completions))
        except IndexRangeError as error:
            causes.append(invalid(f"status.{field}", text, f"error parsing {field}: {error}"))
    if len(sets) == 2 and sets[0].common(sets[1]):
        causes.append(invalid("status.failedIndexes", failed, "failedIndexes and completedIndexes overlap"))
    return causes
