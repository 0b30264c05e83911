"""The claims of a StatefulSet's pods: created before their pod, owned as the retention policy says.

In: the set and an ordinal. Out: claims created, and their owner references kept: to the set, so that they go with
it (`whenDeleted: Delete`), or to a pod that is about to be scaled away (`whenScaled: Delete`). Claims are read
from the API and not from a cache: they matter only when a pod is made or goes.
"""

from __future__ import annotations

from typing import Any

from lightkube.models.apps_v1 import StatefulSet
from lightkube.models.core_v1 import Pod

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.engine.controllers.objects import name_of, namespace_of, plain, uid_of
from ktui.engine.controllers.ownership import controller_reference
from ktui.engine.controllers.statefulset_pods import new_claims
from ktui.kube.data import items, section
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from ktui.kube.resource import Object, Resource


class StatefulSetClaims:
    """Creates claims and keeps their owners."""

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    async def create_missing(self, stateful_set: StatefulSet, ordinal: int, pod_name: str) -> None:
        """Make sure that the claims of an ordinal are there; raises what the API raises, after an event."""
        owners = self._owners(stateful_set, None)
        for claim in new_claims(stateful_set, ordinal):
            metadata: Object = claim["metadata"]
            name = metadata["name"]
            if owners:
                claim["metadata"] = {**metadata, "ownerReferences": owners}
            try:
                await self._client.create(PERSISTENT_VOLUME_CLAIMS, claim, namespace_of(stateful_set))
            except StatusError as error:
                if error.is_already_exists:
                    await self._refuse_stale(stateful_set, name)
                    continue
                self._recorder.event(
                    stateful_set,
                    "Warning",
                    "FailedCreate",
                    f"create Claim {name} for Pod {pod_name} in StatefulSet {name_of(stateful_set)} failed error: "
                    f"{error}",
                )
                raise
            self._recorder.event(
                stateful_set,
                "Normal",
                "SuccessfulCreate",
                f"create Claim {name} Pod {pod_name} in StatefulSet {name_of(stateful_set)} success",
            )

    async def _refuse_stale(self, stateful_set: StatefulSet, name: str) -> None:
        """A claim on its way out can't serve a new pod: wait until it is gone."""
        found = await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace_of(stateful_set))
        if section(found, "metadata").get("deletionTimestamp"):
            raise RuntimeError(f"claim {name} is being deleted; its pod waits for a new one")

    async def keep_owners(self, stateful_set: StatefulSet, ordinal: int, condemned: Pod | None) -> None:
        """Write the owner references that the retention policy asks for; `condemned`: the pod scales away."""
        wanted = self._owners(stateful_set, condemned)
        for claim in new_claims(stateful_set, ordinal):
            name = claim["metadata"]["name"]
            try:
                found = await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace_of(stateful_set))
            except StatusError as error:
                if error.is_not_found:
                    continue
                raise
            metadata = section(found, "metadata")
            references = items(metadata, "ownerReferences")
            pod_name = f"{name_of(stateful_set)}-{ordinal}"
            others = [each for each in references if not _is_ours(each, stateful_set, pod_name)]
            if [*others, *wanted] != references:
                patch: Object = {
                    "metadata": {
                        "resourceVersion": metadata.get("resourceVersion"),
                        "ownerReferences": [*others, *wanted] or None,
                    }
                }
                await self._client.patch(PERSISTENT_VOLUME_CLAIMS, name, patch, namespace_of(stateful_set))

    @staticmethod
    def _owners(stateful_set: StatefulSet, condemned: Pod | None) -> list[Object]:
        policy = stateful_set.spec.persistentVolumeClaimRetentionPolicy if stateful_set.spec else None
        if policy is None:
            return []
        if condemned is not None and policy.whenScaled == "Delete":
            return [_reference(condemned, PODS)]
        return [_reference(stateful_set, STATEFUL_SETS)] if policy.whenDeleted == "Delete" else []


def _reference(owner: Any, resource: Resource) -> Object:
    reference = plain(controller_reference(owner, resource))
    return {name: reference[name] for name in ("apiVersion", "kind", "name", "uid", "controller")}


def _is_ours(reference: Object, stateful_set: StatefulSet, pod_name: str) -> bool:
    if reference.get("uid") == uid_of(stateful_set):
        return True
    return reference.get("kind") == PODS.kind and reference.get("name") == pod_name
