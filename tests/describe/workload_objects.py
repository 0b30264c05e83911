"""Workloads, their sets and revisions, rich enough that a description of them shows every part."""

from __future__ import annotations

from typing import Any

from pod_objects import CONTAINER, META, OWNER

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"restarted": "yes"}},
    "spec": {
        "serviceAccountName": "builder",
        "initContainers": [{"name": "setup", "image": "busybox"}],
        "containers": [CONTAINER],
        "volumes": [{"name": "page", "configMap": {"name": "page"}}],
        "priorityClassName": "high",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [
            {"key": "a", "operator": "Exists"},
            {"key": "b", "value": "c", "effect": "NoSchedule"},
        ],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
            {"maxSkew": 1, "topologyKey": "host", "whenUnsatisfiable": "DoNotSchedule"},
        ],
    },
}


def _replica_set(
    name: str, uid: str, template: dict[str, Any], replicas: int, created: str
) -> dict[str, Any]:
    labels = {**template["metadata"]["labels"], "pod-template-hash": uid}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": "deploy-1",
        "controller": True,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": uid,
            "labels": labels,
            "creationTimestamp": created,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
            "ownerReferences": [deployment],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
        "status": {
            "replicas": replicas,
            "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}]
            if replicas
            else [],
        },
    }


OLD_TEMPLATE = {
    **TEMPLATE,
    "spec": {**TEMPLATE["spec"], "containers": [{"name": "web", "image": "shop/web:0"}]},
}
NEW_SET = _replica_set("web-5d4", "rs-new", TEMPLATE, 2, "2026-03-01T10:00:00Z")
OLD_SET = _replica_set("web-4c3", "rs-old", OLD_TEMPLATE, 1, "2026-02-01T10:00:00Z")
OLDER_SET = _replica_set(
    "web-3b2", "rs-older", {**OLD_TEMPLATE, "spec": {"containers": []}}, 0, "2026-01-01T10:00:00Z"
)

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        **META,
        "name": "web",
        "uid": "deploy-1",
        "annotations": {"deployment.kubernetes.io/revision": "2"},
    },
    "spec": {
        "replicas": 3,
        "minReadySeconds": 5,
        "selector": {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "canary", "operator": "DoesNotExist"}],
        },
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 1}},
        "template": TEMPLATE,
    },
    "status": {
        "replicas": 3,
        "updatedReplicas": 2,
        "availableReplicas": 1,
        "unavailableReplicas": 2,
        "conditions": [
            {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
            {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"},
        ],
    },
}

REVISION: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "ControllerRevision",
    "metadata": {**META, "name": "db-7", "uid": "rev-1", "ownerReferences": OWNER},
    "data": {"spec": {"template": {"$patch": "replace", "count": 2, "flags": [True, None, "x"]}}},
    "revision": 7,
}
