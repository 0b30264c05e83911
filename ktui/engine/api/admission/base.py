"""What an admission plugin is and what it is told; `chain` runs them in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from ktui.client.base import DeleteOptions, WriteOptions
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.request import User
from ktui.kube.kinds import PODS
from ktui.kube.resource import GroupVersionKind, Object, Resource

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(frozen=True, slots=True)
class Attributes:
    """The request as plugins see it (`admission.Attributes`)."""

    operation: Operation
    declaration: Declaration
    namespace: str
    name: str
    """Empty for a create with generateName."""
    user: User
    subresource: str = ""
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list[str], compare=False)
    """What the caller is told besides the answer."""
    options: WriteOptions | DeleteOptions | None = field(default=None, compare=False)
    """How the caller wants it done."""
    audit: dict[str, str] = field(default_factory=dict[str, str], compare=False)
    """Annotations of the request in the audit log."""
    kind: GroupVersionKind | None = None
    """What the object is, for subresources whose body is not the object itself (Binding, PodExecOptions)."""

    @property
    def resource(self) -> Resource:
        return self.declaration.resource

    def is_about(self, resource: Resource, *operations: Operation) -> bool:
        """Is it one of these operations on the main resource `resource`?"""
        return self.operation in operations and not self.subresource and self.resource.key == resource.key

    @property
    def is_resize(self) -> bool:
        """Containers of a pod ask for other amounts than before."""
        return self.subresource == "resize" and self.operation == "UPDATE" and self.resource.key == PODS.key

    def warn(self, message: str) -> None:
        """Tell the caller, once."""
        if message not in self.warnings:
            self.warnings.append(message)


class View(Protocol):
    """The cluster as a plugin may look it up."""

    def lookup(self, resource: str, namespace: str, name: str) -> Object | None:
        """An object by `Resource.key`, decoded, or None."""
        ...

    def listed(self, resource: str, namespace: str = "") -> list[Object]:
        """All objects of a kind, decoded: for kinds with few objects."""
        ...

    def changed(self, resource: str) -> int:
        """The revision of the newest change of a kind: what is made of all its objects is good until then."""
        ...

    async def replace(self, resource: str, obj: Object) -> bool:
        """Store an object that was looked up and changed; False if somebody else was faster."""
        ...


class Plugin(Protocol):
    """One rule. Both hooks raise `StatusError` (403 Forbidden, mostly) to refuse the request."""

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        """The object as it should be stored; `obj` itself if there is nothing to change."""
        ...

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        """Look at the final object (None for DELETE) and refuse what may not be."""
        ...


class Mutating:
    """A plugin that only changes objects."""

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        return


class Validating:
    """A plugin that only refuses."""

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        return obj


class Extension:
    """A plugin that is also asked about subresources with a body of their own (binding, eviction, token, exec), which
    the others leave alone."""
