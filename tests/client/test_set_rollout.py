"""Rollouts of StatefulSets and DaemonSets in kubectl's words, and their revisions."""

from __future__ import annotations

from typing import Any

import pytest

from ktui.client.rollout import rollout_status, undo_patch
from ktui.client.set_rollout import NOT_ROLLING, set_revisions


def workload(kind: str, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "web", "uid": "u", "generation": 2},
        "spec": spec or {"replicas": 3},
        "status": {"observedGeneration": 2, **status},
    }


PARTITION = {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


@pytest.mark.parametrize(
    ("obj", "message", "done"),
    [
        (
            workload("DaemonSet", observedGeneration=1),
            "Waiting for daemon set spec update to be observed...",
            False,
        ),
        (
            workload("DaemonSet", desiredNumberScheduled=3, updatedNumberScheduled=1),
            'Waiting for daemon set "web" rollout to finish: 1 out of 3 new pods have been updated...',
            False,
        ),
        (
            workload("DaemonSet", desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=2),
            'Waiting for daemon set "web" rollout to finish: 2 of 3 updated pods are available...',
            False,
        ),
        (
            workload("DaemonSet", desiredNumberScheduled=1, updatedNumberScheduled=1, numberAvailable=1),
            'daemon set "web" successfully rolled out',
            True,
        ),
        (workload("DaemonSet", ON_DELETE), NOT_ROLLING, False),
        (workload("StatefulSet", ON_DELETE), NOT_ROLLING, False),
        (
            workload("StatefulSet", observedGeneration=0),
            "Waiting for statefulset spec update to be observed...",
            False,
        ),
        (workload("StatefulSet", readyReplicas=1), "Waiting for 2 pods to be ready...", False),
        (
            workload("StatefulSet", PARTITION, readyReplicas=3, updatedReplicas=1),
            "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...",
            False,
        ),
        (
            workload("StatefulSet", PARTITION, readyReplicas=3, updatedReplicas=2),
            "partitioned roll out complete: 2 new pods have been updated...",
            True,
        ),
        (
            workload(
                "StatefulSet", readyReplicas=3, updatedReplicas=1, updateRevision="b", currentRevision="a"
            ),
            "waiting for statefulset rolling update to complete 1 pods at revision b...",
            False,
        ),
        (
            workload(
                "StatefulSet", readyReplicas=3, currentReplicas=3, updateRevision="b", currentRevision="b"
            ),
            "statefulset rolling update complete 3 pods at revision b...",
            True,
        ),
    ],
)
def test_status(obj: dict[str, Any], message: str, done: bool):
    assert rollout_status(obj) == (message, done)


def owned(name: str, labels: dict[str, str] | None = None, uid: str = "u", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels or {}, "ownerReferences": [{"uid": uid, "controller": True}]}
    return {"metadata": metadata, **more}


def test_revisions_are_those_of_the_set_with_their_pods():
    def data(image: str) -> dict[str, Any]:
        return {"spec": {"template": {"spec": {"containers": [{"image": image}]}, "$patch": "replace"}}}

    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    revisions = [
        owned("web-1", {"controller-revision-hash": "1"}, revision=1, data=data("web:1")),
        owned("web-2", {"controller-revision-hash": "2"}, revision=2, data=data("web:2")),
        owned("other", uid="x", revision=9, data=data("other")),
    ]
    pods = [
        owned("a", {"controller-revision-hash": "2"}, status=ready),
        owned("b", {"controller-revision-hash": "web-2"}),
        owned("c", {"controller-revision-hash": "web-1"}, status=ready),
        owned("d", {"controller-revision-hash": "2"}, uid="x"),
    ]
    obj = workload("StatefulSet")
    new, old = set_revisions(obj, revisions, pods)
    assert (new.number, new.current, new.ready, new.replicas) == (2, True, 1, 2)
    assert (old.number, old.current, old.ready, old.replicas) == (1, False, 1, 1)
    assert undo_patch(obj, old) == [
        {"op": "replace", "path": "/spec/template", "value": {"spec": {"containers": [{"image": "web:1"}]}}}
    ]
