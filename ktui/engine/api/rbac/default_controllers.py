"""What each of Kubernetes' control loops needs when it runs as its own ServiceAccount, events aside."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.rbac.default_rules import READ, rule
from ktui.kube.resource import Object

_APPS: Final = "apps,extensions"

CONTROLLERS: Final[dict[str, tuple[Object, ...]]] = {
    "attachdetach-controller": (
        rule("list watch", "", "persistentvolumeclaims persistentvolumes"),
        rule(READ, "", "nodes"),
        rule("patch update", "", "nodes/status"),
        rule("list watch", "", "pods"),
        rule("create delete get list watch", "storage.k8s.io", "volumeattachments"),
        rule(READ, "storage.k8s.io", "csidrivers csinodes"),
    ),
    "certificate-controller": (
        rule("delete get list watch", "certificates.k8s.io", "certificatesigningrequests"),
        rule(
            "update",
            "certificates.k8s.io",
            "certificatesigningrequests/approval certificatesigningrequests/status",
        ),
        rule("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
        rule(
            "sign",
            "certificates.k8s.io",
            "signers",
            "kubernetes.io/kube-apiserver-client",
            "kubernetes.io/kube-apiserver-client-kubelet",
            "kubernetes.io/kubelet-serving",
            "kubernetes.io/legacy-unknown",
        ),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    ),
    "clusterrole-aggregation-controller": (
        rule("escalate get list patch update watch", "rbac.authorization.k8s.io", "clusterroles"),
    ),
    "cronjob-controller": (
        rule("get list update watch", "batch", "cronjobs"),
        rule("create delete get list patch update watch", "batch", "jobs"),
        rule("update", "batch", "cronjobs/finalizers cronjobs/status"),
        rule("delete list watch", "", "pods"),
    ),
    "daemon-set-controller": (
        rule(READ, _APPS, "daemonsets"),
        rule("update", _APPS, "daemonsets/finalizers daemonsets/status"),
        rule("list watch", "", "nodes"),
        rule("create delete list patch watch", "", "pods"),
        rule("create", "", "pods/binding"),
        rule("create delete get list patch update watch", "apps", "controllerrevisions"),
    ),
    "deployment-controller": (
        rule("get list update watch", _APPS, "deployments"),
        rule("update", _APPS, "deployments/finalizers deployments/status"),
        rule("create delete get list patch update watch", _APPS, "replicasets"),
        rule("get list update watch", "", "pods"),
    ),
    "disruption-controller": (
        rule(READ, _APPS, "deployments replicasets"),
        rule(READ, "", "replicationcontrollers"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "apps", "statefulsets"),
        rule("update", "policy", "poddisruptionbudgets/status"),
        rule("patch update", "", "pods/status"),
        rule("get", "*", "*/scale"),
    ),
    "endpoint-controller": (
        rule(READ, "", "pods services"),
        rule("create delete get list update watch", "", "endpoints"),
        rule("create", "", "endpoints/restricted"),
    ),
    "endpointslice-controller": (
        rule(READ, "", "nodes pods services"),
        rule("update", "", "services/finalizers"),
        rule("create delete get list update watch", "discovery.k8s.io", "endpointslices"),
    ),
    "endpointslicemirroring-controller": (
        rule(READ, "", "endpoints services"),
        rule("update", "", "endpoints/finalizers services/finalizers"),
        rule("create delete get list update watch", "discovery.k8s.io", "endpointslices"),
    ),
    "ephemeral-volume-controller": (
        rule(READ, "", "pods"),
        rule("update", "", "pods/finalizers"),
        rule("create get list watch", "", "persistentvolumeclaims"),
    ),
    "expand-controller": (
        rule("get list patch update watch", "", "persistentvolumes"),
        rule("patch update", "", "persistentvolumeclaims/status"),
        rule(READ, "", "persistentvolumeclaims"),
    ),
    "generic-garbage-collector": (rule("delete get list patch update watch", "*", "*"),),
    "horizontal-pod-autoscaler": (
        rule(READ, "autoscaling", "horizontalpodautoscalers"),
        rule("update", "autoscaling", "horizontalpodautoscalers/status"),
        rule("get update", "*", "*/scale"),
        rule("list watch", "", "pods"),
        rule("list watch", "metrics.k8s.io", "pods"),
        rule(READ, "custom.metrics.k8s.io,external.metrics.k8s.io", "*"),
    ),
    "job-controller": (
        rule("get list patch update watch", "batch", "jobs"),
        rule("update", "batch", "jobs/finalizers jobs/status"),
        rule("create delete list patch watch", "", "pods"),
    ),
    "legacy-service-account-token-cleaner": (
        rule("get", "", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
        rule("delete patch", "", "secrets"),
    ),
    "namespace-controller": (
        rule("delete get list watch", "", "namespaces"),
        rule("update", "", "namespaces/finalize namespaces/status"),
        rule("delete deletecollection get list watch", "*", "*"),
    ),
    "node-controller": (
        rule("delete get list patch update watch", "", "nodes"),
        rule("patch update", "", "nodes/status pods/status"),
        rule("delete get list watch", "", "pods"),
    ),
    "persistent-volume-binder": (
        rule("create delete get list update watch", "", "persistentvolumes"),
        rule("update", "", "persistentvolumeclaims/status persistentvolumes/status"),
        rule("get list update watch", "", "persistentvolumeclaims"),
        rule("create delete get list watch", "", "pods"),
        rule(READ, "storage.k8s.io", "storageclasses"),
        rule("list watch", "", "nodes"),
        rule("watch", "", "events"),
    ),
    "pod-garbage-collector": (
        rule("delete list watch", "", "pods"),
        rule(READ, "", "nodes"),
        rule("patch", "", "pods/status"),
    ),
    "pv-protection-controller": (rule("get list update watch", "", "persistentvolumes"),),
    "pvc-protection-controller": (
        rule("get list update watch", "", "persistentvolumeclaims"),
        rule(READ, "", "pods"),
    ),
    "replicaset-controller": (
        rule("get list update watch", _APPS, "replicasets"),
        rule("update", _APPS, "replicasets/finalizers replicasets/status"),
        rule("create delete list patch watch", "", "pods"),
    ),
    "replication-controller": (
        rule("get list update watch", "", "replicationcontrollers"),
        rule("update", "", "replicationcontrollers/finalizers replicationcontrollers/status"),
        rule("create delete list patch watch", "", "pods"),
    ),
    "resourcequota-controller": (
        rule("list watch", "*", "*"),
        rule("update", "", "resourcequotas/status"),
    ),
    "root-ca-cert-publisher": (rule("create update", "", "configmaps"),),
    "service-account-controller": (rule("create", "", "serviceaccounts"),),
    "service-controller": (
        rule(READ, "", "services"),
        rule("patch update", "", "services/status"),
        rule("list watch", "", "nodes"),
    ),
    "statefulset-controller": (
        rule("create delete get list patch update watch", "", "pods"),
        rule(READ, "apps", "statefulsets"),
        rule("update", "apps", "statefulsets/finalizers statefulsets/status"),
        rule("create delete get list patch update watch", "apps", "controllerrevisions"),
        rule("create delete get list update watch", "", "persistentvolumeclaims"),
        rule("update", "", "pods/finalizers"),
    ),
    "ttl-after-finished-controller": (rule("delete get list watch", "batch", "jobs"),),
    "ttl-controller": (rule("list patch update watch", "", "nodes"),),
    "validatingadmissionpolicy-status-controller": (
        rule(READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
        rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
    ),
}
