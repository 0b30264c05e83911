"""Where a Job stands, read from its status and its pods; pure functions.

Ended pods are counted once: what the status has counted is a number (or a set of indexes), what it is about to
count are the UIDs in `uncountedTerminatedPods`, and what is new still carries the finalizer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lightkube.models.batch_v1 import Job, JobStatus
from lightkube.models.core_v1 import Pod

from ktui.engine.controllers.job_pods import (
    completion_index,
    index_failures,
    is_failed,
    is_indexed,
    is_succeeded,
    is_tracked,
    job_spec,
    only_replaces_failed,
)
from ktui.engine.controllers.job_policy import judged
from ktui.engine.controllers.objects import is_active, is_deleting, is_finished, uid_of
from ktui.kube.index_ranges import IndexRangeError, IndexRanges


@dataclass(frozen=True, slots=True)
class Progress:
    """A Job and its pods at a moment."""

    pods: Sequence[Pod]
    active: Sequence[Pod]
    terminating: int
    newly_succeeded: Sequence[Pod]
    newly_failed: Sequence[Pod]
    """Ended, and not yet among the uncounted: those whose failure is ignored too."""
    succeeded: int
    failed: int
    succeeded_indexes: IndexRanges
    failed_indexes: IndexRanges | None
    """None unless failures are limited for each index."""
    waiting: dict[int, Pod]
    """By index: the failed pod that the next one has to take its failures from."""

    def is_held(self, pod: Pod) -> bool:
        """The pod keeps its finalizer until its index has another pod."""
        index = completion_index(pod)
        return index is not None and self.waiting.get(index) is pod


def status_of(job: Job) -> JobStatus:
    return job.status or JobStatus()


def indexes_in(text: str | None, job: Job) -> IndexRanges:
    """The indexes that a status has; none of a text that is none of ours."""
    try:
        return IndexRanges.parse(text or "", job_spec(job).completions or 0)
    except IndexRangeError:
        return IndexRanges()


def valid_index(pod: Pod, job: Job) -> int | None:
    """The pod's index, unless the Job has fewer."""
    index = completion_index(pod)
    return index if index is not None and index < (job_spec(job).completions or 0) else None


def read_progress(job: Job, pods: Sequence[Pod], freed: Collection[str]) -> Progress:
    """`freed` are the UIDs of pods whose finalizer is gone, though the cache may not know."""
    status = status_of(job)
    uncounted = status.uncountedTerminatedPods
    known_good = set((uncounted.succeeded if uncounted else None) or ())
    known_bad = set((uncounted.failed if uncounted else None) or ())
    tracked = [pod for pod in pods if is_tracked(pod) and uid_of(pod) not in freed]
    good = [pod for pod in tracked if is_succeeded(pod) and uid_of(pod) not in known_good]
    bad = [pod for pod in tracked if is_failed(pod, job) and uid_of(pod) not in known_bad]
    counted_bad = sum(judged(job, pod).counts for pod in bad)
    active = [pod for pod in pods if is_active(pod)]
    succeeded = (status.succeeded or 0) + len(known_good) + len(good)
    indexes = IndexRanges()
    failed_indexes: IndexRanges | None = None
    waiting: dict[int, Pod] = {}
    if is_indexed(job):
        bad = [pod for pod in bad if valid_index(pod, job) is not None]
        counted_bad = sum(judged(job, pod).counts for pod in bad)
        indexes = indexes_in(status.completedIndexes, job).including(_indexes(good, job))
        succeeded = len(indexes)
        if job_spec(job).backoffLimitPerIndex is not None:
            failed_indexes = indexes_in(status.failedIndexes, job).including(
                _indexes([pod for pod in bad if _ends_index(pod, job)], job)
            )
            failed_indexes = IndexRanges.of(each for each in failed_indexes if each not in indexes)
            waiting = _waiting(job, bad, active, indexes, failed_indexes)
    return Progress(
        pods=pods,
        active=active,
        terminating=sum(is_deleting(pod) and not is_finished(pod) for pod in pods),
        newly_succeeded=good,
        newly_failed=bad,
        succeeded=succeeded,
        failed=(status.failed or 0) + len(known_bad) + counted_bad,
        succeeded_indexes=indexes,
        failed_indexes=failed_indexes,
        waiting=waiting,
    )


def _indexes(pods: Sequence[Pod], job: Job) -> list[int]:
    return [index for pod in pods if (index := valid_index(pod, job)) is not None]


def next_failures(job: Job, pod: Pod) -> tuple[int, int]:
    """The failures (counted, ignored) of an index after this pod's."""
    counted, ignored = index_failures(pod)
    return (counted + 1, ignored) if judged(job, pod).counts else (counted, ignored + 1)


def _ends_index(pod: Pod, job: Job) -> bool:
    if judged(job, pod).action == "FailIndex":
        return True
    return next_failures(job, pod)[0] > (job_spec(job).backoffLimitPerIndex or 0)


def _waiting(
    job: Job, bad: Sequence[Pod], active: Sequence[Pod], done: IndexRanges, failed: IndexRanges
) -> dict[int, Pod]:
    running = set(_indexes(active, job))
    waiting: dict[int, Pod] = {}
    for pod in bad:
        index = valid_index(pod, job)
        if index is None or index in running or index in done or index in failed:
            continue
        other = waiting.get(index)
        if other is None or sum(index_failures(other)) < sum(index_failures(pod)):
            waiting[index] = pod
    return waiting


def taken_indexes(job: Job, progress: Progress) -> IndexRanges:
    """Indexes that need no pod: they are completed, or have one (also one that is going, if those count)."""
    holders = [
        pod
        for pod in progress.pods
        if is_active(pod) or (only_replaces_failed(job) and is_deleting(pod) and not is_finished(pod))
    ]
    return progress.succeeded_indexes.including(_indexes(holders, job))
