"""Whether a Job has come to its end, why, and which of its pods are one too many; pure functions.

A verdict is told first (`SuccessCriteriaMet`, `FailureTarget`) and becomes final (`Complete`, `Failed`) when no
pod of the Job is left running or uncounted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightkube.models.batch_v1 import Job, JobCondition
from lightkube.models.core_v1 import Pod

from ktui.engine.controllers.deletion_order import pods_to_delete
from ktui.engine.controllers.job_pods import completion_index, is_indexed, job_spec
from ktui.engine.controllers.job_policy import judged, success_rule_met
from ktui.engine.controllers.job_progress import Progress, status_of, valid_index
from ktui.engine.controllers.objects import phase_of, pod_status
from ktui.kube.clock import whole_second


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the Job ends."""

    succeeds: bool
    reason: str
    message: str

    @property
    def first(self) -> str:
        """The condition that tells of it."""
        return "SuccessCriteriaMet" if self.succeeds else "FailureTarget"

    @property
    def last(self) -> str:
        """The condition that makes it final."""
        return "Complete" if self.succeeds else "Failed"


COMPLETED = Verdict(True, "CompletionsReached", "Reached expected number of succeeded pods")


def verdict_of(job: Job, progress: Progress, now: datetime) -> Verdict | None:
    """The end that a Job has come to while pods may still run; None while it goes on."""
    known = _told(job)
    if known is not None:
        return known
    for pod in progress.newly_failed:
        failure = judged(job, pod)
        if failure.action == "FailJob":
            return Verdict(False, "PodFailurePolicy", failure.message)
    spec = job_spec(job)
    limit = 6 if spec.backoffLimit is None else spec.backoffLimit
    if progress.failed > limit or _restarts_exceed(job, progress.active, limit):
        return Verdict(False, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = deadline_left(job, now)
    if left is not None and left <= 0:
        return Verdict(False, "DeadlineExceeded", "Job was active longer than specified deadline")
    failed = progress.failed_indexes
    if failed is not None and len(failed):
        if spec.maxFailedIndexes is not None and len(failed) > spec.maxFailedIndexes:
            why = "Job has exceeded the specified maximal number of failed indexes"
            return Verdict(False, "MaxFailedIndexesExceeded", why)
        if len(failed) + progress.succeeded >= (spec.completions or 0):
            return Verdict(False, "FailedIndexes", "Job has failed indexes")
    message = success_rule_met(job, progress.succeeded_indexes)
    return Verdict(True, "SuccessPolicy", message) if message else None


def _told(job: Job) -> Verdict | None:
    for condition in status_of(job).conditions or ():
        if condition.status == "True" and condition.type in ("SuccessCriteriaMet", "FailureTarget"):
            succeeds = condition.type == "SuccessCriteriaMet"
            return Verdict(succeeds, condition.reason or "", condition.message or "")
    return None


def _restarts_exceed(job: Job, active: Sequence[Pod], limit: int) -> bool:
    """Pods that restart by themselves: their restarts count as failures while they run."""
    template = job_spec(job).template.spec
    if template is None or template.restartPolicy != "OnFailure":
        return False
    restarts = sum(
        container.restartCount
        for pod in active
        if phase_of(pod) in ("Running", "Pending")
        for container in (
            *(pod_status(pod).initContainerStatuses or ()),
            *(pod_status(pod).containerStatuses or ()),
        )
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def deadline_left(job: Job, now: datetime) -> float | None:
    """Seconds until the Job has been active for too long; None if it may be for ever, or is not now."""
    seconds, start = job_spec(job).activeDeadlineSeconds, status_of(job).startTime
    if seconds is None or start is None or job_spec(job).suspend:
        return None
    return (start + timedelta(seconds=seconds) - now).total_seconds()


def is_complete(job: Job, progress: Progress, active: int) -> bool:
    """All that was wanted has succeeded and nothing runs."""
    if active:
        return False
    completions = job_spec(job).completions
    return progress.succeeded > 0 if completions is None else progress.succeeded >= completions


def pods_wanted(job: Job, progress: Progress) -> int:
    """How many pods should run now."""
    spec = job_spec(job)
    parallelism = 1 if spec.parallelism is None else spec.parallelism
    if spec.suspend:
        return 0
    if spec.completions is None:
        return len(progress.active) if progress.succeeded else parallelism
    left = spec.completions - progress.succeeded - len(progress.failed_indexes or ())
    return max(min(left, parallelism), 0)


def superfluous(job: Job, progress: Progress, wanted: int, now: datetime) -> list[Pod]:
    """Pods to delete: those whose index is done, failed, doubled or too large, and what is too many."""
    if not is_indexed(job):
        count = max(len(progress.active) - wanted, 0)
        return pods_to_delete(progress.active, progress.active, count, now)
    seen: set[int] = set()
    useless: list[Pod] = []
    useful: list[Pod] = []
    for pod in sorted(progress.active, key=lambda pod: phase_of(pod) != "Running"):
        index = valid_index(pod, job)
        if index is None or index in seen or _is_done(index, progress):
            useless.append(pod)
            continue
        seen.add(index)
        useful.append(pod)
    useful.sort(key=lambda pod: completion_index(pod) or 0)
    return useless + useful[wanted:]


def _is_done(index: int, progress: Progress) -> bool:
    return index in progress.succeeded_indexes or index in (progress.failed_indexes or ())


def with_condition(
    conditions: Sequence[JobCondition], kind: str, status: str, reason: str, message: str, now: datetime
) -> list[JobCondition]:
    """The conditions with one of them set; its time is kept if it says the same as before."""
    known = next((each for each in conditions if each.type == kind), None)
    if known is not None and (known.status, known.reason) == (status, reason):
        return list(conditions)
    moment = whole_second(now)
    condition = JobCondition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        lastProbeTime=moment,
        lastTransitionTime=moment,
    )
    if known is None:
        return [*conditions, condition]
    return [condition if each is known else each for each in conditions]
