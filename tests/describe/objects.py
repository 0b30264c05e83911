"""Objects rich enough that a description of them shows every part."""

from __future__ import annotations

from typing import Any

NOW = "2026-03-01T12:00:00Z"

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

NODE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "node1",
        "uid": "node-uid",
        "creationTimestamp": "2026-03-01T09:00:00Z",
        "labels": {"kubernetes.io/hostname": "node1", "node-role.kubernetes.io/control-plane": ""},
    },
    "spec": {
        "podCIDR": "10.88.0.0/16",
        "podCIDRs": ["10.88.0.0/16"],
        "providerID": "ktui://node1",
        "unschedulable": True,
        "taints": [
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
            {"key": "a", "value": "b", "effect": "NoExecute"},
        ],
    },
    "status": {
        "conditions": [
            {
                "type": "MemoryPressure",
                "status": "False",
                "lastHeartbeatTime": "2026-03-01T11:59:00Z",
                "lastTransitionTime": "2026-03-01T09:00:00Z",
                "reason": "KubeletHasSufficientMemory",
                "message": "kubelet has sufficient memory available",
            },
            {
                "type": "Ready",
                "status": "True",
                "lastHeartbeatTime": "2026-03-01T11:59:00Z",
                "lastTransitionTime": "2026-03-01T09:00:10Z",
                "reason": "KubeletReady",
                "message": "kubelet is posting ready status",
            },
        ],
        "addresses": [
            {"type": "InternalIP", "address": "10.0.0.1"},
            {"type": "Hostname", "address": "node1"},
        ],
        "capacity": {
            "cpu": "4",
            "memory": "8Gi",
            "pods": "110",
            "ephemeral-storage": "100Gi",
            "hugepages-2Mi": "0",
        },
        "allocatable": {
            "cpu": "3900m",
            "memory": "7Gi",
            "pods": "110",
            "ephemeral-storage": "90Gi",
            "hugepages-2Mi": "0",
            "example.com/gpu": "2",
        },
        "nodeInfo": {
            "machineID": "m",
            "systemUUID": "s",
            "bootID": "b",
            "kernelVersion": "6.1",
            "osImage": "Debian GNU/Linux 12",
            "operatingSystem": "linux",
            "architecture": "amd64",
            "containerRuntimeVersion": "podman://5",
            "kubeletVersion": "v1.37.0",
            "kubeProxyVersion": "",
        },
    },
}

LEASE: dict[str, Any] = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {
        "name": "node1",
        "namespace": "kube-node-lease",
        "uid": "lease-1",
        "creationTimestamp": "2026-03-01T09:00:00Z",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "node1", "uid": "node-uid"}],
    },
    "spec": {
        "holderIdentity": "node1",
        "leaseDurationSeconds": 40,
        "renewTime": "2026-03-01T11:59:50.123456Z",
    },
}

CONFIG_MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {**META, "name": "page", "uid": "cm-1"},
    "data": {"title": "Shop", "index.html": "<html>\n  <body>\n</html>\n"},
    "binaryData": {"logo": "AAECAw=="},
}

SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {**META, "name": "db", "uid": "secret-1"},
    "type": "Opaque",
    "data": {"password": "aHVudGVyMg==", "user": "bWU="},
}

TOKEN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "builder-token",
        "namespace": "default",
        "uid": "secret-2",
        "annotations": {
            "kubernetes.io/service-account.name": "builder",
            "kubernetes.io/service-account.uid": "sa-1",
        },
    },
    "type": "kubernetes.io/service-account-token",
    "data": {"token": "c2VjcmV0", "namespace": "ZGVmYXVsdA=="},
}

SERVICE_ACCOUNT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "builder", "namespace": "default", "uid": "sa-1"},
    "secrets": [{"name": "builder-token"}, {"name": "lost"}],
    "imagePullSecrets": [{"name": "db"}],
}

NAMESPACE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "uid": "ns-1", "labels": {"kubernetes.io/metadata.name": "shop"}},
    "spec": {"finalizers": ["kubernetes"]},
    "status": {
        "phase": "Terminating",
        "conditions": [
            {
                "type": "NamespaceContentRemaining",
                "status": "True",
                "lastTransitionTime": "2026-03-01T11:00:00Z",
                "reason": "SomeResourcesRemain",
                "message": "Some resources are remaining: pods. has 1 resource instances",
            }
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


def event(
    name: str, kind: str, about: str, uid: str, namespace: str = "default", **fields: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace, "uid": f"event-{name}"},
        "involvedObject": {
            "kind": kind,
            "name": about,
            "uid": uid,
            **({"namespace": namespace} if kind != "Node" else {}),
        },
        "type": "Normal",
        "firstTimestamp": "2026-03-01T10:00:00Z",
        "lastTimestamp": "2026-03-01T10:00:00Z",
        "count": 1,
        "source": {"component": "kubelet", "host": "node1"},
        **fields,
    }


EVENTS: list[dict[str, Any]] = [
    event(
        "w2",
        "Pod",
        "web-1",
        "pod-1",
        type="Warning",
        reason="BackOff",
        message="Back-off restarting failed container web in pod web-1",
        count=12,
        lastTimestamp="2026-03-01T11:58:30Z",
    ),
    event(
        "w1",
        "Pod",
        "web-1",
        "pod-1",
        reason="Scheduled",
        message="Successfully assigned default/web-1 to node1",
        source={"component": "default-scheduler"},
    ),
    event(
        "w3",
        "Pod",
        "web-1",
        "pod-1",
        reason="Pulled",
        message=" trimmed ",
        source={},
        reportingComponent="kubelet-x",
        firstTimestamp=None,
        lastTimestamp=None,
        eventTime="2026-03-01T11:00:00.000000Z",
        series={"count": 4, "lastObservedTime": "2026-03-01T11:59:00.000000Z"},
    ),
    event("d1", "Deployment", "web", "deploy-1", reason="ScalingReplicaSet", message="Scaled up replica set"),
    event("n1", "Node", "node1", "node1", reason="Starting", message="Starting kubelet."),
    event(
        "n2",
        "Node",
        "node1",
        "node-uid",
        reason="NodeReady",
        message="Node is ready",
        lastTimestamp="2026-03-01T10:30:00Z",
    ),
    event("l1", "Lease", "node1", "lease-1", namespace="kube-node-lease", reason="Renewed", message="again"),
]

QUOTA: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "compute", "namespace": "shop", "uid": "quota-1"},
    "spec": {"hard": {"pods": "10", "requests.cpu": "2"}, "scopes": ["NotTerminating"]},
    "status": {"hard": {"requests.cpu": "2", "pods": "10"}, "used": {"pods": "3", "requests.cpu": "600m"}},
}

LIMIT_RANGE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "bounds", "namespace": "shop", "uid": "limits-1"},
    "spec": {
        "limits": [
            {
                "type": "Container",
                "min": {"cpu": "100m"},
                "max": {"cpu": "1", "memory": "1Gi"},
                "default": {"cpu": "500m", "memory": "1Gi"},
                "defaultRequest": {"cpu": "200m", "memory": "1Gi"},
            },
            {"type": "Pod", "max": {"cpu": "4"}, "maxLimitRequestRatio": {"cpu": "3"}},
        ]
    },
}
