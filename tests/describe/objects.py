"""Nodes, settings, limits and events, rich enough that a description of them shows every part."""

from __future__ import annotations

from typing import Any

from pod_objects import META

NOW = "2026-03-01T12:00:00Z"

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

PRIORITY_CLASS: dict[str, Any] = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "gold", "annotations": {"b": "2", "a": "1"}},
    "value": 1000,
    "globalDefault": True,
    "preemptionPolicy": "Never",
    "description": "For those who pay.",
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
