"""Job: runs pods until enough of them have succeeded, or too many have failed.

In: Jobs and pods. Out: pods created (for indexed Jobs one an index) and deleted, the finalizers of those that
were counted taken off, and the status. What a Job has come to and what it needs next are pure functions of the
Job and its pods (`job_progress`, `job_verdict`); how ended pods are counted just once is in `job_tracking`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence

import msgspec
from lightkube.models.batch_v1 import Job, JobStatus
from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.batches import each_of, slow_start
from ktui.engine.controllers.expectations import Expectations
from ktui.engine.controllers.job_backoff import Backoff
from ktui.engine.controllers.job_pods import (
    TRACKING,
    ended_at,
    is_indexed,
    is_job_finished,
    is_managed_elsewhere,
    is_tracked,
    job_spec,
    new_pod,
    only_replaces_failed,
)
from ktui.engine.controllers.job_progress import (
    Progress,
    next_failures,
    read_progress,
    status_of,
    taken_indexes,
)
from ktui.engine.controllers.job_tracking import counted, finished, free, start_counting, uncounted_of
from ktui.engine.controllers.job_verdict import (
    COMPLETED,
    Verdict,
    deadline_left,
    is_complete,
    pods_wanted,
    superfluous,
    verdict_of,
    with_condition,
)
from ktui.engine.controllers.objects import (
    is_deleting,
    is_ready,
    key_of,
    labels_of,
    meta,
    namespace_of,
    uid_of,
    with_status,
)
from ktui.engine.controllers.ownership import Claims, controller_of, index_ownership, resolve
from ktui.engine.controllers.pod_control import PodControl, is_namespace_terminating
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, whole_second
from ktui.kube.errors import StatusError
from ktui.kube.index_ranges import IndexRanges
from ktui.kube.kinds import JOBS, PODS
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.selector import Selector

BURST = 500
"""Most pods created or deleted in one reconcile."""
LARGE = 100
GATHERING_SECONDS = 0.05
"""How long a change of a pod of a large Job waits for others, which are then counted in one go."""


class _Round:
    """What one reconcile has come to so far."""

    def __init__(self, job: Job, before: JobStatus, progress: Progress) -> None:
        self.job = job
        self.before = before
        self.progress = progress
        self.active: Sequence[Pod] = progress.active
        self.created = 0
        self.deleted = 0
        self.later: float | None = None
        self.error: BaseException | None = None

    def again_in(self, seconds: float) -> None:
        self.later = seconds if self.later is None else min(self.later, seconds)

    @property
    def running(self) -> int:
        return len(self.active) + self.created


class JobController(Controller[ObjectKey]):
    """Brings Jobs to their ends."""

    name = "job-controller"
    workers = 5

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._pod_control = PodControl(client, recorder)
        self._claims = Claims(client, JOBS, PODS, finalizer=TRACKING)
        self._expectations = Expectations(clock)
        self._backoffs: dict[str, Backoff] = {}
        self._freed: dict[str, set[str]] = {}
        """By Job: pods whose finalizer was taken off, which the cache may not have seen."""
        self._written: dict[str, int] = {}
        """By Job: the version of the status that was written last."""

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._jobs = informers.of(JOBS, Job)
        self._pods = informers.of(PODS, Pod)
        index_ownership(self._pods)
        self._jobs.add_handler(enqueue_object(queue))
        self._jobs.add_handler(self._job_changed)
        self._pods.add_handler(self._pod_changed)

    def _job_changed(self, delta: Delta[Job]) -> None:
        gone = delta.old
        if gone is None or (delta.new is not None and uid_of(delta.new) == uid_of(gone)):
            return
        for memory in (self._backoffs, self._freed, self._written):
            memory.pop(uid_of(gone), None)
        self._expectations.forget(delta.key)

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        old, new = delta.old, delta.new
        for pod in (old, new):
            owner = resolve(self._jobs, JOBS, delta.key.namespace, pod) if pod is not None else None
            if owner is not None:
                self._seen(owner, old, new)
                is_large = (status_of(owner).active or 0) > LARGE
                self._queue.add_after(key_of(owner), GATHERING_SECONDS if is_large else 0)
        if (
            new is not None
            and controller_of(new) is None
            and (old is None or labels_of(old) != labels_of(new))
        ):
            for job in self._jobs.list(namespace_of(new)):
                if _selector(job).matches(labels_of(new)):
                    self._queue.add(key_of(job))

    def _seen(self, owner: Job, old: Pod | None, new: Pod | None) -> None:
        if old is None and new is not None:
            self._expectations.creation_observed(key_of(owner))
        elif (new is None and old is not None) or (new is not None and is_deleting(new)):
            self._expectations.deletion_observed(key_of(owner), uid_of(new if new is not None else old))
        if old is not None and (new is None or not is_tracked(new)):
            self._freed.get(uid_of(owner), set[str]()).discard(uid_of(old))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        job = self._jobs.get(key)
        if job is None or is_managed_elsewhere(job) or is_job_finished(job):
            return None
        if int(meta(job).resourceVersion or 0) < self._written.get(uid_of(job), 0):
            return None
        satisfied = self._expectations.satisfied(key)
        pods = await self._claims.claim(job, _selector(job), self._pods)
        before, job = status_of(job), self._started(job)
        progress = read_progress(job, pods, self._freed.get(uid_of(job), ()))
        current = _Round(job, before, progress)
        now = self._clock.now()
        left = deadline_left(job, now)
        if left is not None and left > 0:
            current.again_in(left)
        verdict = verdict_of(job, progress, now)
        backoff = self._backoffs.get(uid_of(job), Backoff()).after(
            map(ended_at, progress.newly_succeeded), map(ended_at, progress.newly_failed)
        )
        managed = False
        if verdict is not None:
            if progress.active:
                await self._delete(key, current, progress.active)
            if current.active or not satisfied:
                verdict = None
        elif satisfied and not is_deleting(job):
            managed = True
            await self._manage(key, current, backoff)
        if verdict is None and is_complete(job, progress, current.running) and not current.error:
            verdict = COMPLETED
        status = self._status(current, suspends=managed and verdict is None)
        await self._count(current, status, verdict, backoff)
        if current.error is not None:
            raise current.error
        return None if current.later is None else Result(current.later)

    def _started(self, job: Job) -> Job:
        """The Job with its start time: that of the first look at it, or of its resumption."""
        status = status_of(job)
        if status.startTime is not None or job_spec(job).suspend:
            return job
        started = msgspec.structs.replace(status, startTime=whole_second(self._clock.now()))
        return msgspec.structs.replace(job, status=started)

    def _status(self, current: _Round, *, suspends: bool) -> JobStatus:
        """The status before the ended pods are counted."""
        status = msgspec.structs.replace(
            status_of(current.job),
            active=current.running or None,
            ready=sum(map(is_ready, current.active)),
            terminating=current.progress.terminating + current.deleted,
        )
        return self._suspended(current.job, status) if suspends else status

    def _suspended(self, job: Job, status: JobStatus) -> JobStatus:
        conditions = status.conditions or []
        was = any(each.type == "Suspended" and each.status == "True" for each in conditions)
        is_now = bool(job_spec(job).suspend)
        known = any(each.type == "Suspended" for each in conditions)
        if was == is_now and (known or not is_now):
            return status
        now = self._clock.now()
        word = "Suspended" if is_now else "Resumed"
        value, reason, message = ("True" if is_now else "False"), f"Job{word}", f"Job {word.lower()}"
        self._recorder.event(job, "Normal", word, message)
        return msgspec.structs.replace(
            status,
            conditions=with_condition(conditions, "Suspended", value, reason, message, now),
            startTime=None if is_now else whole_second(now),
        )

    async def _manage(self, key: ObjectKey, current: _Round, backoff: Backoff) -> None:
        """Delete what is too much, or else create what is missing."""
        job, progress, now = current.job, current.progress, self._clock.now()
        wanted = pods_wanted(job, progress)
        useless = superfluous(job, progress, wanted, now)[:BURST]
        if useless:
            await self._delete(key, current, useless)
            return
        going = progress.terminating if only_replaces_failed(job) else 0
        missing = min(wanted - going - len(progress.active), BURST)
        if missing <= 0 or job_spec(job).suspend:
            return
        per_index = progress.failed_indexes is not None
        left = 0.0 if per_index else backoff.left(now)
        if left > 0:
            current.again_in(left)
            return
        pods = self._new_pods(current, missing)
        if pods:
            await self._create(key, current, pods)

    def _new_pods(self, current: _Round, missing: int) -> list[Object]:
        """The pods to create: for indexed Jobs those of the first indexes without one that need not wait."""
        job, progress = current.job, current.progress
        if not is_indexed(job):
            return [new_pod(job, None, None)] * missing
        failed = progress.failed_indexes
        pods: list[Object] = []
        free_indexes = taken_indexes(job, progress).pending(
            job_spec(job).completions or 0, failed or IndexRanges()
        )
        for index in free_indexes:
            if len(pods) == missing:
                break
            before = progress.waiting.get(index)
            failures = next_failures(job, before) if before is not None else (0, 0)
            if before is not None:
                left = Backoff(sum(failures), ended_at(before)).left(self._clock.now())
                if left > 0:
                    current.again_in(left)
                    continue
            pods.append(new_pod(job, index, failures if failed is not None else None))
        return pods

    async def _create(self, key: ObjectKey, current: _Round, pods: Sequence[Object]) -> None:
        self._expectations.expect_creations(key, len(pods))
        remaining = iter(pods)

        async def create() -> None:
            try:
                await self._pod_control.create(next(remaining), current.job)
            except StatusError as error:
                if not is_namespace_terminating(error):
                    raise

        try:
            done, error = await slow_start(len(pods), create)
        except asyncio.CancelledError:
            self._expectations.forget(key)
            raise
        if done < len(pods):
            self._expectations.creation_observed(key, len(pods) - done)
        current.created, current.error = done, error

    async def _delete(self, key: ObjectKey, current: _Round, victims: Sequence[Pod]) -> None:
        self._expectations.expect_deletions(key, {uid_of(pod) for pod in victims})
        kept: set[str] = set()

        async def delete(pod: Pod) -> None:
            try:
                await self._pod_control.delete(pod, current.job)
            except BaseException as error:
                self._expectations.deletion_observed(key, uid_of(pod))
                if not (isinstance(error, StatusError) and error.is_not_found):
                    kept.add(uid_of(pod))
                    raise

        errors = await each_of(functools.partial(delete, pod) for pod in victims)
        gone = {uid_of(pod) for pod in victims} - kept
        current.active = [pod for pod in current.active if uid_of(pod) not in gone]
        current.deleted += len(gone)
        current.error = errors[0] if errors else None

    async def _count(
        self, current: _Round, status: JobStatus, verdict: Verdict | None, backoff: Backoff
    ) -> None:
        """Count what has ended, in the order that loses and doubles nothing, and write the status."""
        job, progress, now = current.job, current.progress, self._clock.now()
        uid = uid_of(job)
        freed = self._freed.setdefault(uid, set())
        counting = start_counting(job, status, progress, verdict, freed, now)
        before = current.before
        status = counting.status
        if counting.freed:
            job = await self._write(job, before, status)
            before = status
        self._backoffs[uid] = backoff
        kept, error = await free(self._client, counting.freed)
        freed.update({uid_of(pod) for pod in counting.freed} - kept)
        tracked = {uid_of(pod) for pod in self._pods.list(namespace_of(job)) if is_tracked(pod)} - freed
        status = counted(status, tracked & uncounted_of(msgspec.structs.replace(job, status=status)))
        if counting.is_all and not kept:
            status = finished(job, status, verdict, now)
        job = await self._write(job, before, status)
        if is_job_finished(job) and verdict is not None:
            self._tell(job, verdict)
        current.error = current.error or error

    async def _write(self, job: Job, before: JobStatus, status: JobStatus) -> Job:
        changed = msgspec.structs.replace(job, status=status)
        if status == before:
            return changed
        written = await self._client.update(JOBS, with_status(job, status), subresource="status")
        version: str = written["metadata"]["resourceVersion"]
        self._written[uid_of(job)] = int(version)
        metadata = msgspec.structs.replace(meta(job), resourceVersion=version)
        return msgspec.structs.replace(changed, metadata=metadata)

    def _tell(self, job: Job, verdict: Verdict) -> None:
        if not verdict.succeeds:
            self._recorder.event(job, "Warning", verdict.reason, verdict.message)
            return
        completions = job_spec(job).completions
        if completions is not None and (status_of(job).succeeded or 0) > completions:
            self._recorder.event(
                job,
                "Warning",
                "TooManySucceededPods",
                "Too many succeeded pods running after completion count reached",
            )
        self._recorder.event(job, "Normal", "Completed", "Job completed")


def _selector(job: Job) -> Selector:
    return Selector.of(job_spec(job).selector)
