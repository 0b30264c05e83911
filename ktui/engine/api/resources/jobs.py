"""Job: pods that run until enough of them have succeeded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ktui.engine.api.declaration import Cell, Column, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, WORKLOAD_WIDE, text
from ktui.engine.api.resources.job_defaults import default_job, with_selector
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.job_status import validate_job_status
from ktui.engine.api.validation.jobs import validate_job, validate_job_update
from ktui.kube.age import human_duration
from ktui.kube.clock import parse_time
from ktui.kube.data import items, section
from ktui.kube.kinds import JOBS
from ktui.kube.resource import Object

_SHOWN_CONDITIONS = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def prepare_create(job: Object) -> Object:
    return {**without_status(job), "status": {}}


def _status(job: Object) -> str:
    is_true = {
        condition.get("type")
        for condition in items(section(job, "status"), "conditions")
        if condition.get("status") == "True"
    }
    for kind in ("Complete", "Failed"):
        if kind in is_true:
            return kind
    if section(job, "metadata").get("deletionTimestamp"):
        return "Terminating"
    return next((kind for kind in _SHOWN_CONDITIONS if kind in is_true), "Running")


def _completions(job: Object) -> str:
    spec = section(job, "spec")
    succeeded = section(job, "status").get("succeeded") or 0
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _times(job: Object) -> Sequence[str]:
    status = section(job, "status")
    return (status.get("startTime") or "", status.get("completionTime") or "")


def _duration(times: Sequence[str], now: datetime) -> Cell:
    start, end = times
    if not start:
        return ""
    return human_duration(((parse_time(end) if end else now) - parse_time(start)).total_seconds())


def _successful(job: Object) -> str:
    return str(section(job, "status").get("succeeded") or 0)


DECLARATIONS = (
    Declaration(
        resource=JOBS,
        schema="io.k8s.api.batch.v1.Job",
        columns=(
            NAME,
            text("Status", _status, "How the job stands."),
            text("Completions", _completions, "Pods that have succeeded, of those wanted."),
            Column(
                name="Duration",
                read=_times,
                show=_duration,
                description="Time from the start of the job to its completion, or until now.",
            ),
            AGE,
            *WORKLOAD_WIDE,
        ),
        default=default_job,
        prepare_create=prepare_create,
        identify=with_selector,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_job,
        validate_update=validate_job_update,
        validate_status=validate_job_status,
        has_status=True,
        has_generation=True,
        orphans_by_default=True,
        selectable_fields={"status.successful": _successful},
    ),
)
