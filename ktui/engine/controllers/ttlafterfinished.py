"""TTL after finished: deletes Jobs that have ended, with their pods, when their `ttlSecondsAfterFinished` is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from lightkube.models.batch_v1 import Job

from ktui.client.base import Client, DeleteOptions
from ktui.client.informer import Informers
from ktui.engine.controllers.job_pods import job_spec
from ktui.engine.controllers.job_progress import status_of
from ktui.engine.controllers.objects import is_deleting, meta, uid_of
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import JOBS
from ktui.kube.resource import ObjectKey


class TTLAfterFinished(Controller[ObjectKey]):
    """One key a Job, looked at again when its time has come."""

    name = "ttl-after-finished-controller"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._jobs = informers.of(JOBS, Job)
        self._jobs.add_handler(enqueue_object(queue))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        job = self._jobs.get(key)
        expiry = expires(job) if job is not None else None
        if job is None or expiry is None or is_deleting(job):
            return None
        left = (expiry - self._clock.now()).total_seconds()
        if left > 0:
            return Result(left)
        options = DeleteOptions(
            propagation_policy="Foreground",
            uid=uid_of(job),
            resource_version=meta(job).resourceVersion or "",
        )
        try:
            await self._client.delete(JOBS, key.name, key.namespace, options=options)
        except StatusError as error:
            if not error.is_not_found:
                raise
        return None


def expires(job: Job) -> datetime | None:
    """When the Job is to go; None while it runs, or if it may stay."""
    seconds = job_spec(job).ttlSecondsAfterFinished
    if seconds is None:
        return None
    for condition in status_of(job).conditions or ():
        if condition.type in ("Complete", "Failed") and condition.status == "True":
            ended = condition.lastTransitionTime
            return ended + timedelta(seconds=seconds) if ended is not None else None
    return None
