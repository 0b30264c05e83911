"""Who controls what: controller references, and claiming objects by selector.

A controller owns the objects whose controller reference carries its UID. Orphans that match its selector are
adopted; owned ones that match no more are released. Kubernetes' rules, with the object's resourceVersion as
the precondition of each patch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from lightkube.models.meta_v1 import OwnerReference

from ktui.client.base import Client
from ktui.client.informer import Informer
from ktui.engine.controllers.objects import (
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    plain,
    uid_of,
)
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, ObjectKey, Resource
from ktui.kube.selector import Selector

T = TypeVar("T")

BY_CONTROLLER = "controller"
ORPHANS = "orphans"


def owner_references(obj: Any) -> Sequence[OwnerReference]:
    return meta(obj).ownerReferences or ()


def controller_of(obj: Any) -> OwnerReference | None:
    """The reference to the object's managing controller, if it has one."""
    return next((reference for reference in owner_references(obj) if reference.controller), None)


def is_controlled_by(obj: Any, owner: Any) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.uid == uid_of(owner)


def controller_reference(owner: Any, resource: Resource) -> OwnerReference:
    """The reference that makes `owner` an object's managing controller."""
    return OwnerReference(
        apiVersion=resource.api_version,
        kind=resource.kind,
        name=name_of(owner),
        uid=uid_of(owner),
        controller=True,
        blockOwnerDeletion=True,
    )


def index_ownership(informer: Informer[Any]) -> None:
    """Let `owned_by` and `orphans_in` find objects without walking the cache."""
    informer.add_index(BY_CONTROLLER, _controller_uid)
    informer.add_index(ORPHANS, _orphan_namespace)


def _controller_uid(obj: Any) -> Iterable[str]:
    reference = controller_of(obj)
    return () if reference is None else (reference.uid,)


def _orphan_namespace(obj: Any) -> Iterable[str]:
    return (namespace_of(obj),) if controller_of(obj) is None else ()


def owned_by(informer: Informer[T], owner: Any) -> list[T]:
    return informer.by_index(BY_CONTROLLER, uid_of(owner))


def orphans_in(informer: Informer[T], namespace: str) -> list[T]:
    return informer.by_index(ORPHANS, namespace)


def resolve(owners: Informer[T], resource: Resource, namespace: str, obj: Any) -> T | None:
    """The owner in the cache that controls `obj`, when it is of `resource` and really the same (UID)."""
    reference = controller_of(obj)
    if reference is None or reference.kind != resource.kind:
        return None
    owner = owners.get(ObjectKey(namespace, reference.name))
    return owner if owner is not None and uid_of(owner) == reference.uid else None


class Claims:
    """Adopts and releases objects of `dependents` on behalf of owners of `resource`.

    What is owned may carry a `finalizer`, which comes with adoption and goes with release.
    """

    def __init__(
        self, client: Client, resource: Resource, dependents: Resource, *, finalizer: str = ""
    ) -> None:
        self._client = client
        self._resource = resource
        self._dependents = dependents
        self._finalizer = finalizer

    async def claim(
        self,
        owner: Any,
        selector: Selector,
        informer: Informer[T],
        wanted: Callable[[T], bool] = lambda obj: True,
    ) -> list[T]:
        """The owner's objects after adopting and releasing. `wanted` limits what is adopted."""
        claimed: list[T] = []
        for obj in owned_by(informer, owner):
            if selector.matches(labels_of(obj)):
                claimed.append(obj)
            elif not is_deleting(owner):
                await self._ignore_gone(self._release(owner, obj))
        if is_deleting(owner):
            return claimed
        orphans = [
            obj
            for obj in orphans_in(informer, namespace_of(owner))
            if selector.matches(labels_of(obj)) and not is_deleting(obj) and wanted(obj)
        ]
        if orphans:
            await self._check_may_adopt(owner)
        for obj in orphans:
            if await self._ignore_gone(self._adopt(owner, obj)):
                claimed.append(obj)
        return claimed

    async def _check_may_adopt(self, owner: Any) -> None:
        """Read the owner afresh: a stale cache must not let a deleted owner adopt."""
        live = await self._client.get(self._resource, name_of(owner), namespace_of(owner))
        metadata: Object = live["metadata"]
        if metadata.get("uid") != uid_of(owner):
            raise RuntimeError(
                f"original {self._resource.kind} {namespace_of(owner)}/{name_of(owner)} is gone: "
                f"got uid {metadata.get('uid')}, wanted {uid_of(owner)}"
            )
        if metadata.get("deletionTimestamp"):
            raise RuntimeError(
                f"{namespace_of(owner)}/{name_of(owner)} has just been deleted at "
                f"{metadata['deletionTimestamp']}"
            )

    async def _adopt(self, owner: Any, obj: Any) -> None:
        references = [*owner_references(obj), controller_reference(owner, self._resource)]
        await self._write_references(obj, references, [self._finalizer])

    async def _release(self, owner: Any, obj: Any) -> None:
        references = [reference for reference in owner_references(obj) if reference.uid != uid_of(owner)]
        await self._write_references(obj, references, [])

    async def _write_references(
        self, obj: Any, references: Sequence[OwnerReference], added: Sequence[str]
    ) -> None:
        metadata: Object = {
            "uid": uid_of(obj),
            "resourceVersion": meta(obj).resourceVersion,
            "ownerReferences": [plain(reference) for reference in references] or None,
        }
        if self._finalizer:
            others = [name for name in meta(obj).finalizers or () if name != self._finalizer]
            metadata["finalizers"] = [*others, *added] or None
        patch: Object = {"metadata": metadata}
        await self._client.patch(self._dependents, name_of(obj), patch, namespace_of(obj))

    @staticmethod
    async def _ignore_gone(write: Awaitable[None]) -> bool:
        try:
            await write
        except StatusError as error:
            if error.is_not_found:
                return False
            raise
        return True
