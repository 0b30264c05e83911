"""What each of Kubernetes' control loops needs when it runs as its own ServiceAccount, events aside."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.rbac.default_rules import KEEP, LOOK, OWN, OWN_PODS, READ, TEND, rule, works_on
from ktui.kube.resource import Object

_APPS: Final = "apps,extensions"

CONTROLLERS: Final[dict[str, tuple[Object, ...]]] = {
    "attachdetach-controller": (
        rule(LOOK, "", "persistentvolumeclaims persistentvolumes"),
        rule(READ, "", "nodes"),
        rule("patch update", "", "nodes/status"),
        rule(LOOK, "", "pods"),
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
        rule(TEND, "batch", "cronjobs"),
        rule(OWN, "batch", "jobs"),
        rule("update", "batch", "cronjobs/finalizers cronjobs/status"),
        rule("delete list watch", "", "pods"),
    ),
    "daemon-set-controller": (
        *works_on(READ, _APPS, "daemonsets"),
        rule(LOOK, "", "nodes"),
        rule(OWN_PODS, "", "pods"),
        rule("create", "", "pods/binding"),
        rule(OWN, "apps", "controllerrevisions"),
    ),
    "deployment-controller": (
        *works_on(TEND, _APPS, "deployments"),
        rule(OWN, _APPS, "replicasets"),
        rule(TEND, "", "pods"),
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
        rule(KEEP, "", "endpoints"),
        rule("create", "", "endpoints/restricted"),
    ),
    "endpointslice-controller": (
        rule(READ, "", "nodes pods services"),
        rule("update", "", "services/finalizers"),
        rule(KEEP, "discovery.k8s.io", "endpointslices"),
    ),
    "endpointslicemirroring-controller": (
        rule(READ, "", "endpoints services"),
        rule("update", "", "endpoints/finalizers services/finalizers"),
        rule(KEEP, "discovery.k8s.io", "endpointslices"),
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
        rule(LOOK, "", "pods"),
        rule(LOOK, "metrics.k8s.io", "pods"),
        rule(READ, "custom.metrics.k8s.io,external.metrics.k8s.io", "*"),
    ),
    "job-controller": (
        *works_on("get list patch update watch", "batch", "jobs"),
        rule(OWN_PODS, "", "pods"),
    ),
    "kube-apiserver-serving-clustertrustbundle-publisher": (
        rule("attest", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-serving"),
        rule("create delete list update watch", "certificates.k8s.io", "clustertrustbundles"),
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
        rule(KEEP, "", "persistentvolumes"),
        rule("update", "", "persistentvolumeclaims/status persistentvolumes/status"),
        rule(TEND, "", "persistentvolumeclaims"),
        rule("create delete get list watch", "", "pods"),
        rule(READ, "storage.k8s.io", "storageclasses"),
        rule(LOOK, "", "nodes"),
        rule("watch", "", "events"),
    ),
    "podcertificaterequestcleaner": (
        rule("delete get list watch", "certificates.k8s.io", "podcertificaterequests"),
    ),
    "pod-garbage-collector": (
        rule("delete list watch", "", "pods"),
        rule(READ, "", "nodes"),
        rule("patch", "", "pods/status"),
    ),
    "pv-protection-controller": (rule(TEND, "", "persistentvolumes"),),
    "pvc-protection-controller": (
        rule(TEND, "", "persistentvolumeclaims"),
        rule(READ, "", "pods"),
    ),
    "resource-claim-controller": (
        rule(READ, "", "pods"),
        rule("update", "", "pods/finalizers"),
        rule("create delete get list watch", "resource.k8s.io", "resourceclaims"),
        rule("patch update", "resource.k8s.io", "resourceclaims resourceclaims/status"),
        rule("patch update", "", "pods/status"),
    ),
    "replicaset-controller": (
        *works_on(TEND, _APPS, "replicasets"),
        rule(OWN_PODS, "", "pods"),
    ),
    "replication-controller": (
        *works_on(TEND, "", "replicationcontrollers"),
        rule(OWN_PODS, "", "pods"),
    ),
    "resourcequota-controller": (
        rule(LOOK, "*", "*"),
        rule("update", "", "resourcequotas/status"),
    ),
    "root-ca-cert-publisher": (rule("create update", "", "configmaps"),),
    "service-account-controller": (rule("create", "", "serviceaccounts"),),
    "service-cidrs-controller": (
        rule("get list patch update watch", "networking.k8s.io", "servicecidrs"),
        rule("patch update", "networking.k8s.io", "servicecidrs/finalizers servicecidrs/status"),
        rule(READ, "networking.k8s.io", "ipaddresses"),
    ),
    "service-controller": (
        rule(READ, "", "services"),
        rule("patch update", "", "services/status"),
        rule(LOOK, "", "nodes"),
    ),
    "statefulset-controller": (
        rule(OWN, "", "pods"),
        *works_on(READ, "apps", "statefulsets"),
        rule(OWN, "apps", "controllerrevisions"),
        rule(KEEP, "", "persistentvolumeclaims"),
        rule("update", "", "pods/finalizers"),
    ),
    "storage-version-migrator-controller": (
        rule("list patch", "*", "*"),
        rule("get", "apiextensions.k8s.io", "customresourcedefinitions"),
        rule("patch", "apiextensions.k8s.io", "customresourcedefinitions/status"),
        rule("update", "storagemigration.k8s.io", "storageversionmigrations/status"),
    ),
    "ttl-after-finished-controller": (rule("delete get list watch", "batch", "jobs"),),
    "ttl-controller": (rule("list patch update watch", "", "nodes"),),
    "validatingadmissionpolicy-status-controller": (
        rule(READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
        rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
    ),
    "volumeattributesclass-protection-controller": (
        rule(READ, "", "persistentvolumeclaims persistentvolumes"),
        rule(TEND, "storage.k8s.io", "volumeattributesclasses"),
    ),
}
