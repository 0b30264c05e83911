"""CronJob: makes a Job from a template whenever its schedule says so, and clears away old ones.

In: CronJobs and the Jobs they control. Out: Jobs, one a scheduled time (its name says which), the list of those
that run in the status, and deletions of ended ones beyond the history limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from lightkube.models.batch_v1 import CronJob, CronJobStatus, Job
from lightkube.models.core_v1 import ObjectReference

from ktui.client.base import Client, DeleteOptions
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.cronjob_times import job_name, next_start_in, starts
from ktui.engine.controllers.job_pods import has_condition, is_job_finished
from ktui.engine.controllers.job_progress import status_of
from ktui.engine.controllers.objects import (
    created_at,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    plain,
    uid_of,
    with_status,
)
from ktui.engine.controllers.ownership import controller_reference, index_ownership, owned_by, resolve
from ktui.engine.controllers.pod_control import is_namespace_terminating
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, whole_second
from ktui.kube.cron import Schedule, ScheduleError, parse_schedule, parse_zone
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CRON_JOBS, JOBS
from ktui.kube.resource import Object, ObjectKey

SCHEDULED: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobController(Controller[ObjectKey]):
    """Starts Jobs on time."""

    name = "cronjob-controller"
    workers = 5

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._cron_jobs = informers.of(CRON_JOBS, CronJob)
        self._jobs = informers.of(JOBS, Job)
        index_ownership(self._jobs)
        self._cron_jobs.add_handler(enqueue_object(queue))
        self._jobs.add_handler(self._job_changed)

    def _job_changed(self, delta: Delta[Job]) -> None:
        for job in (delta.old, delta.new):
            if job is None:
                continue
            owner = resolve(self._cron_jobs, CRON_JOBS, delta.key.namespace, job)
            if owner is not None:
                self._queue.add(key_of(owner))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        cron_job = self._cron_jobs.get(key)
        if cron_job is None:
            return None
        before = cron_job.status or CronJobStatus()
        jobs = owned_by(self._jobs, cron_job)
        status = await self._followed(cron_job, before, jobs)
        error: BaseException | None = None
        later: float | None = None
        try:
            status, later = await self._start(cron_job, status)
        except StatusError as failure:
            error = failure
        await self._clear(cron_job, jobs)
        if status != before:
            await self._client.update(CRON_JOBS, with_status(cron_job, status), subresource="status")
        if error is not None:
            raise error
        return None if later is None else Result(later)

    async def _followed(self, cron_job: CronJob, status: CronJobStatus, jobs: Sequence[Job]) -> CronJobStatus:
        """The status with Jobs that have ended or gone taken off the list of those that run."""
        active = list(status.active or ())
        successful = status.lastSuccessfulTime
        for job in jobs:
            known = next((each for each in active if each.uid == uid_of(job)), None)
            if known is None and not is_job_finished(job):
                message = f"Saw a job that the controller did not create or forgot: {name_of(job)}"
                self._recorder.event(cron_job, "Warning", "UnexpectedJob", message)
            elif known is not None and is_job_finished(job):
                kind = "Complete" if has_condition(job, "Complete") else "Failed"
                active.remove(known)
                message = f"Saw completed job: {name_of(job)}, condition: {kind}"
                self._recorder.event(cron_job, "Normal", "SawCompletedJob", message)
            ended = status_of(job).completionTime
            if ended is not None and (successful is None or ended > successful):
                successful = ended
        present = {uid_of(job) for job in jobs}
        for each in list(active):
            if each.uid not in present and await self._is_missing(each):
                active.remove(each)
                message = f"Active job went missing: {each.name}"
                self._recorder.event(cron_job, "Normal", "MissingJob", message)
        return msgspec.structs.replace(status, active=active or None, lastSuccessfulTime=successful)

    async def _is_missing(self, reference: ObjectReference) -> bool:
        """Ask the API itself: a Job just created may not be in the cache."""
        try:
            found = await self._client.get(JOBS, reference.name or "", reference.namespace or "")
        except StatusError as error:
            if error.is_not_found:
                return True
            raise
        return found["metadata"].get("uid") != reference.uid

    async def _start(self, cron_job: CronJob, status: CronJobStatus) -> tuple[CronJobStatus, float | None]:
        """Start what is due; the status after that, and the seconds until the next start."""
        if is_deleting(cron_job) or cron_job.spec.suspend:
            return status, None
        schedule = self._schedule(cron_job)
        if schedule is None:
            return status, None
        now = self._clock.now()
        found = starts(cron_job, schedule, now)
        later = next_start_in(cron_job, schedule, now)
        if found.too_many:
            why = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._recorder.event(cron_job, "Warning", "TooManyMissedTimes", why)
        due, deadline = found.due, cron_job.spec.startingDeadlineSeconds
        if due is None:
            return status, later
        if deadline is not None and (now - due).total_seconds() > deadline:
            message = f"Missed scheduled time to start a job: {due:%a, %d %b %Y %H:%M:%S %z}"
            self._recorder.event(cron_job, "Warning", "MissSchedule", message)
            return status, later
        name = job_name(name_of(cron_job), due)
        if status.lastScheduleTime == due or any(each.name == name for each in status.active or ()):
            return status, later
        if cron_job.spec.concurrencyPolicy == "Forbid" and status.active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._recorder.event(cron_job, "Normal", "JobAlreadyActive", message)
            return status, later
        if cron_job.spec.concurrencyPolicy == "Replace":
            for each in status.active or ():
                await self._delete(cron_job, each.name or "", each.uid or "")
            status = msgspec.structs.replace(status, active=None)
        job = await self._create(cron_job, name, due)
        if job is None:
            return status, later
        reference = ObjectReference(
            apiVersion=JOBS.api_version,
            kind=JOBS.kind,
            name=name,
            namespace=namespace_of(cron_job),
            uid=job["metadata"]["uid"],
            resourceVersion=job["metadata"]["resourceVersion"],
        )
        active = [*(status.active or ()), reference]
        return msgspec.structs.replace(status, active=active, lastScheduleTime=whole_second(due)), later

    def _schedule(self, cron_job: CronJob) -> Schedule | None:
        """Its schedule; None, and an event, if there is none that can be followed."""
        zone, text = cron_job.spec.timeZone, cron_job.spec.schedule
        try:
            place = parse_zone(zone) if zone is not None else None
        except ScheduleError as error:
            message = f'invalid timeZone: "{zone}": {error}'
            self._recorder.event(cron_job, "Warning", "UnknownTimeZone", message)
            return None
        try:
            return parse_schedule(text, place) if place is not None else parse_schedule(text)
        except ScheduleError as error:
            message = f'unparseable schedule: "{text}" : {error}'
            self._recorder.event(cron_job, "Warning", "UnparseableSchedule", message)
            return None

    async def _create(self, cron_job: CronJob, name: str, due: datetime) -> Object | None:
        """Create the Job of a time. One that is there already is taken if it is the CronJob's, else left alone."""
        namespace = namespace_of(cron_job)
        try:
            job = await self._client.create(JOBS, job_of(cron_job, name, due), namespace)
        except StatusError as error:
            if error.is_already_exists:
                job = await self._client.get(JOBS, name, namespace)
                owners: list[dict[str, Any]] = job["metadata"].get("ownerReferences") or []
                return job if any(owner.get("uid") == uid_of(cron_job) for owner in owners) else None
            if not is_namespace_terminating(error):
                self._recorder.event(cron_job, "Warning", "FailedCreate", f"Error creating job: {error}")
            raise
        self._recorder.event(cron_job, "Normal", "SuccessfulCreate", f"Created job {name}")
        return job

    async def _delete(self, cron_job: CronJob, name: str, uid: str) -> None:
        options = DeleteOptions(propagation_policy="Background", uid=uid)
        try:
            await self._client.delete(JOBS, name, namespace_of(cron_job), options=options)
        except StatusError as error:
            if error.is_not_found:
                return
            self._recorder.event(cron_job, "Warning", "FailedDelete", f"Deleted job: {error}")
            raise
        self._recorder.event(cron_job, "Normal", "SuccessfulDelete", f"Deleted job {name}")

    async def _clear(self, cron_job: CronJob, jobs: Sequence[Job]) -> None:
        """Delete the oldest ended Jobs beyond the limits."""
        spec = cron_job.spec
        for kind, limit in (
            ("Complete", spec.successfulJobsHistoryLimit),
            ("Failed", spec.failedJobsHistoryLimit),
        ):
            if limit is None or is_deleting(cron_job):
                continue
            ended = sorted(
                (job for job in jobs if has_condition(job, kind) and not is_deleting(job)), key=_age
            )
            for job in ended[: max(len(ended) - limit, 0)]:
                await self._delete(cron_job, name_of(job), uid_of(job))


def _age(job: Job) -> tuple[datetime, str]:
    return status_of(job).startTime or created_at(job), name_of(job)


def job_of(cron_job: CronJob, name: str, due: datetime) -> Object:
    """The Job that a CronJob starts at a time."""
    template: Object = plain(cron_job.spec.jobTemplate)
    metadata: Object = template.get("metadata") or {}
    zone = ZoneInfo(cron_job.spec.timeZone or "UTC")
    stamp = due.astimezone(zone).isoformat("T", "seconds").replace("+00:00", "Z")
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace_of(cron_job),
            "labels": dict(metadata.get("labels") or {}),
            "annotations": {**(metadata.get("annotations") or {}), SCHEDULED: stamp},
            "ownerReferences": [plain(controller_reference(cron_job, CRON_JOBS))],
        },
        "spec": template.get("spec"),
    }
