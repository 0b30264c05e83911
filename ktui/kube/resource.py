"""The identity of a resource type: group, version, kind and how a URL spells it.

Everything that names a kind (registry, clients, informers, screens) passes a `Resource` around; the kinds
ktui itself works with are constants in `ktui.kube.kinds`, others come from discovery.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON data. Immutable by convention: never change one you were handed."""


class GroupVersionKind(NamedTuple):
    """`apiVersion` and `kind` of an object, the group split off ("" is the core group)."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def of(cls, obj: Object) -> GroupVersionKind:
        """Read the identity of an object; missing fields give empty strings."""
        group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
        return cls(group, version, str(obj.get("kind") or ""))


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource type as discovery describes it (`APIResource` in meta/v1)."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = field(default=(), compare=False)
    subresources: tuple[str, ...] = field(default=(), compare=False)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind(self.group, self.version, self.kind)

    @property
    def key(self) -> str:
        """`plural.group`, the name Kubernetes calls GroupResource: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __str__(self) -> str:
        return self.key


class ObjectKey(NamedTuple):
    """Namespace ("" for cluster-scoped) and name: what a workqueue and a reconcile get."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def of(cls, obj: Object) -> ObjectKey:
        metadata: Object = obj.get("metadata") or {}
        return cls(metadata.get("namespace") or "", metadata.get("name") or "")
