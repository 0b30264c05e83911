"""What the deployment controller writes: ReplicaSets created, annotated, sized and cleaned up, and status.

Each function returns the objects as they are after the write, so that a reconcile goes on with what it knows
rather than with a cache that lags behind. Every write carries the resourceVersion it was computed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from lightkube.models.apps_v1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from msgspec.structs import replace

from ktui.client.base import Client, DeleteOptions
from ktui.client.events import EventRecorder
from ktui.engine.controllers import deployment_status as statuses
from ktui.engine.controllers import revisions, rollout
from ktui.engine.controllers.objects import (
    annotations_of,
    meta,
    name_of,
    namespace_of,
    uid_of,
    with_status,
)
from ktui.engine.controllers.ownership import is_controlled_by
from ktui.engine.controllers.pod_control import is_namespace_terminating
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import DEPLOYMENTS, REPLICA_SETS
from ktui.kube.resource import Object


class DeploymentWrites:
    """Writes for Deployments and their ReplicaSets."""

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock

    async def annotate(
        self, deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]
    ) -> tuple[Deployment, ReplicaSet]:
        """Bring the new ReplicaSet's annotations and both revision numbers up to date."""
        annotations = revisions.new_annotations(deployment, annotations_of(new), revisions.next_revision(old))
        min_ready = deployment.spec.minReadySeconds or 0 if deployment.spec else 0
        if annotations != annotations_of(new) or (new.spec.minReadySeconds or 0) != min_ready:
            new = await self._patch_replica_set(new, annotations, {"minReadySeconds": min_ready})
        deployment = await self._number(deployment, revisions.revision_of(new))
        if (
            statuses.deadline(deployment) is not None
            and statuses.find(statuses.status_of(deployment).conditions, statuses.PROGRESSING) is None
        ):
            message = f'Found new replica set "{name_of(new)}"'
            deployment = self._progressing(deployment, "True", "FoundNewReplicaSet", message)
        return deployment, new

    async def create_new(
        self, deployment: Deployment, old: Sequence[ReplicaSet]
    ) -> tuple[Deployment, ReplicaSet | None]:
        """Create the ReplicaSet of the Deployment's template; None when its namespace is going away."""
        hash_label = revisions.template_hash(deployment)
        replicas = rollout.new_size(deployment, old, 0)
        revision = revisions.next_revision(old)
        wanted = rollout.wanted(deployment)
        annotations = revisions.new_annotations(deployment, {}, revision)
        annotations |= revisions.replica_annotations(wanted, wanted + rollout.max_surge(deployment))
        obj = revisions.new_replica_set(deployment, hash_label, replicas, annotations)
        name: str = obj["metadata"]["name"]
        try:
            new = _typed(await self._client.create(REPLICA_SETS, obj, namespace_of(deployment)))
        except StatusError as error:
            if is_namespace_terminating(error):
                return deployment, None
            if not error.is_already_exists:
                message = f'Failed to create new replica set "{name}": {error}'
                self._recorder.event(deployment, "Warning", "ReplicaSetCreateError", message)
                if statuses.deadline(deployment) is not None:
                    failed = self._progressing(deployment, "False", "ReplicaSetCreateError", message)
                    await self.put_status(deployment, statuses.status_of(failed))
                raise
            return deployment, await self._existing(deployment, name)
        if replicas > 0:
            self._scaled(deployment, name, 0, replicas)
        deployment = await self._number(deployment, revision)
        if statuses.deadline(deployment) is not None:
            message = f'Created new replica set "{name}"'
            deployment = self._progressing(deployment, "True", "NewReplicaSetCreated", message)
        return deployment, new

    async def resize(self, deployment: Deployment, replica_set: ReplicaSet, replicas: int) -> ReplicaSet:
        """Set a ReplicaSet's size, and what it remembers of the Deployment's."""
        wanted = rollout.wanted(deployment)
        remembered = revisions.replica_annotations(wanted, wanted + rollout.max_surge(deployment))
        annotations = annotations_of(replica_set) | remembered
        before = rollout.size(replica_set)
        if before == replicas and annotations == annotations_of(replica_set):
            return replica_set
        resized = await self._patch_replica_set(replica_set, annotations, {"replicas": replicas})
        if before != replicas:
            self._scaled(deployment, name_of(replica_set), before, replicas)
        return resized

    async def clean_up(self, deployment: Deployment, old: Sequence[ReplicaSet]) -> None:
        """Delete old ReplicaSets that revisionHistoryLimit doesn't keep."""
        for each in revisions.to_clean_up(deployment, old):
            try:
                await self._client.delete(
                    REPLICA_SETS,
                    name_of(each),
                    namespace_of(each),
                    options=DeleteOptions(
                        uid=uid_of(each), resource_version=meta(each).resourceVersion or ""
                    ),
                )
            except StatusError as error:
                if not error.is_not_found:
                    raise

    async def put_status(self, deployment: Deployment, status: DeploymentStatus) -> None:
        """Write the status of the Deployment."""
        await self._client.update(DEPLOYMENTS, with_status(deployment, status), subresource="status")

    async def _existing(self, deployment: Deployment, name: str) -> ReplicaSet:
        """The ReplicaSet that has the new one's name: ours that the cache hasn't shown yet, or a collision."""
        live = _typed(await self._client.get(REPLICA_SETS, name, namespace_of(deployment)))
        if is_controlled_by(live, deployment) and revisions.template_of(live) == revisions.template_of(
            deployment
        ):
            return live
        status = statuses.status_of(deployment)
        count = (status.collisionCount or 0) + 1
        await self.put_status(deployment, replace(status, collisionCount=count))
        raise HashCollisionError(
            f"replica set {name} exists with another template or owner: collision count raised to {count}"
        )

    async def _number(self, deployment: Deployment, revision: int) -> Deployment:
        """Write the revision into the Deployment's annotation, unless it is there."""
        if annotations_of(deployment).get(revisions.REVISION) == str(revision):
            return deployment
        metadata = {
            "uid": uid_of(deployment),
            "resourceVersion": meta(deployment).resourceVersion,
            "annotations": {revisions.REVISION: str(revision)},
        }
        written = await self._client.patch(
            DEPLOYMENTS, name_of(deployment), {"metadata": metadata}, namespace_of(deployment)
        )
        # Conditions set so far are not written yet: they stay.
        return replace(msgspec.convert(written, Deployment), status=deployment.status)

    async def _patch_replica_set(
        self, replica_set: ReplicaSet, annotations: dict[str, str], spec: Object
    ) -> ReplicaSet:
        patch: Object = {
            "metadata": {
                "uid": uid_of(replica_set),
                "resourceVersion": meta(replica_set).resourceVersion,
                "annotations": annotations,
            },
            "spec": spec,
        }
        return _typed(
            await self._client.patch(REPLICA_SETS, name_of(replica_set), patch, namespace_of(replica_set))
        )

    def _progressing(self, deployment: Deployment, status: str, reason: str, message: str) -> Deployment:
        news = statuses.condition(statuses.PROGRESSING, status, reason, message, self._clock.now())
        return with_condition(deployment, news)

    def _scaled(self, deployment: Deployment, name: str, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        message = f"Scaled {direction} replica set {name} from {before} to {after}"
        self._recorder.event(deployment, "Normal", "ScalingReplicaSet", message)


class HashCollisionError(Exception):
    """Two templates gave one hash; the next attempt uses another."""


def with_condition(deployment: Deployment, news: DeploymentCondition) -> Deployment:
    """The Deployment as it will be once its status is written."""
    status = statuses.status_of(deployment)
    return replace(deployment, status=replace(status, conditions=statuses.put(status.conditions, news)))


def _typed(obj: Any) -> ReplicaSet:
    return msgspec.convert(obj, ReplicaSet)
