"""Counting the ended pods of a Job, so that each counts once whatever is interrupted.

First the status names the pods it is about to count, then their finalizers go, then the names become numbers.
Indexed Jobs need no names for successes: an index that is completed cannot be completed twice.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from lightkube.models.batch_v1 import Job, JobStatus, UncountedTerminatedPods
from lightkube.models.core_v1 import Pod

from ktui.client.base import Client, PatchType
from ktui.engine.controllers.batches import each_of
from ktui.engine.controllers.job_pods import (
    TRACKING,
    is_failed,
    is_indexed,
    is_succeeded,
    is_tracked,
)
from ktui.engine.controllers.job_policy import judged
from ktui.engine.controllers.job_progress import Progress, status_of, valid_index
from ktui.engine.controllers.job_verdict import Verdict, with_condition
from ktui.engine.controllers.objects import is_deleting, name_of, namespace_of, uid_of
from ktui.kube.clock import whole_second
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object

MOST = 500
"""Pods counted in one go, which bounds what the status has to name."""


@dataclass(frozen=True, slots=True)
class Counting:
    """What is to be counted now: the status that says so, and the pods to free."""

    status: JobStatus
    freed: Sequence[Pod]
    is_all: bool


def start_counting(
    job: Job,
    status: JobStatus,
    progress: Progress,
    verdict: Verdict | None,
    gone: Collection[str],
    now: datetime,
) -> Counting:
    """Name the ended pods in `status`. `gone` are the UIDs of pods that have been freed already."""
    uncounted = status.uncountedTerminatedPods or UncountedTerminatedPods()
    good: list[str] = list(uncounted.succeeded or ())
    bad: list[str] = list(uncounted.failed or ())
    named = {*good, *bad}
    freed: list[Pod] = []
    new = 0
    failing = verdict is not None and not verdict.succeeds
    for pod in progress.pods:
        uid = uid_of(pod)
        if not is_tracked(pod) or uid in gone or not _may_go(job, progress, pod, verdict):
            continue
        if new >= MOST:
            return Counting(_told(status, good, bad, progress, verdict, now), freed, False)
        freed.append(pod)
        if uid in named:
            continue
        if is_succeeded(pod):
            if not is_indexed(job):
                good.append(uid)
            new += 1
        elif is_failed(pod, job) or failing:
            if is_indexed(job) and valid_index(pod, job) is None:
                continue
            if judged(job, pod).counts:
                bad.append(uid)
                new += 1
    return Counting(_told(status, good, bad, progress, verdict, now), freed, True)


def _may_go(job: Job, progress: Progress, pod: Pod, verdict: Verdict | None) -> bool:
    if is_deleting(job) or verdict is not None or is_succeeded(pod):
        return True
    return is_failed(pod, job) and not progress.is_held(pod)


def _told(
    status: JobStatus,
    good: list[str],
    bad: list[str],
    progress: Progress,
    verdict: Verdict | None,
    now: datetime,
) -> JobStatus:
    """The status with the names, the indexes, and the verdict that is not final yet."""
    indexes = str(progress.succeeded_indexes)
    changed = msgspec.structs.replace(
        status,
        uncountedTerminatedPods=UncountedTerminatedPods(succeeded=good or None, failed=bad or None),
        completedIndexes=indexes or None,
        failedIndexes=None if progress.failed_indexes is None else str(progress.failed_indexes),
    )
    if indexes:
        changed.succeeded = len(progress.succeeded_indexes) or None
    if verdict is not None:
        changed.conditions = with_condition(
            changed.conditions or (), verdict.first, "True", verdict.reason, verdict.message, now
        )
    return changed


def counted(status: JobStatus, still_tracked: Collection[str]) -> JobStatus:
    """Turn the names of pods without finalizer into numbers."""
    uncounted = status.uncountedTerminatedPods or UncountedTerminatedPods()
    good: list[str] = list(uncounted.succeeded or ())
    bad: list[str] = list(uncounted.failed or ())
    good_left = [uid for uid in good if uid in still_tracked]
    bad_left = [uid for uid in bad if uid in still_tracked]
    return msgspec.structs.replace(
        status,
        succeeded=((status.succeeded or 0) + len(good) - len(good_left)) or None,
        failed=((status.failed or 0) + len(bad) - len(bad_left)) or None,
        uncountedTerminatedPods=UncountedTerminatedPods(succeeded=good_left or None, failed=bad_left or None),
    )


def finished(job: Job, status: JobStatus, verdict: Verdict | None, now: datetime) -> JobStatus:
    """The status with the final condition, once nothing runs and nothing is left to count."""
    uncounted = status.uncountedTerminatedPods or UncountedTerminatedPods()
    if verdict is None or status.active or status.terminating or uncounted.succeeded or uncounted.failed:
        return status
    changed = msgspec.structs.replace(
        status,
        conditions=with_condition(
            status.conditions or (), verdict.last, "True", verdict.reason, verdict.message, now
        ),
    )
    if verdict.succeeds:
        changed.completionTime = whole_second(now)
    if changed.startTime is None:
        changed.startTime = whole_second(now)
    return changed


def uncounted_of(job: Job) -> set[str]:
    """The UIDs that the status is about to count."""
    uncounted = status_of(job).uncountedTerminatedPods or UncountedTerminatedPods()
    return {*(uncounted.succeeded or ()), *(uncounted.failed or ())}


async def free(client: Client, pods: Iterable[Pod]) -> tuple[set[str], BaseException | None]:
    """Take the finalizer off; the UIDs of pods that kept it, and the first error."""
    kept: set[str] = set()

    async def one(pod: Pod) -> None:
        patch: Object = {
            "metadata": {"uid": uid_of(pod), "$deleteFromPrimitiveList/finalizers": [TRACKING]},
        }
        try:
            await client.patch(PODS, name_of(pod), patch, namespace_of(pod), patch_type=PatchType.STRATEGIC)
        except StatusError as error:
            if not error.is_not_found:
                kept.add(uid_of(pod))
                raise
        except BaseException:
            kept.add(uid_of(pod))
            raise

    errors = await each_of(functools.partial(one, pod) for pod in pods)
    return kept, errors[0] if errors else None
