"""Volumes, claims and classes to describe."""

from typing import Any

from ktui.kube import kinds

_LABELS = [{"key": "disk", "operator": "Exists"}]
_HOSTS = [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["a", "b"]}]

LOCAL: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {
        "name": "disk",
        "uid": "pv-1",
        "labels": {"disk": "fast", "rack": "2"},
        "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"},
        "finalizers": ["kubernetes.io/pv-protection", "example.com/x"],
    },
    "spec": {
        "accessModes": ["ReadOnlyMany", "ReadWriteOnce"],
        "capacity": {"storage": "1024Mi"},
        "claimRef": {"namespace": "store", "name": "data"},
        "local": {"path": "/srv"},
        "nodeAffinity": {
            "required": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [*_HOSTS, *_LABELS]},
                    {"matchExpressions": _LABELS},
                ]
            }
        },
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "disks",
        "volumeMode": "Filesystem",
    },
    "status": {"phase": "Bound"},
}
REMOTE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "remote", "uid": "pv-2"},
    "spec": {
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": "1Gi"},
        "csi": {"driver": "d.example.com", "volumeHandle": "h", "volumeAttributes": {"a": "b", "c": "d"}},
        "persistentVolumeReclaimPolicy": "Delete",
    },
    "status": {"phase": "Failed", "message": "no deletable volume plugin matched"},
}
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "name": "data",
        "namespace": "store",
        "uid": "pvc-1",
        "labels": {"app": "db"},
        "finalizers": ["kubernetes.io/pvc-protection"],
        "ownerReferences": [{"kind": "Pod", "name": "web-1", "uid": "gone"}],
    },
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "before"},
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "disks",
        "volumeMode": "Filesystem",
        "volumeName": "disk",
    },
    "status": {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
        "capacity": {"storage": "1Gi"},
        "conditions": [
            {
                "type": "FileSystemResizePending",
                "status": "True",
                "lastTransitionTime": "2026-01-01T12:00:00Z",
                "message": "Waiting for user to (re-)start a pod",
            }
        ],
    },
}
CLASS: dict[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "zoned", "uid": "sc-1", "annotations": {"note": "x", "about": "y"}},
    "provisioner": "x.example.com/p",
    "parameters": {"a": "b", "c": "d"},
    "mountOptions": ["ro", "soft"],
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True,
    "allowedTopologies": [
        {
            "matchLabelExpressions": [
                {"key": "zone", "values": ["a", "b"]},
                {"key": "rack", "values": ["c"]},
            ]
        }
    ],
}
PLAIN_CLASS: dict[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "plain",
        "uid": "sc-2",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "kubernetes.io/no-provisioner",
    "allowedTopologies": [],
}
_TEMPLATE = {
    "metadata": {"labels": {"a": "b", "c": "d"}},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "zoned",
    },
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "db-0", "namespace": "store", "uid": "pod-db"},
    "spec": {
        "containers": [{"name": "db", "image": "db:1"}],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": _TEMPLATE}},
        ],
    },
    "status": {"phase": "Pending"},
}

CASES = [
    (kinds.PERSISTENT_VOLUMES, LOCAL),
    (kinds.PERSISTENT_VOLUMES, REMOTE),
    (kinds.PERSISTENT_VOLUME_CLAIMS, CLAIM),
    (kinds.STORAGE_CLASSES, CLASS),
    (kinds.STORAGE_CLASSES, PLAIN_CLASS),
    (kinds.PODS, POD),
]
