"""The garbage collector's graph: every object by UID, who owns it, and who depends on it.

In go the objects' metadata as informers see it; out come the UIDs that deserve a look after each change. An
owner that is referred to but was never seen is a *virtual* node: somebody has to ask the API about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from lightkube.models.meta_v1 import OwnerReference

from ktui.kube.resource import Resource

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class ObjectMetadata(msgspec.Struct):
    """What the collector decodes of an object's metadata: for every object there is, so no more than needed."""

    uid: str = ""
    ownerReferences: list[OwnerReference] = []  # noqa: N815 - the API's field name
    finalizers: list[str] = []
    deletionTimestamp: str | None = None  # noqa: N815 - the API's own name


class AnyObject(msgspec.Struct):
    """An object of any kind."""

    metadata: ObjectMetadata


class Coordinates(NamedTuple):
    """Where an object is. `resource` is None while its kind is not known."""

    resource: Resource | None
    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(slots=True)
class Node:
    """An object. `dependents` are the UIDs of those that name it as an owner."""

    uid: str
    where: Coordinates
    virtual: bool = False
    deleting: bool = False
    finalizers: frozenset[str] = frozenset()
    owners: Sequence[OwnerReference] = ()
    dependents: set[str] = field(default_factory=set[str])

    @property
    def deletes_dependents(self) -> bool:
        """Being deleted in the foreground: it waits for its dependents to go first."""
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def orphans_dependents(self) -> bool:
        """Being deleted, its dependents to be set free before."""
        return self.deleting and ORPHAN in self.finalizers

    def blocks(self, owner_uid: str) -> bool:
        """Whether this dependent holds up the foreground deletion of that owner."""
        return any(
            reference.uid == owner_uid and bool(reference.blockOwnerDeletion) for reference in self.owners
        )


class OwnerGraph:
    """Nodes by UID. `observe` and `remove` say whom to look at next."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, uid: str) -> Node | None:
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> list[Node]:
        node = self._nodes.get(uid)
        if node is None:
            return []
        return [self._nodes[each] for each in sorted(node.dependents)]

    def observe(self, where: Coordinates, metadata: ObjectMetadata) -> set[str]:
        """Take in an object as it is now."""
        uid = metadata.uid
        node = self._nodes.get(uid)
        look: set[str] = set()
        known = node is not None and not node.virtual
        if node is None:
            node = Node(uid, where)
            self._nodes[uid] = node
        elif node.virtual:
            node.virtual = False
            if node.where != where:
                # Dependents that refer to it by other coordinates refer to something that is not there.
                look |= node.dependents
            node.where = where
        before = (node.owners, node.finalizers, node.deleting)
        old_owners = node.owners
        was_foreground = node.deletes_dependents
        node.owners = tuple(metadata.ownerReferences)
        node.finalizers = frozenset(metadata.finalizers)
        node.deleting = metadata.deletionTimestamp is not None
        if known and before == (node.owners, node.finalizers, node.deleting):
            return look
        self._relink(node, old_owners)
        if node.owners or node.deletes_dependents or node.orphans_dependents:
            look.add(uid)
        if node.deletes_dependents and not was_foreground:
            look |= node.dependents
        # A dependent that blocks no more, or started its own foreground deletion, may free its owners.
        look |= {
            reference.uid
            for reference in (*old_owners, *node.owners)
            if (owner := self._nodes.get(reference.uid)) is not None and owner.deletes_dependents
        }
        return look

    def remove(self, uid: str) -> set[str]:
        """The object is gone."""
        node = self._nodes.get(uid)
        if node is None:
            return set()
        look = set(node.dependents)
        for reference in node.owners:
            owner = self._nodes.get(reference.uid)
            if owner is not None:
                owner.dependents.discard(uid)
                if owner.deletes_dependents:
                    look.add(owner.uid)
                self._forget_if_unused(owner)
        if node.dependents:
            # Kept, virtual, until its dependents let go of it.
            node.virtual = True
            node.deleting = False
            node.owners = ()
            node.finalizers = frozenset()
        else:
            del self._nodes[uid]
        return look

    def of_resource(self, resource: Resource) -> Iterable[Node]:
        """The real nodes of one resource type."""
        return [node for node in self._nodes.values() if not node.virtual and node.where.resource == resource]

    def _relink(self, node: Node, before: Sequence[OwnerReference]) -> None:
        old = {reference.uid for reference in before}
        new = {reference.uid: reference for reference in node.owners}
        for uid in old - new.keys():
            owner = self._nodes.get(uid)
            if owner is not None:
                owner.dependents.discard(node.uid)
                self._forget_if_unused(owner)
        for uid in new.keys() - old:
            owner = self._nodes.get(uid)
            if owner is None:
                reference = new[uid]
                where = Coordinates(
                    None, reference.apiVersion, reference.kind, node.where.namespace, reference.name
                )
                owner = self._nodes[uid] = Node(uid, where, virtual=True)
            owner.dependents.add(node.uid)

    def _forget_if_unused(self, owner: Node) -> None:
        if owner.virtual and not owner.dependents:
            self._nodes.pop(owner.uid, None)
