"""What Kubernetes fills into a Job: its numbers and policies, and the selector and labels that tie pods to it.

A Job's pods are found by its UID, so the selector is made when the Job has one; the same labels are written
with and without prefix, as they have been called both ways.
"""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.resources.pod_defaults import default_template
from ktui.kube.data import items, mapping, section
from ktui.kube.resource import Object

CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"
JOB_NAME: Final = "batch.kubernetes.io/job-name"
LEGACY_CONTROLLER_UID: Final = "controller-uid"
LEGACY_JOB_NAME: Final = "job-name"
_BACKOFF_LIMIT: Final = 6
_UNLIMITED: Final = 2**31 - 1


def default_job(job: Object) -> Object:
    """A Job's defaults; without labels it has those of its pods."""
    spec = default_job_template(section(job, "spec"))
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    defaults: dict[str, Any] = {
        "parallelism": 1,
        "backoffLimit": _BACKOFF_LIMIT if spec.get("backoffLimitPerIndex") is None else _UNLIMITED,
        "completionMode": "NonIndexed",
        "suspend": False,
        "manualSelector": False,
        "podReplacementPolicy": "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed",
    }
    for field, value in defaults.items():
        if spec.get(field) is None:
            spec[field] = value
    return _labelled({**job, "spec": spec})


def _labelled(job: Object) -> Object:
    labels = mapping(section(job, "spec", "template", "metadata"), "labels")
    metadata: Object = job.get("metadata") or {}
    if not labels or metadata.get("labels"):
        return job
    return {**job, "metadata": {**metadata, "labels": labels}}


def default_job_template(spec: Object) -> Object:
    """What is filled into the spec of a Job, and of the Jobs of a CronJob too."""
    changed: Object = {**spec, "template": default_template(spec.get("template") or {})}
    policy = section(spec, "podFailurePolicy")
    if policy:
        changed["podFailurePolicy"] = {
            **policy,
            "rules": [_default_rule(rule) for rule in items(policy, "rules")],
        }
    return changed


def _default_rule(rule: Object) -> Object:
    patterns = items(rule, "onPodConditions")
    if not patterns:
        return rule
    return {**rule, "onPodConditions": [{"status": "True", **pattern} for pattern in patterns]}


def with_selector(job: Object) -> Object:
    """A new Job with the labels of its pods and a selector for them, unless it brings its own."""
    spec = section(job, "spec")
    if spec.get("manualSelector"):
        return job
    metadata = section(job, "metadata")
    name, uid = str(metadata.get("name") or ""), str(metadata.get("uid") or "")
    generated = {
        LEGACY_CONTROLLER_UID: uid,
        LEGACY_JOB_NAME: name,
        CONTROLLER_UID: uid,
        JOB_NAME: name,
    }
    template: Object = spec.get("template") or {}
    of_pods: Object = template.get("metadata") or {}
    selector: Object = spec.get("selector") or {}
    changed: Object = {
        **spec,
        "selector": {**selector, "matchLabels": {CONTROLLER_UID: uid, **mapping(selector, "matchLabels")}},
        "template": {
            **template,
            "metadata": {**of_pods, "labels": {**generated, **mapping(of_pods, "labels")}},
        },
    }
    return _labelled({**job, "spec": changed})
