"""The roles and bindings every cluster begins with, as Kubernetes defines them.

Tables of rules in short: `rule("get list watch", "apps", "deployments")` is one PolicyRule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ktui.engine.api.authorization import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from ktui.engine.api.rbac.default_controllers import CONTROLLERS
from ktui.engine.api.rbac.default_rules import LOOK, READ, READ_WRITE, TEND, WRITE, rule, urls
from ktui.kube.kinds import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from ktui.kube.resource import Object, Resource

AUTO_UPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"
_GROUP: Final = ROLES.group
_LABELS: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE: Final = "rbac.authorization.k8s.io/aggregate-to-"
NODES: Final = "system:nodes"

_HEALTH: Final = ("/healthz", "/livez", "/readyz")
_VERSION: Final = ("/version", "/version/")
_ACCESS: Final = (
    rule("create", "authentication.k8s.io", "tokenreviews"),
    rule("create", "authorization.k8s.io", "subjectaccessreviews"),
)
_EVENTS: Final = rule("create patch update", ",events.k8s.io", "events")


def _leader(name: str) -> tuple[Object, ...]:
    """A Lease of that name, to be the one who works."""
    group = "coordination.k8s.io"
    return (rule("create", group, "leases"), rule("get update", group, "leases", name))


NODE_RULES: Final = (
    *_ACCESS,
    rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    rule(READ, "", "services"),
    rule("create get list watch", "", "nodes"),
    rule("patch update", "", "nodes/status nodes"),
    _EVENTS,
    rule(READ, "", "pods"),
    rule("create delete", "", "pods"),
    rule("patch update", "", "pods/status"),
    rule("create", "", "pods/eviction"),
    rule(READ, "", "configmaps secrets"),
    rule("get", "", "persistentvolumeclaims persistentvolumes"),
    rule("get", "", "endpoints"),
    rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
    rule("create delete get patch update", "coordination.k8s.io", "leases"),
    rule("get", "storage.k8s.io", "volumeattachments"),
    rule("create", "", "serviceaccounts/token"),
    rule("get", "", "serviceaccounts"),
    rule("get patch update", "", "persistentvolumeclaims/status"),
    rule(READ, "storage.k8s.io", "csidrivers"),
    rule("create delete get patch update", "storage.k8s.io", "csinodes"),
    rule(READ, "node.k8s.io", "runtimeclasses"),
    rule("get", "resource.k8s.io", "resourceclaims"),
    rule("deletecollection", "resource.k8s.io", "resourceslices"),
    rule(READ, "certificates.k8s.io", "clustertrustbundles"),
    rule("create get list watch", "certificates.k8s.io", "podcertificaterequests"),
)

_EDIT: Final = (
    rule(READ, "", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    rule("impersonate", "", "serviceaccounts"),
    rule(WRITE, "", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    rule("create", "", "pods/eviction"),
    rule(
        WRITE,
        "",
        "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
        "serviceaccounts services services/proxy",
    ),
    rule(WRITE, ",events.k8s.io", "events"),
    rule("create", "", "serviceaccounts/token"),
    rule(
        WRITE,
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
        "statefulsets/scale",
    ),
    rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
    rule(WRITE, "batch", "cronjobs jobs"),
    rule(
        WRITE,
        "extensions",
        "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets "
        "replicasets/scale replicationcontrollers/scale",
    ),
    rule(WRITE, "policy", "poddisruptionbudgets"),
    rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    rule(READ_WRITE, "coordination.k8s.io", "leases"),
    rule(WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
)

_VIEW: Final = (
    rule(
        READ,
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
        "replicationcontrollers/scale serviceaccounts services services/status",
    ),
    rule(
        READ,
        "",
        "bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
        "resourcequotas resourcequotas/status",
    ),
    rule(READ, "", "namespaces"),
    rule(READ, ",events.k8s.io", "events"),
    rule(READ, "discovery.k8s.io", "endpointslices"),
    rule(
        READ,
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status "
        "replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    ),
    rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    rule(
        READ,
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status "
        "networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale",
    ),
    rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    rule(READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
    rule(READ, "ktui.dev", "schedulingdecisions"),
    rule(READ, "metrics.k8s.io", "pods"),
)

_ROLES: Final[dict[str, tuple[Object, ...]]] = {
    "cluster-admin": (rule("*", "*", "*"), urls("*", "*")),
    "system:discovery": (
        urls("get", "/api", "/api/*", "/apis", "/apis/*", *_HEALTH, "/openapi", "/openapi/*", *_VERSION),
    ),
    "system:monitoring": (
        urls("get", *_HEALTH, "/healthz/*", "/livez/*", "/readyz/*", "/metrics", "/metrics/slis"),
    ),
    "system:public-info-viewer": (urls("get", *_HEALTH, *_VERSION),),
    "system:basic-user": (
        rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        rule("create", "authentication.k8s.io", "selfsubjectreviews"),
    ),
    "system:aggregate-to-admin": (
        rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        rule(READ_WRITE, _GROUP, "rolebindings roles"),
    ),
    "system:aggregate-to-edit": _EDIT,
    "system:aggregate-to-view": _VIEW,
    "system:auth-delegator": _ACCESS,
    "system:service-account-issuer-discovery": (
        urls(
            "get",
            "/.well-known/openid-configuration",
            "/.well-known/openid-configuration/",
            "/openid/v1/jwks",
            "/openid/v1/jwks/",
        ),
    ),
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": (
        rule("create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"),
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": (
        rule("create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"),
    ),
    **{
        f"system:certificates.k8s.io:{signer}-approver": (
            rule("approve", "certificates.k8s.io", "signers", f"kubernetes.io/{signer}"),
        )
        for signer in (
            "kube-apiserver-client",
            "kube-apiserver-client-kubelet",
            "kubelet-serving",
            "legacy-unknown",
        )
    },
    "system:node": NODE_RULES,
    "system:node-bootstrapper": (
        rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
    ),
    "system:node-problem-detector": (
        rule("get", "", "nodes"),
        rule("patch", "", "nodes/status"),
        _EVENTS,
    ),
    "system:node-proxier": (
        rule(LOOK, "", "endpoints services"),
        rule(READ, "", "nodes"),
        rule(LOOK, "networking.k8s.io", "servicecidrs"),
        rule(LOOK, "discovery.k8s.io", "endpointslices"),
        _EVENTS,
    ),
    "system:kubelet-api-admin": (
        rule(READ, "", "nodes"),
        rule("proxy", "", "nodes"),
        rule("*", "", "nodes/log nodes/metrics nodes/proxy nodes/stats"),
    ),
    "system:kube-dns": (rule(LOOK, "", "endpoints services"),),
    "system:kube-aggregator": (rule(READ, "", "endpoints services"),),
    "system:persistent-volume-provisioner": (
        rule("create delete get list watch", "", "persistentvolumes"),
        rule(TEND, "", "persistentvolumeclaims"),
        rule(READ, "storage.k8s.io", "storageclasses"),
        rule("watch", "", "events"),
        _EVENTS,
    ),
    "system:volume-scheduler": (
        rule("get list patch update watch", "", "persistentvolumes"),
        rule(READ, "storage.k8s.io", "storageclasses"),
        rule("get list patch update watch", "", "persistentvolumeclaims"),
    ),
    "system:kube-controller-manager": (
        _EVENTS,
        *_leader("kube-controller-manager"),
        rule("create", "", "secrets serviceaccounts"),
        rule("delete", "", "secrets"),
        rule("get", "", "configmaps namespaces secrets serviceaccounts"),
        rule("update", "", "secrets serviceaccounts"),
        *_ACCESS,
        rule(LOOK, "*", "*"),
        rule("create", "", "serviceaccounts/token"),
    ),
    "system:kube-scheduler": (
        _EVENTS,
        *_leader("kube-scheduler"),
        rule(READ, "", "nodes"),
        rule("delete get list watch", "", "pods"),
        rule("create", "", "bindings pods/binding"),
        rule("patch update", "", "pods/status"),
        rule(READ, "", "replicationcontrollers services"),
        rule(READ, "apps,extensions", "replicasets"),
        rule(READ, "apps", "statefulsets"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "", "persistentvolumeclaims persistentvolumes"),
        *_ACCESS,
        rule(READ, "storage.k8s.io", "csidrivers csinodes csistoragecapacities volumeattachments"),
        rule(READ, "", "namespaces"),
        rule(READ_WRITE, "coordination.k8s.io", "leasecandidates"),
        rule(READ, "resource.k8s.io", "deviceclasses devicetaintrules resourceslices"),
        rule("get list patch update watch", "resource.k8s.io", "resourceclaims resourceclaims/status"),
        rule("update", "", "pods/finalizers"),
    ),
    "system:cluster-trust-bundle-discovery": (rule(READ, "certificates.k8s.io", "clustertrustbundles"),),
}

_AGGREGATED: Final = {"admin": (), "edit": ("admin",), "view": ("edit",)}
"""Roles put together from others by label, and the roles they are part of."""
_PARTS: Final = {
    "system:aggregate-to-admin": ("admin",),
    "system:aggregate-to-edit": ("edit",),
    "system:aggregate-to-view": ("view",),
}

_BINDINGS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "cluster-admin": (("Group", MASTERS),),
    "system:monitoring": (("Group", "system:monitoring"),),
    "system:discovery": (("Group", AUTHENTICATED),),
    "system:basic-user": (("Group", AUTHENTICATED),),
    "system:public-info-viewer": (("Group", AUTHENTICATED), ("Group", UNAUTHENTICATED)),
    "system:service-account-issuer-discovery": (("Group", "system:serviceaccounts"),),
    "system:cluster-trust-bundle-discovery": (("Group", "system:serviceaccounts"),),
    "system:node-proxier": (("User", "system:kube-proxy"),),
    "system:kube-controller-manager": (("User", "system:kube-controller-manager"),),
    "system:kube-dns": (("ServiceAccount", "kube-dns"),),
    "system:kube-scheduler": (("User", "system:kube-scheduler"),),
    "system:volume-scheduler": (("User", "system:kube-scheduler"),),
    "system:node": (),
}

_BOOTSTRAP_SIGNER: Final = "system:controller:bootstrap-signer"
_NAMESPACED: Final[tuple[tuple[str, str, tuple[Object, ...], tuple[tuple[str, str], ...]], ...]] = (
    (
        "kube-system",
        "extension-apiserver-authentication-reader",
        (rule(READ, "", "configmaps", "extension-apiserver-authentication"),),
        (),
    ),
    (
        "kube-public",
        _BOOTSTRAP_SIGNER,
        (
            rule(READ, "", "configmaps"),
            rule("update", "", "configmaps", "cluster-info"),
            _EVENTS,
        ),
        (("ServiceAccount", "bootstrap-signer"),),
    ),
)


def default_objects() -> Iterator[tuple[Resource, Object]]:
    """Every default role and binding, roles first."""
    for name, rules in _ROLES.items():
        yield CLUSTER_ROLES, _cluster_role(name, rules, _PARTS.get(name, ()))
    for name, parents in _AGGREGATED.items():
        selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
        role = _cluster_role(name, (), parents)
        yield CLUSTER_ROLES, {**role, "aggregationRule": {"clusterRoleSelectors": [selector]}}
    for name, rules in CONTROLLERS.items():
        yield CLUSTER_ROLES, _cluster_role(f"system:controller:{name}", (*rules, _EVENTS), ())
    for namespace, name, rules, _ in _NAMESPACED:
        yield ROLES, {"metadata": _metadata(name, namespace=namespace), "rules": list(rules)}
    for name, subjects in _BINDINGS.items():
        yield CLUSTER_ROLE_BINDINGS, _binding("ClusterRole", name, subjects)
    for name in CONTROLLERS:
        binding = _binding("ClusterRole", f"system:controller:{name}", (("ServiceAccount", name),))
        yield CLUSTER_ROLE_BINDINGS, binding
    for namespace, name, _, subjects in _NAMESPACED:
        if subjects:
            yield ROLE_BINDINGS, _binding("Role", name, subjects, namespace=namespace)


def _metadata(name: str, *, namespace: str = "", labels: dict[str, str] | None = None) -> Object:
    metadata: Object = {
        "name": name,
        "labels": {**_LABELS, **(labels or {})},
        "annotations": {AUTO_UPDATE: "true"},
    }
    return {**metadata, "namespace": namespace} if namespace else metadata


def _cluster_role(name: str, rules: tuple[Object, ...], part_of: tuple[str, ...]) -> Object:
    labels = {f"{_AGGREGATE}{parent}": "true" for parent in part_of}
    return {"metadata": _metadata(name, labels=labels), "rules": list(rules)}


def _binding(kind: str, name: str, subjects: tuple[tuple[str, str], ...], *, namespace: str = "") -> Object:
    return {
        "metadata": _metadata(name, namespace=namespace),
        "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": name},
        "subjects": [_subject(kind, name) for kind, name in subjects],
    }


def _subject(kind: str, name: str) -> Object:
    if kind == "ServiceAccount":
        return {"kind": kind, "name": name, "namespace": "kube-system"}
    return {"apiGroup": _GROUP, "kind": kind, "name": name}
