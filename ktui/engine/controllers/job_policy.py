"""What the policies of a Job say of its pods: does a failure count, does it end an index or the whole Job, and
have the indexes that matter succeeded? Pure functions."""

from __future__ import annotations

from typing import NamedTuple

from lightkube.models.batch_v1 import (
    Job,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
)
from lightkube.models.core_v1 import Pod

from ktui.engine.controllers.job_pods import container_statuses, job_spec
from ktui.engine.controllers.objects import name_of, namespace_of, pod_status
from ktui.kube.index_ranges import IndexRangeError, IndexRanges


class Failure(NamedTuple):
    """How a failed pod is taken. `action` is "" where no rule matched."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        return self.action != "Ignore"


def judged(job: Job, pod: Pod) -> Failure:
    """What the first rule that matches a failed pod makes of it."""
    policy = job_spec(job).podFailurePolicy
    for index, rule in enumerate(policy.rules if policy else ()):
        message = _match(rule, index, pod)
        if message and not (rule.action == "FailIndex" and job_spec(job).backoffLimitPerIndex is None):
            return Failure(rule.action, message)
    return Failure()


def _match(rule: PodFailurePolicyRule, index: int, pod: Pod) -> str:
    path = f"{namespace_of(pod)}/{name_of(pod)}"
    end = f"matching {rule.action} rule at index {index}"
    if rule.onExitCodes is not None:
        for container in container_statuses(pod):
            ended = container.state.terminated if container.state else None
            if ended is not None and _is_code(rule.onExitCodes, container.name, ended.exitCode):
                return (
                    f"Container {container.name} for pod {path} failed with exit code {ended.exitCode} {end}"
                )
    conditions = {each.type: each.status for each in pod_status(pod).conditions or ()}
    for pattern in rule.onPodConditions or ():
        if conditions.get(pattern.type) == (pattern.status or "True"):
            return f"Pod {path} has condition {pattern.type} {end}"
    return ""


def _is_code(wanted: PodFailurePolicyOnExitCodesRequirement, container: str, code: int) -> bool:
    if code == 0 or (wanted.containerName is not None and wanted.containerName != container):
        return False
    return (code in wanted.values) == (wanted.operator == "In")


def success_rule_met(job: Job, succeeded: IndexRanges) -> str:
    """Which rule of the success policy holds, as a message; "" if none does."""
    policy = job_spec(job).successPolicy
    if policy is None or not len(succeeded):
        return ""
    for index, rule in enumerate(policy.rules):
        found = len(succeeded)
        wanted = rule.succeededCount
        if rule.succeededIndexes is not None:
            try:
                indexes = IndexRanges.parse(rule.succeededIndexes, job_spec(job).completions or 0)
            except IndexRangeError:
                continue
            if not len(indexes):
                continue
            found = succeeded.common(indexes)
            wanted = len(indexes) if wanted is None else wanted
        if wanted is not None and found >= wanted:
            return f"Matched rules at index {index}"
    return ""
