"""Pods rich enough that a description of them shows every part."""

from __future__ import annotations

from typing import Any

META: dict[str, Any] = {
    "namespace": "default",
    "creationTimestamp": "2026-03-01T10:00:00Z",
    "labels": {"tier": "front", "app": "web"},
}
OWNER = [
    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4", "uid": "rs-new", "controller": True}
]

CONTAINER: dict[str, Any] = {
    "name": "web",
    "image": "shop/web:1",
    "command": ["sh", "-c"],
    "args": ["echo one\nsleep 5", "two"],
    "ports": [
        {"containerPort": 80, "protocol": "TCP", "name": "http", "hostPort": 8080},
        {"containerPort": 53, "protocol": "UDP"},
    ],
    "resources": {
        "limits": {"memory": "128Mi", "cpu": "500m"},
        "requests": {"cpu": "0.25", "memory": "64Mi"},
    },
    "livenessProbe": {
        "httpGet": {"path": "/healthz", "port": 80, "scheme": "HTTP"},
        "initialDelaySeconds": 3,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
    "readinessProbe": {
        "exec": {"command": ["cat", "/ready"]},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
    "startupProbe": {
        "tcpSocket": {"port": "http"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 30,
    },
    "envFrom": [
        {"configMapRef": {"name": "page"}},
        {"prefix": "DB_", "secretRef": {"name": "db", "optional": True}},
    ],
    "env": [
        {"name": "PLAIN", "value": "x"},
        {"name": "LINES", "value": "a\nb"},
        {"name": "EMPTY"},
        {"name": "POD", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}},
        {
            "name": "APP",
            "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['app']"}},
        },
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}},
        {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory", "divisor": "1Mi"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
        {
            "name": "PAGE",
            "valueFrom": {"configMapKeyRef": {"name": "page", "key": "title", "optional": True}},
        },
    ],
    "volumeMounts": [
        {"name": "data", "mountPath": "/var/data", "readOnly": True},
        {"name": "page", "mountPath": "/srv/index.html", "subPath": "index.html"},
    ],
}

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        **META,
        "name": "web-1",
        "uid": "pod-1",
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "note": "short",
            "long": "first line\n" + "x" * 150,
        },
        "ownerReferences": OWNER,
    },
    "spec": {
        "priority": 0,
        "serviceAccountName": "default",
        "nodeName": "node1",
        "initContainers": [
            {"name": "setup", "image": "busybox", "command": ["true"]},
            {"name": "proxy", "image": "proxy:2", "restartPolicy": "Always"},
        ],
        "containers": [CONTAINER, {"name": "idle", "image": "pause"}],
        "readinessGates": [{"conditionType": "example.com/open"}],
        "volumes": [
            {"name": "data", "hostPath": {"path": "/data", "type": ""}},
            {"name": "page", "configMap": {"name": "page"}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "db", "secret": {"secretName": "db", "optional": True}},
            {"name": "claim", "persistentVolumeClaim": {"claimName": "disk"}},
            {
                "name": "info",
                "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]},
            },
            {
                "name": "token",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {"configMap": {"name": "ca"}},
                        {"downwardAPI": {"items": []}},
                        {"secret": {"name": "more"}},
                    ]
                },
            },
        ],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [
            {
                "key": "node.kubernetes.io/not-ready",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            },
            {"key": "dedicated", "operator": "Equal", "value": "web", "effect": "NoSchedule"},
            {"operator": "Exists"},
        ],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {
                    "matchLabels": {"app": "web"},
                    "matchExpressions": [{"key": "tier", "operator": "In", "values": ["b", "a"]}],
                },
            },
            {"maxSkew": 2, "topologyKey": "host", "whenUnsatisfiable": "ScheduleAnyway"},
        ],
    },
    "status": {
        "phase": "Running",
        "hostIP": "10.0.0.1",
        "podIP": "10.88.0.5",
        "podIPs": [{"ip": "10.88.0.5"}, {"ip": "fd00::5"}],
        "startTime": "2026-03-01T10:00:01Z",
        "qosClass": "Burstable",
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
        ],
        "initContainerStatuses": [
            {
                "name": "setup",
                "image": "busybox",
                "imageID": "sha256:1",
                "containerID": "podman://1",
                "ready": True,
                "restartCount": 0,
                "state": {
                    "terminated": {
                        "exitCode": 0,
                        "reason": "Completed",
                        "startedAt": "2026-03-01T10:00:01Z",
                        "finishedAt": "2026-03-01T10:00:02Z",
                    }
                },
            }
        ],
        "containerStatuses": [
            {
                "name": "web",
                "image": "shop/web:1",
                "imageID": "sha256:2",
                "containerID": "podman://2",
                "ready": False,
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {
                    "terminated": {
                        "exitCode": 137,
                        "signal": 9,
                        "reason": "OOMKilled",
                        "message": "out of memory",
                        "startedAt": "2026-03-01T10:00:03Z",
                        "finishedAt": "2026-03-01T10:00:04Z",
                    }
                },
            },
            {
                "name": "idle",
                "image": "pause",
                "imageID": "",
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": "2026-03-01T10:00:03Z"}},
            },
        ],
    },
}

PENDING: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "bare",
        "namespace": "default",
        "uid": "pod-2",
        "creationTimestamp": "2026-03-01T10:00:00Z",
    },
    "spec": {"containers": [{"name": "main", "image": "busybox"}]},
    "status": {"phase": "Pending", "nominatedNodeName": "node2", "message": "no room", "reason": "Waiting"},
}

LEAVING: dict[str, Any] = {
    **PENDING,
    "metadata": {
        **PENDING["metadata"],
        "name": "leaving",
        "uid": "pod-3",
        "deletionTimestamp": "2026-03-01T11:00:00Z",
        "deletionGracePeriodSeconds": 30,
    },
}
