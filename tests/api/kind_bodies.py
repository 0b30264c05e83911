"""A small sound body of each kind of the cluster's own interfaces: certificates, storage, devices, flow control."""

from __future__ import annotations

from certificate_objects import certificate, pod_request

from ktui.kube.resource import Object

CLAIM: Object = {
    "devices": {
        "requests": [
            {"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}},
            {"name": "any", "firstAvailable": [{"name": "big", "deviceClassName": "gpu.example.com"}]},
        ],
        "constraints": [{"requests": ["gpu", "any/big"], "matchAttribute": "example.com/rev"}],
        "config": [{"opaque": {"driver": "gpu.example.com", "parameters": {"a": 1}}}],
    }
}
CLUSTER_BODIES: dict[str, Object] = {
    "clustertrustbundles.certificates.k8s.io": {"spec": {"trustBundle": certificate()}},
    "podcertificaterequests.certificates.k8s.io": {"spec": pod_request()["spec"]},
    "events.events.k8s.io": {
        "action": "Start",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reason": "Started",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reportingController": "example.com/c",
        "reportingInstance": "i",
        "type": "Normal",
    },
    "podtemplates": {
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        }
    },
    "flowschemas.flowcontrol.apiserver.k8s.io": {
        "spec": {
            "priorityLevelConfiguration": {"name": "system"},
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "a"}}],
                    "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics", "/x/*"]}],
                }
            ],
        }
    },
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {
        "spec": {
            "type": "Limited",
            "limited": {"limitResponse": {"type": "Queue", "queuing": {"queues": 16}}},
        }
    },
    "deviceclasses.resource.k8s.io": {
        "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.example.com'"}}]}
    },
    "devicetaintrules.resource.k8s.io": {
        "spec": {"deviceSelector": {"driver": "gpu.example.com"}, "taint": {"key": "a", "effect": "None"}}
    },
    "resourceclaims.resource.k8s.io": {"spec": CLAIM},
    "resourceclaimtemplates.resource.k8s.io": {"spec": {"spec": CLAIM}},
    "resourceslices.resource.k8s.io": {
        "spec": {
            "driver": "gpu.example.com",
            "nodeName": "n1",
            "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            "devices": [
                {
                    "name": "gpu-0",
                    "attributes": {"model": {"string": "a"}, "example.com/rev": {"version": "1.0.0"}},
                    "capacity": {"memory": {"value": "8Gi"}},
                }
            ],
        }
    },
    "storageversionmigrations.storagemigration.k8s.io": {"spec": {"resource": {"resource": "pods"}}},
    "mutatingadmissionpolicies.admissionregistration.k8s.io": {
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"operations": ["CREATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["x"]}
                ]
            },
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": "Object{metadata: Object.metadata{}}"},
                }
            ],
        }
    },
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": {"spec": {"policyName": "x"}},
    "csidrivers.storage.k8s.io": {"spec": {"tokenRequests": [{"audience": "a"}]}},
    "csinodes.storage.k8s.io": {
        "spec": {"drivers": [{"name": "example.com", "nodeID": "n", "topologyKeys": ["zone"]}]}
    },
    "csistoragecapacities.storage.k8s.io": {"storageClassName": "fast", "capacity": "1Gi"},
    "volumeattachments.storage.k8s.io": {
        "spec": {"attacher": "example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    },
    "volumeattributesclasses.storage.k8s.io": {
        "metadata": {"finalizers": ["kubernetes.io/vac-protection"]},
        "driverName": "example.com",
        "parameters": {"iops": "1"},
    },
}
