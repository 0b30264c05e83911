"""Rules for CronJobs: schedules, time zones, and the Jobs they make."""

from __future__ import annotations

import re
from typing import Any, Final

from ktui.engine.api.validation.fields import invalid, non_negative, required, unsupported
from ktui.engine.api.validation.jobs import check_job_spec
from ktui.engine.api.validation.metadata import (
    check_annotations,
    check_labels,
    check_metadata,
    check_metadata_update,
)
from ktui.kube import names
from ktui.kube.cron import ScheduleError, parse_schedule, parse_zone
from ktui.kube.data import mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

_POLICIES: Final = ("Allow", "Forbid", "Replace")
_LONGEST_NAME: Final = 52
"""A Job's name is the CronJob's with eleven characters more."""
_ZONE_PART: Final = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")


def validate_cron_job(cron_job: Object) -> list[Cause]:
    spec = section(cron_job, "spec")
    causes = check_metadata(cron_job, namespaced=True)
    causes += _schedule(string(spec, "schedule"))
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        causes += non_negative(f"spec.{field}", spec.get(field))
    causes += _time_zone(spec.get("timeZone"))
    policy = string(spec, "concurrencyPolicy")
    if not policy:
        causes.append(required("spec.concurrencyPolicy"))
    elif policy not in _POLICIES:
        causes.append(unsupported("spec.concurrencyPolicy", policy, _POLICIES))
    causes += _job_template(section(spec, "jobTemplate"))
    name = string(section(cron_job, "metadata"), "name")
    if len(name) > _LONGEST_NAME:
        causes.append(invalid("metadata.name", name, names.too_long(_LONGEST_NAME)))
    return causes


def validate_cron_job_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old)


def _schedule(schedule: str) -> list[Cause]:
    path = "spec.schedule"
    if not schedule:
        return [required(path)]
    if "TZ" in schedule:
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        return [invalid(path, schedule, why)]
    try:
        parse_schedule(schedule)
    except ScheduleError as error:
        return [invalid(path, schedule, str(error))]
    return []


def _time_zone(zone: Any) -> list[Cause]:
    path = "spec.timeZone"
    if zone is None:
        return []
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            return [invalid(path, zone, f"unknown time zone {zone}")]
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid(path, zone, why)]
    try:
        parse_zone(zone)
    except ScheduleError as error:
        return [invalid(path, zone, str(error))]
    return []


def _job_template(template: Object) -> list[Cause]:
    path = "spec.jobTemplate"
    metadata, spec = section(template, "metadata"), section(template, "spec")
    causes = check_labels(mapping(metadata, "labels"), f"{path}.metadata.labels")
    causes += check_annotations(mapping(metadata, "annotations"), f"{path}.metadata.annotations")
    causes += check_job_spec(spec, f"{path}.spec")
    if spec.get("manualSelector"):
        causes.append(unsupported(f"{path}.spec.manualSelector", True, ("nil", "false")))
    if spec.get("selector") is not None:
        causes.append(invalid(f"{path}.spec.selector", spec["selector"], "`selector` will be auto-generated"))
    return causes
