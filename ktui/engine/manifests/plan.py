"""What the folder asks for: pure functions from loaded files to objects, their order and their mistakes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from ktui.engine.manifests.record import Brought, Identity
from ktui.kube.kind_hints import unknown_kind
from ktui.kube.manifest import Document
from ktui.kube.manifest_problem import Problem
from ktui.kube.names import dns_label
from ktui.kube.resource import GroupVersionKind, Object, Resource

_PHASES: Mapping[str, int] = {
    kind: phase
    for phase, kinds in enumerate(
        (
            ("Namespace",),
            ("CustomResourceDefinition",),
            ("PriorityClass", "StorageClass", "IngressClass", "RuntimeClass"),
            ("ServiceAccount", "Secret", "ConfigMap", "LimitRange", "ResourceQuota", "NetworkPolicy",
             "ClusterRole", "Role", "PersistentVolume"),
            ("ClusterRoleBinding", "RoleBinding", "PersistentVolumeClaim", "PodDisruptionBudget"),
            ("Service", "Endpoints", "EndpointSlice"),
        )
    )
    for kind in kinds
}  # fmt: skip
_SERVERS_OWN = frozenset(
    (
        "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "managedFields", "selfLink",
    )
)  # fmt: skip
"""Metadata that only the server writes: what was exported with `get -o yaml` can be dropped in as it is."""
_WORKLOADS = 6
_LAST: Mapping[str, int] = {
    "HorizontalPodAutoscaler": 7,
    "Ingress": 7,
    "ValidatingWebhookConfiguration": 8,
    "MutatingWebhookConfiguration": 8,
}


def phase(kind: str) -> int:
    """When a kind is applied: what others need comes first. Pruning goes the other way."""
    return _PHASES.get(kind, _LAST.get(kind, _WORKLOADS))


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object a file asks for, ready to be applied."""

    path: str
    document: Document
    resource: Resource
    identity: Identity
    object: Object
    digest: str


class KindIndex:
    """Finds the resource of an `apiVersion` and `kind`, or says what is wrong with them."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_kind: dict[GroupVersionKind, Resource] = {}
        for resource in resources:
            self._by_kind.setdefault(resource.gvk, resource)

    def find(self, obj: Object) -> Resource | None:
        return self._by_kind.get(GroupVersionKind.of(obj))

    def explain(self, gvk: GroupVersionKind) -> str:
        """Why an object of this kind can't be applied, with the nearest kind that is known."""
        return unknown_kind(gvk, self._by_kind.values())


def want(path: str, document: Document, kinds: KindIndex, default_namespace: str) -> Wanted | Problem:
    """Read a document as an object to apply, or say why it is none."""
    obj = document.object
    for name in ("apiVersion", "kind"):
        if not isinstance(obj.get(name), str) or not obj[name]:
            return Problem(
                "Required value: every object needs an apiVersion and a kind", document.locate(name), name
            )
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        return Problem(
            "Required value: an object needs metadata with a name", document.locate("metadata"), "metadata"
        )
    meta = cast(Object, metadata)
    name, namespace = meta.get("name"), meta.get("namespace")
    if not isinstance(name, str) or not name:
        hint = "; generateName has no place in a watched folder, where a name says which object is meant"
        return Problem(
            "Required value: name is required" + (hint if meta.get("generateName") else ""),
            document.locate("metadata.name"),
            "metadata.name",
        )
    if namespace is not None and not isinstance(namespace, str):
        return Problem(
            "Invalid value: must be a string", document.locate("metadata.namespace"), "metadata.namespace"
        )
    resource = kinds.find(obj)
    if resource is None:
        gvk = GroupVersionKind.of(obj)
        return Problem(kinds.explain(gvk), document.locate("kind"), "kind")
    meta = {key: value for key, value in meta.items() if key not in _SERVERS_OWN}
    if resource.namespaced:
        namespace = namespace or default_namespace
        if wrong := dns_label(namespace):
            return Problem(
                f'Invalid value: "{namespace}": {"; ".join(wrong)}',
                document.locate("metadata.namespace"),
                "metadata.namespace",
            )
        meta["namespace"] = namespace
    has_status = "status" in resource.subresources
    obj = {key: value for key, value in obj.items() if not (has_status and key == "status")}
    obj["metadata"] = meta
    identity = Identity(
        resource.group, resource.kind, namespace if resource.namespaced and namespace else "", name
    )
    return Wanted(path, document, resource, identity, obj, digest(obj))


def digest(obj: Object) -> str:
    """Tells one wish from another; the order of keys does not matter."""
    return hashlib.sha256(msgspec.json.encode(obj, order="deterministic")).hexdigest()[:16]


def split_duplicates(wanted: Sequence[Wanted]) -> tuple[list[Wanted], dict[str, list[Problem]]]:
    """Take out objects defined more than once: applying either would be a guess. Problems are by path."""
    by_identity: dict[Identity, list[Wanted]] = {}
    for item in wanted:
        by_identity.setdefault(item.identity, []).append(item)
    unique: list[Wanted] = []
    problems: dict[str, list[Problem]] = {}
    for identity, definitions in by_identity.items():
        if len(definitions) == 1:
            unique.append(definitions[0])
            continue
        for item in definitions:
            others = ", ".join(
                f"{other.path}:{other.document.position.line}" for other in definitions if other is not item
            )
            message = f"{identity} is also defined in {others}; neither is applied until one of them goes"
            problems.setdefault(item.path, []).append(
                Problem(message, item.document.locate("metadata.name"), "metadata.name")
            )
    return unique, problems


def in_apply_order(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    """Batches to apply one after another; within a batch the order is free."""
    phases: dict[int, list[Wanted]] = {}
    for item in wanted:
        phases.setdefault(phase(item.identity.kind), []).append(item)
    return [phases[number] for number in sorted(phases)]


def in_prune_order(brought: Iterable[Brought]) -> list[Brought]:
    """Dependents first, namespaces last."""
    return sorted(brought, key=lambda item: (-phase(item.identity.kind), item.identity))


def changed_fields(before: Object, after: Object, limit: int = 3) -> list[str]:
    """Paths at which two versions of an object differ, bookkeeping metadata and status left out."""
    found: list[str] = []

    def walk(old: object, new: object, path: str) -> None:
        if old == new or len(found) > limit:
            return
        if isinstance(old, dict) and isinstance(new, dict):
            olds, news = cast(Object, old), cast(Object, new)
            for key in sorted(olds.keys() | news.keys()):
                walk(olds.get(key), news.get(key), f"{path}.{key}" if path else key)
        elif isinstance(old, list) and isinstance(new, list):
            old_items, new_items = cast(list[object], old), cast(list[object], new)
            if len(old_items) != len(new_items):
                found.append(path)
                return
            for index, (left, right) in enumerate(zip(old_items, new_items, strict=True)):
                walk(left, right, f"{path}[{index}]")
        else:
            found.append(path)

    walk(_without_bookkeeping(before), _without_bookkeeping(after), "")
    return found[:limit] + (["…"] if len(found) > limit else [])


def _without_bookkeeping(obj: Object) -> Object:
    metadata: Object = obj.get("metadata") or {}
    kept = {key: metadata[key] for key in ("labels", "annotations", "ownerReferences") if key in metadata}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": kept}
