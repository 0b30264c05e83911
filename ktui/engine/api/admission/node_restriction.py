"""NodeRestriction: a kubelet writes its own Node and Lease, its own pods, and tokens of those; labels and taints that
steer workloads are not its to set."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.admission.base import Attributes, Extension, Validating, View
from ktui.engine.api.rbac.node import node_of
from ktui.engine.api.rbac.node_graph import CLAIMS, referred
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import forbidden, not_found
from ktui.kube.kinds import (
    CONFIG_MAPS,
    LEASES,
    NODES,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from ktui.kube.resource import Object

_MIRROR: Final = "kubernetes.io/config.mirror"
_LEASES_NAMESPACE: Final = "kube-node-lease"
_RESTRICTED: Final = "node-restriction.kubernetes.io"
_KUBELET_NAMESPACES: Final = ("kubelet.kubernetes.io", "node.kubernetes.io")
_KUBELET_LABELS: Final = frozenset(
    (
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.kubernetes.io/region",
        "failure-domain.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    )
)
"""Labels of Kubernetes that kubelets set."""
_REFERENCES: Final = (
    (SECRETS.key, "secrets"),
    (CONFIG_MAPS.key, "configmaps"),
    (CLAIMS, "persistentvolumeclaims"),
)


class NodeRestriction(Validating, Extension):
    """The plugin; users that are no kubelets pass."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        node = node_of(request.user)
        if not node:
            return
        problem = self._problem(node, request, obj, old)
        if problem:
            raise forbidden(request.resource, request.name, problem)

    def _problem(self, node: str, request: Attributes, obj: Object | None, old: Object | None) -> str:
        match request.resource.key, request.subresource:
            case PODS.key, "":
                return self._pod(node, request, obj or {}, old or {})
            case PODS.key, "status":
                return _pod_status(node, obj or {}, old or {})
            case PODS.key, "eviction" if request.kind is not None:
                return self._eviction(node, request)
            case NODES.key, _:
                return _node(node, request, obj or {}, old or {})
            case POD_CERTIFICATE_REQUESTS.key, _:
                return self._certificate_request(node, request, section(obj or {}, "spec"))
            case LEASES.key, _:
                return _lease(node, request)
            case SERVICE_ACCOUNTS.key, "token" if request.kind is not None:
                return self._token(node, request, obj or {})
            case _:
                return ""

    def _pod(self, node: str, request: Attributes, pod: Object, old: Object) -> str:
        if request.operation == "DELETE":
            is_own = string(section(old, "spec"), "nodeName") == node
            return "" if is_own else f'node "{node}" can only delete pods with spec.nodeName set to itself'
        if request.operation != "CREATE":
            return f'unexpected operation "{request.operation}", node "{node}" can only create and delete mirror pods'
        if _MIRROR not in mapping(section(pod, "metadata"), "annotations"):
            return f'pod does not have "{_MIRROR}" annotation, node "{node}" can only create mirror pods'
        if string(section(pod, "spec"), "nodeName") != node:
            return f'node "{node}" can only create pods with spec.nodeName set to itself'
        return self._owner(node, items(section(pod, "metadata"), "ownerReferences")) or _references(node, pod)

    def _owner(self, node: str, owners: list[Object]) -> str:
        """A mirror pod belongs to its node."""
        if len(owners) > 1:
            return f'node "{node}" can only create pods with a single owner reference set to itself'
        owner = owners[0] if owners else {}
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
            return f'node "{node}" can only create pods with an owner reference set to itself'
        if not owner.get("controller"):
            return f'node "{node}" can only create pods with a controller owner reference set to itself'
        if owner.get("blockOwnerDeletion"):
            return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
        found = self._view.lookup(NODES.key, "", node)
        if found is None:
            raise not_found(NODES, node)
        uid = string(section(found, "metadata"), "uid")
        return (
            ""
            if owner.get("uid") == uid
            else f"node {node} UID mismatch: expected {owner.get('uid')} got {uid}"
        )

    def _existing(self, request: Attributes, name: str) -> Object:
        found = self._view.lookup(PODS.key, request.namespace, name)
        if found is None:
            raise not_found(PODS, name)
        return found

    def _eviction(self, node: str, request: Attributes) -> str:
        pod = self._existing(request, request.name)
        is_own = string(section(pod, "spec"), "nodeName") == node
        return "" if is_own else f"node {node} can only evict pods with spec.nodeName set to itself"

    def _token(self, node: str, request: Attributes, asked: Object) -> str:
        ref = section(asked, "spec", "boundObjectRef")
        if ref.get("apiVersion") != "v1" or ref.get("kind") != "Pod" or not ref.get("name"):
            return "node requested token not bound to a pod"
        if not ref.get("uid"):
            return "node requested token with a pod binding without a uid"
        pod = self._existing(request, string(ref, "name"))
        if ref["uid"] != section(pod, "metadata").get("uid"):
            return (
                f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. The object "
                "might have been deleted and then recreated"
            )
        is_own = string(section(pod, "spec"), "nodeName") == node
        return "" if is_own else "node requested token bound to a pod scheduled on a different node"

    def _certificate_request(self, node: str, request: Attributes, spec: Object) -> str:
        """A certificate for a pod that runs here, under its own account."""
        if request.operation != "CREATE" or request.subresource:
            return f"unexpected operation {request.operation}"
        asked = string(spec, "nodeName")
        if asked != node:
            return f'PodCertificateRequest.Spec.NodeName="{asked}", which is not the requesting node "{node}"'
        name = string(spec, "podName")
        pod, shown = self._existing(request, name), f"{request.namespace}/{name}"
        metadata, wanted = section(pod, "metadata"), section(pod, "spec")
        if string(wanted, "nodeName") != node:
            return f'pod "{shown}" is not running on node "{asked}" named in the PodCertificateRequest'
        if _MIRROR in mapping(metadata, "annotations"):
            return f'pod "{shown}" is a mirror pod'
        account = string(spec, "serviceAccountName")
        if account != string(wanted, "serviceAccountName"):
            return (
                f'PodCertificateRequest for pod "{shown}" contains serviceAccountName ("{account}") that differs from '
                f'running pod ("{string(wanted, "serviceAccountName")}")'
            )
        for found, field in (
            (pod, "podUID"),
            (self._view.lookup(NODES.key, "", node), "nodeUID"),
            (self._view.lookup(SERVICE_ACCOUNTS.key, request.namespace, account), "serviceAccountUID"),
        ):
            uid = string(section(found or {}, "metadata"), "uid")
            if string(spec, field) != uid:
                return (
                    f'PodCertificateRequest for pod "{shown}" names {field} "{string(spec, field)}", which differs '
                    f'from the one there is ("{uid}")'
                )
        return ""


def _references(node: str, pod: Object) -> str:
    if string(section(pod, "spec"), "serviceAccountName"):
        return f'node "{node}" can not create pods that reference a service account'
    kinds = {resource for resource, _ in referred(pod)}
    for resource, plural in _REFERENCES:
        if resource in kinds:
            return f'node "{node}" can not create pods that reference {plural}'
    return ""


def _pod_status(node: str, pod: Object, old: Object) -> str:
    if string(section(old, "spec"), "nodeName") != node:
        return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
    if mapping(section(pod, "metadata"), "labels") != mapping(section(old, "metadata"), "labels"):
        return f'node "{node}" cannot update labels through pod status'
    return ""


def _node(node: str, request: Attributes, obj: Object, old: Object) -> str:
    if request.name != node:
        return f'node "{node}" is not allowed to modify node "{request.name}"'
    labels = mapping(section(obj, "metadata"), "labels")
    if request.operation == "CREATE":
        forbidden_labels = _forbidden(labels)
        if forbidden_labels:
            return f'node "{node}" is not allowed to set the following labels: {", ".join(forbidden_labels)}'
    if request.operation == "UPDATE":
        if (section(obj, "spec").get("taints") or []) != (section(old, "spec").get("taints") or []):
            return f'node "{node}" is not allowed to modify taints'
        before = mapping(section(old, "metadata"), "labels")
        changed = {key: "" for key in labels.keys() | before.keys() if labels.get(key) != before.get(key)}
        forbidden_labels = _forbidden(changed)
        if forbidden_labels:
            return f"is not allowed to modify labels: {', '.join(forbidden_labels)}"
    return ""


def _forbidden(labels: dict[str, str]) -> list[str]:
    return sorted(key for key in labels if _is_restricted(key))


def _is_restricted(key: str) -> bool:
    """Of Kubernetes' own labels a kubelet sets those that say what the machine is."""
    namespace, slash, _ = key.partition("/")
    if not slash or not any(_within(namespace, domain) for domain in ("kubernetes.io", "k8s.io")):
        return False
    if _within(namespace, _RESTRICTED):
        return True
    is_kubelets = key in _KUBELET_LABELS or any(_within(namespace, each) for each in _KUBELET_NAMESPACES)
    return not is_kubelets


def _within(namespace: str, domain: str) -> bool:
    return namespace == domain or namespace.endswith(f".{domain}")


def _lease(node: str, request: Attributes) -> str:
    if request.namespace != _LEASES_NAMESPACE:
        return f'can only access leases in the "{_LEASES_NAMESPACE}" system namespace'
    return (
        "" if request.name == node else "can only access node lease with the same name as the requesting node"
    )
