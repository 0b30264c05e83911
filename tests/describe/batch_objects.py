"""A Job and a CronJob that show every part of their descriptions."""

from __future__ import annotations

from typing import Any

from workload_objects import TEMPLATE

from ktui.kube import kinds
from ktui.kube.resource import Resource

JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {
        "name": "nightly-29454960",
        "namespace": "default",
        "uid": "job-1",
        "labels": {"app": "web"},
        "ownerReferences": [
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "name": "nightly",
                "uid": "cj-1",
                "controller": True,
            }
        ],
    },
    "spec": {
        "parallelism": 2,
        "completions": 40,
        "completionMode": "Indexed",
        "suspend": False,
        "backoffLimit": 6,
        "ttlSecondsAfterFinished": 600,
        "activeDeadlineSeconds": 300,
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "job-1"}},
        "template": TEMPLATE,
    },
    "status": {
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:02:30Z",
        "active": 1,
        "ready": 1,
        "succeeded": 20,
        "failed": 3,
        "completedIndexes": "0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34,36,38",
    },
}

CRON_JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "nightly", "namespace": "default", "uid": "cj-1", "annotations": {"team": "a"}},
    "spec": {
        "schedule": "0 3 * * *",
        "concurrencyPolicy": "Forbid",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
        "startingDeadlineSeconds": 120,
        "jobTemplate": {"spec": {"completions": 2, "activeDeadlineSeconds": 60, "template": TEMPLATE}},
    },
    "status": {
        "lastScheduleTime": "2026-01-01T00:00:00Z",
        "active": [{"kind": "Job", "name": "nightly-29454960", "namespace": "default"}],
    },
}

CASES: list[tuple[Resource, dict[str, Any]]] = [(kinds.JOBS, JOB), (kinds.CRON_JOBS, CRON_JOB)]
