"""The history of a StatefulSet or DaemonSet: ControllerRevisions, one for each template it had.

In: the owner, its revisions from the cache. Out: the revision of its present template (found, renumbered or
created), and the removal of those beyond `revisionHistoryLimit`. A revision's data is the patch that brings its
template back, so kubectl can undo to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from lightkube.models.apps_v1 import ControllerRevision
from lightkube.models.core_v1 import PodTemplateSpec

from ktui.client.base import Client
from ktui.engine.controllers.objects import (
    annotations_of,
    created_at,
    labels_of,
    name_of,
    namespace_of,
    plain,
)
from ktui.engine.controllers.ownership import controller_reference
from ktui.kube.data import section
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONTROLLER_REVISIONS
from ktui.kube.names import hash_name
from ktui.kube.resource import Object, Resource

REVISION_LABEL = "controller-revision-hash"
"""The label by which a pod tells which revision it is of."""


@dataclass(frozen=True, slots=True)
class History:
    """All revisions of an owner by number, the one of its present template, and how often hashes collided."""

    revisions: Sequence[ControllerRevision]
    update: ControllerRevision
    collisions: int | None

    def named(self, name: str | None) -> ControllerRevision | None:
        """The revision of that name."""
        return next((each for each in self.revisions if name_of(each) == name), None)


def revision_data(owner: Any) -> Object:
    """What a revision remembers: the template, as a patch that replaces any other. Its fields are in the order in
    which Kubernetes writes them, because clients compare the text."""
    data = {"spec": {"template": {**plain(owner.spec.template), "$patch": "replace"}}}
    return cast(Object, msgspec.to_builtins(data, order="sorted"))


def template_of_revision(revision: ControllerRevision) -> PodTemplateSpec:
    """The template that a revision remembers."""
    template = section(_data(revision), "spec", "template")
    return msgspec.convert(
        {name: value for name, value in template.items() if name != "$patch"}, PodTemplateSpec
    )


def by_number(revisions: Sequence[ControllerRevision]) -> list[ControllerRevision]:
    """Oldest first."""
    return sorted(revisions, key=lambda each: (each.revision or 0, created_at(each), name_of(each)))


class RevisionHistory:
    """Writes the revisions of owners of one resource; `hash_label` is the label that carries their hash."""

    def __init__(self, client: Client, resource: Resource, hash_label: str) -> None:
        self._client = client
        self._resource = resource
        self._hash_label = hash_label

    async def sync(self, owner: Any, known: Sequence[ControllerRevision]) -> History:
        """The history with a revision of the owner's present template at its end."""
        revisions = by_number(known)
        collisions: int | None = owner.status.collisionCount if owner.status is not None else None
        data = revision_data(owner)
        number = max((each.revision or 0 for each in revisions), default=0) + 1
        same = [each for each in revisions if _data(each) == data]
        if same and same[-1] is revisions[-1]:
            return History(revisions, revisions[-1], collisions)
        if same:
            update = await self._renumber(same[-1], number)
            others = [each for each in revisions if each is not same[-1]]
        else:
            update, collisions = await self._create(owner, data, number, collisions)
            others = [each for each in revisions if name_of(each) != name_of(update)]
        return History([*others, update], update, collisions)

    async def truncate(
        self, owner: Any, revisions: Sequence[ControllerRevision], live: Collection[str]
    ) -> None:
        """Delete the oldest revisions beyond the limit; those named in `live` stay."""
        limit: int | None = owner.spec.revisionHistoryLimit
        idle = [each for each in by_number(revisions) if name_of(each) not in live]
        for each in idle[: max(0, len(idle) - (10 if limit is None else limit))]:
            try:
                await self._client.delete(CONTROLLER_REVISIONS, name_of(each), namespace_of(each))
            except StatusError as error:
                if not error.is_not_found:
                    raise

    async def _renumber(self, revision: ControllerRevision, number: int) -> ControllerRevision:
        patched = await self._client.patch(
            CONTROLLER_REVISIONS, name_of(revision), {"revision": number}, namespace_of(revision)
        )
        return msgspec.convert(patched, ControllerRevision)

    async def _create(
        self, owner: Any, data: Object, number: int, collisions: int | None
    ) -> tuple[ControllerRevision, int | None]:
        while True:
            hash_text = hash_name(data, collisions)
            name, namespace = f"{name_of(owner)}-{hash_text}", namespace_of(owner)
            body = self._body(owner, data, number, name, hash_text)
            try:
                created = await self._client.create(CONTROLLER_REVISIONS, body, namespace)
            except StatusError as error:
                if not error.is_already_exists:
                    raise
                live = await self._client.get(CONTROLLER_REVISIONS, name, namespace)
                if live.get("data") == data:
                    return msgspec.convert(live, ControllerRevision), collisions
                collisions = (collisions or 0) + 1
            else:
                return msgspec.convert(created, ControllerRevision), collisions

    def _body(self, owner: Any, data: Object, number: int, name: str, hash_text: str) -> Object:
        metadata: Object = {
            "name": name,
            "namespace": namespace_of(owner),
            "labels": {**labels_of(owner.spec.template), self._hash_label: hash_text},
            "ownerReferences": [plain(controller_reference(owner, self._resource))],
        }
        if annotations := annotations_of(owner):
            metadata["annotations"] = dict(annotations)
        return {
            "apiVersion": CONTROLLER_REVISIONS.api_version,
            "kind": CONTROLLER_REVISIONS.kind,
            "metadata": metadata,
            "revision": number,
            "data": data,
        }


def _data(revision: ControllerRevision) -> Object:
    data = cast("Mapping[str, Any] | None", revision.data)  # pyright: ignore[reportUnknownMemberType] - a bare dict
    return dict(data or {})
