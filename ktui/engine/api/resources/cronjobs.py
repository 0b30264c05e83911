"""CronJob: Jobs that start at set times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from ktui.engine.api.declaration import Cell, Column, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, number, text, workload_wide
from ktui.engine.api.resources.job_defaults import default_job_template
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.cronjobs import validate_cron_job, validate_cron_job_update
from ktui.kube.age import age
from ktui.kube.data import items, section
from ktui.kube.kinds import CRON_JOBS
from ktui.kube.resource import Object

_SPEC: Final[dict[str, Any]] = {
    "concurrencyPolicy": "Allow",
    "suspend": False,
    "successfulJobsHistoryLimit": 3,
    "failedJobsHistoryLimit": 1,
}


def default(cron_job: Object) -> Object:
    spec: Object = {**_SPEC, **section(cron_job, "spec")}
    template: Object = spec.get("jobTemplate") or {}
    spec["jobTemplate"] = {**template, "spec": default_job_template(section(template, "spec"))}
    return {**cron_job, "spec": spec}


def prepare_create(cron_job: Object) -> Object:
    return {**without_status(cron_job), "status": {}}


def _spec(field: str, missing: str = "") -> Callable[[Object], str]:
    return lambda cron_job: str(section(cron_job, "spec").get(field) or missing)


def _suspended(cron_job: Object) -> str:
    return str(bool(section(cron_job, "spec").get("suspend")))


def _job(cron_job: Object) -> Object:
    return section(cron_job, "spec", "jobTemplate")


def _last(cron_job: Object) -> Any:
    return section(cron_job, "status").get("lastScheduleTime")


def _ago(moment: Any, now: datetime) -> Cell:
    return age(moment, now) if moment else NONE


DECLARATIONS = (
    Declaration(
        resource=CRON_JOBS,
        schema="io.k8s.api.batch.v1.CronJob",
        columns=(
            NAME,
            text("Schedule", _spec("schedule"), "When jobs start, in cron's format."),
            text("Timezone", _spec("timeZone", NONE), "The time zone of the schedule."),
            text("Suspend", _suspended, "Whether no jobs start for now."),
            number("Active", lambda obj: len(items(section(obj, "status"), "active")), "Jobs that run."),
            Column(
                name="Last Schedule",
                read=_last,
                show=_ago,
                description="How long ago a job was last started.",
            ),
            AGE,
            *workload_wide(_job),
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_cron_job,
        validate_update=validate_cron_job_update,
        has_status=True,
        has_generation=True,
    ),
)
