"""The pods of a Job: how they are marked, what became of them, and how the next one is made.

Each pod carries a finalizer until the Job's status has counted it, so that none that ends and goes is missed.
Pods of an indexed Job know their index by annotation, label, host name and environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from lightkube.models.batch_v1 import Job, JobSpec
from lightkube.models.core_v1 import ContainerStatus, Pod, PodTemplateSpec

from ktui.engine.controllers.objects import (
    annotations_of,
    condition_of,
    created_at,
    is_deleting,
    meta,
    name_of,
    phase_of,
    pod_status,
)
from ktui.engine.controllers.pod_control import pod_from_template
from ktui.kube.kinds import JOBS
from ktui.kube.resource import Object

TRACKING: Final = "batch.kubernetes.io/job-tracking"
"""The finalizer."""
INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""Annotation and label with a pod's index."""
INDEX_FAILURES: Final = "batch.kubernetes.io/job-index-failure-count"
INDEX_IGNORED: Final = "batch.kubernetes.io/job-index-ignored-failure-count"
INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"
_OWN_CONTROLLER: Final = "kubernetes.io/job-controller"


def job_spec(job: Job) -> JobSpec:
    assert job.spec is not None
    return job.spec


def is_managed_elsewhere(job: Job) -> bool:
    """Another controller looks after this Job."""
    manager = job_spec(job).managedBy
    return manager is not None and manager != _OWN_CONTROLLER


def has_condition(job: Job, *kinds: str) -> bool:
    return any(
        condition.type in kinds and condition.status == "True"
        for condition in (job.status.conditions if job.status else None) or ()
    )


def is_job_finished(job: Job) -> bool:
    return has_condition(job, "Complete", "Failed")


def is_indexed(job: Job) -> bool:
    return job_spec(job).completionMode == "Indexed"


def only_replaces_failed(job: Job) -> bool:
    """A pod that is going counts, and is replaced, only when it has gone."""
    return job_spec(job).podReplacementPolicy == "Failed"


def is_tracked(pod: Pod) -> bool:
    """The pod waits to be counted."""
    return TRACKING in (meta(pod).finalizers or ())


def completion_index(pod: Pod) -> int | None:
    return _number(pod, INDEX)


def _number(pod: Pod, annotation: str) -> int | None:
    text = annotations_of(pod).get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else None


def index_failures(pod: Pod) -> tuple[int, int]:
    """How often pods of its index failed before it, counted and ignored."""
    return _number(pod, INDEX_FAILURES) or 0, _number(pod, INDEX_IGNORED) or 0


def is_succeeded(pod: Pod) -> bool:
    return phase_of(pod) == "Succeeded"


def is_failed(pod: Pod, job: Job) -> bool:
    """Failed, or on its way out without having succeeded."""
    phase = phase_of(pod)
    return phase == "Failed" or (is_deleting(pod) and phase != "Succeeded" and not only_replaces_failed(job))


def container_statuses(pod: Pod) -> Iterable[ContainerStatus]:
    status = pod_status(pod)
    yield from status.initContainerStatuses or ()
    yield from status.containerStatuses or ()


def ended_at(pod: Pod) -> datetime:
    """When its last container ended, as far as that is known."""
    statuses: Sequence[ContainerStatus] = pod_status(pod).containerStatuses or ()
    ends = [each.state.terminated.finishedAt for each in statuses if each.state and each.state.terminated]
    known = [end for end in ends if end is not None]
    if known and len(known) == len(statuses):
        return max(known)
    ready = condition_of(pod, "Ready")
    if ready is not None and ready.status == "False" and ready.lastTransitionTime is not None:
        return ready.lastTransitionTime
    return meta(pod).deletionTimestamp or created_at(pod)


def new_pod(job: Job, index: int | None, failures: tuple[int, int] | None) -> Object:
    """A pod of the Job, for an index if it has any; `failures` (counted, ignored) if they limit it."""
    template: PodTemplateSpec = job_spec(job).template
    pod = pod_from_template(template, job, JOBS)
    metadata: Object = pod["metadata"]
    metadata["finalizers"] = [
        *(name for name in metadata.get("finalizers") or () if name != TRACKING),
        TRACKING,
    ]
    if index is None:
        return pod
    number, name = str(index), name_of(job)
    metadata["generateName"] = f"{name}-{number}-"
    metadata["labels"] = {**(metadata.get("labels") or {}), INDEX: number}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), INDEX: number}
    if failures is not None:
        counted, ignored = failures
        metadata["annotations"][INDEX_FAILURES] = str(counted)
        if ignored:
            metadata["annotations"][INDEX_IGNORED] = str(ignored)
    spec: Object = pod["spec"]
    pod["spec"] = {**spec, "hostname": f"{name}-{number}", **_with_index_variable(spec)}
    return pod


def _with_index_variable(spec: Object) -> Object:
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
    variable = {"name": INDEX_VARIABLE, "valueFrom": source}
    return {
        field: [_with_variable(container, variable) for container in spec[field]]
        for field in ("initContainers", "containers")
        if spec.get(field)
    }


def _with_variable(container: Object, variable: Object) -> Object:
    variables: list[Any] = container.get("env") or []
    if any(each.get("name") == INDEX_VARIABLE for each in variables):
        return container
    return {**container, "env": [*variables, variable]}
