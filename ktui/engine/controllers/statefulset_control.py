"""Writing the pods of a StatefulSet, with the events that Kubernetes records on the set."""

from __future__ import annotations

from lightkube.models.apps_v1 import StatefulSet
from lightkube.models.core_v1 import Pod

from ktui.client.base import Client, DeleteOptions
from ktui.client.events import EventRecorder
from ktui.engine.controllers.objects import name_of, namespace_of, uid_of
from ktui.engine.controllers.pod_control import is_namespace_terminating
from ktui.engine.controllers.statefulset_claims import StatefulSetClaims
from ktui.engine.controllers.statefulset_pods import identity_patch
from ktui.kube.data import items, section
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object


class StatefulPodControl:
    """Creates, repairs and deletes pods one by one."""

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder
        self.claims = StatefulSetClaims(client, recorder)

    async def create(self, stateful_set: StatefulSet, pod: Object, ordinal: int) -> None:
        """Create the claims, then the pod. One that is there already (the cache is late) is fine if it is ours."""
        name: str = pod["metadata"]["name"]
        await self.claims.create_missing(stateful_set, ordinal, name)
        try:
            await self._client.create(PODS, pod, namespace_of(stateful_set))
        except StatusError as error:
            if error.is_already_exists and await self._is_ours(stateful_set, name):
                return
            if not error.is_already_exists and not is_namespace_terminating(error):
                self._failed(stateful_set, "create", name, error)
            raise
        self._done(stateful_set, "create", name)

    async def repair(self, stateful_set: StatefulSet, pod: Pod, ordinal: int) -> None:
        """Give a pod back its claims and the labels of its identity."""
        await self.claims.create_missing(stateful_set, ordinal, name_of(pod))
        try:
            await self._client.patch(PODS, name_of(pod), identity_patch(pod, ordinal), namespace_of(pod))
        except StatusError as error:
            self._failed(stateful_set, "update", name_of(pod), error)
            raise
        self._done(stateful_set, "update", name_of(pod))

    async def delete(self, stateful_set: StatefulSet, pod: Pod) -> None:
        """Delete exactly this pod; one that is gone already is fine."""
        try:
            await self._client.delete(
                PODS, name_of(pod), namespace_of(pod), options=DeleteOptions(uid=uid_of(pod))
            )
        except StatusError as error:
            if error.is_not_found:
                return
            self._failed(stateful_set, "delete", name_of(pod), error)
            raise
        self._done(stateful_set, "delete", name_of(pod))

    def recreating(self, stateful_set: StatefulSet, pod: Pod) -> None:
        """Say that a finished pod makes room for a new one."""
        failed = pod.status is not None and pod.status.phase == "Failed"
        self._recorder.event(
            stateful_set,
            "Warning" if failed else "Normal",
            "RecreatingFailedPod" if failed else "RecreatingTerminatedPod",
            f"StatefulSet {namespace_of(stateful_set)}/{name_of(stateful_set)} is recreating "
            f"{'failed' if failed else 'terminated'} Pod {name_of(pod)}",
        )

    async def _is_ours(self, stateful_set: StatefulSet, name: str) -> bool:
        try:
            found = await self._client.get(PODS, name, namespace_of(stateful_set))
        except StatusError:
            return False
        owners = items(section(found, "metadata"), "ownerReferences")
        return any(each.get("uid") == uid_of(stateful_set) and each.get("controller") for each in owners)

    def _done(self, stateful_set: StatefulSet, verb: str, name: str) -> None:
        message = f"{verb} Pod {name} in StatefulSet {name_of(stateful_set)} successful"
        self._recorder.event(stateful_set, "Normal", f"Successful{verb.title()}", message)

    def _failed(self, stateful_set: StatefulSet, verb: str, name: str, error: StatusError) -> None:
        message = f"{verb} Pod {name} in StatefulSet {name_of(stateful_set)} failed error: {error}"
        self._recorder.event(stateful_set, "Warning", f"Failed{verb.title()}", message)
