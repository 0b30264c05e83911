"""Generic ephemeral volumes: a claim for each, made from its template and owned by its pod.

In: pods with `ephemeral` volumes. Out: claims named `<pod>-<volume>`, which the garbage collector removes with
the pod. A claim of that name that somebody else made is left alone, and the pod is told about it.
"""

from __future__ import annotations

from lightkube.models.core_v1 import PersistentVolumeClaim, Pod, Volume

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import is_deleting, key_of, plain, pod_spec
from ktui.engine.controllers.ownership import controller_reference, is_controlled_by
from ktui.engine.controllers.pods_of_claims import index_by_claim, pods_of
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.data import section
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PODS
from ktui.kube.resource import Object, ObjectKey


class EphemeralVolumes(Controller[ObjectKey]):
    """One key a pod."""

    name = "ephemeral-volume-controller"

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._pods = informers.of(PODS, Pod)
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIMS, PersistentVolumeClaim)
        index_by_claim(self._pods)
        self._pods.add_handler(self._pod_changed)
        self._claims.add_handler(self._claim_changed)

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        if delta.new is not None and delta.old is None and _ephemeral(delta.new):
            self._queue.add(delta.key)

    def _claim_changed(self, delta: Delta[PersistentVolumeClaim]) -> None:
        """One that went is made anew for the pod that has it; one that came may be somebody else's."""
        if delta.new is None or delta.old is None:
            for pod in pods_of(self._pods, *delta.key):
                self._queue.add(key_of(pod))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        pod = self._pods.get(key)
        if pod is None or is_deleting(pod):
            return None
        for volume in _ephemeral(pod):
            try:
                refusal = await self._ensure(
                    pod, ObjectKey(key.namespace, f"{key.name}-{volume.name}"), volume
                )
            except StatusError as error:
                self._complain(pod, volume, f"create PVC {key.name}-{volume.name}: {error}")
                raise
            if refusal:
                self._complain(pod, volume, refusal)
                return None  # Looked at again when that claim goes.
        return None

    async def _ensure(self, pod: Pod, key: ObjectKey, volume: Volume) -> str:
        """Make the claim unless it is there; gives why the one that is there can't be used."""
        claim = self._claims.get(key)
        if claim is None:
            try:
                await self._client.create(
                    PERSISTENT_VOLUME_CLAIMS, _claim(pod, key.name, volume), key.namespace
                )
            except StatusError as error:
                if not error.is_already_exists:
                    raise
            return ""  # If the cache only lagged, `_claim_changed` asks again when it has caught up.
        if is_controlled_by(claim, pod):
            return ""
        return f"PVC {key} was not created for pod {key_of(pod)} (pod is not owner)"

    def _complain(self, pod: Pod, volume: Volume, why: str) -> None:
        message = f"ephemeral volume {volume.name}: {why}"
        self._recorder.event(pod, "Warning", "FailedBinding", message)


def _ephemeral(pod: Pod) -> list[Volume]:
    return [volume for volume in pod_spec(pod).volumes or () if volume.ephemeral is not None]


def _claim(pod: Pod, name: str, volume: Volume) -> Object:
    template = section(plain(volume), "ephemeral", "volumeClaimTemplate")
    given = section(template, "metadata")
    metadata: Object = {field: given[field] for field in ("labels", "annotations") if given.get(field)}
    owner = plain(controller_reference(pod, PODS))
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, **metadata, "ownerReferences": [owner]},
        "spec": section(template, "spec"),
    }
