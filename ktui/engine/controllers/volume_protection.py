"""What keeps claims while pods use them, volumes while claims are bound to them, and classes of attributes while either
names them: finalizers, taken off in time."""

from __future__ import annotations

from typing import Any, Final

from lightkube.models.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from lightkube.models.storage_v1 import VolumeAttributesClass

from ktui.client.base import Client, PatchType
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import is_deleting, is_finished, meta, node_of
from ktui.engine.controllers.pods_of_claims import claims_of, index_by_claim, pods_of
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, VOLUME_ATTRIBUTES_CLASSES
from ktui.kube.resource import ObjectKey, Resource

CLAIM_FINALIZER: Final = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER: Final = "kubernetes.io/pv-protection"
CLASS_FINALIZER: Final = "kubernetes.io/vac-protection"


class ClaimProtection(Controller[ObjectKey]):
    """Lets a deleted claim go when no pod on a node uses it any more."""

    name = "persistentvolumeclaim-protection-controller"

    def __init__(self, client: Client) -> None:
        self._client = client

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIMS, PersistentVolumeClaim)
        self._pods = informers.of(PODS, Pod)
        index_by_claim(self._pods)
        self._claims.add_handler(enqueue_object(queue))
        self._pods.add_handler(self._pod_changed)

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        for pod in (delta.old, delta.new):
            for name in claims_of(pod) if pod is not None else ():
                self._queue.add(ObjectKey(delta.key.namespace, name))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        claim = self._claims.get(key)
        if claim is None:
            return None
        in_use = is_deleting(claim) and any(
            node_of(pod) and not is_finished(pod) for pod in pods_of(self._pods, *key)
        )
        if not in_use:
            await _settle(self._client, PERSISTENT_VOLUME_CLAIMS, claim, CLAIM_FINALIZER)
        return None


class VolumeProtection(Controller[ObjectKey]):
    """Lets a deleted volume go when no claim is bound to it."""

    name = "persistentvolume-protection-controller"

    def __init__(self, client: Client) -> None:
        self._client = client

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._volumes = informers.of(PERSISTENT_VOLUMES, PersistentVolume)
        self._volumes.add_handler(enqueue_object(queue))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        volume = self._volumes.get(key)
        if volume is None:
            return None
        is_bound = volume.status is not None and volume.status.phase == "Bound"
        if not (is_deleting(volume) and is_bound):
            await _settle(self._client, PERSISTENT_VOLUMES, volume, VOLUME_FINALIZER)
        return None


class AttributesClassProtection(Controller[ObjectKey]):
    """Lets a deleted VolumeAttributesClass go when no volume and no claim has it or is to get it."""

    name = "volumeattributesclass-protection-controller"

    def __init__(self, client: Client) -> None:
        self._client = client

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._queue = queue
        self._classes = informers.of(VOLUME_ATTRIBUTES_CLASSES, VolumeAttributesClass)
        self._volumes = informers.of(PERSISTENT_VOLUMES, PersistentVolume)
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIMS, PersistentVolumeClaim)
        self._classes.add_handler(enqueue_object(queue))
        self._volumes.add_handler(self._user_changed)
        self._claims.add_handler(self._user_changed)

    def _user_changed(self, delta: Delta[PersistentVolume] | Delta[PersistentVolumeClaim]) -> None:
        for name in _classes_of(delta.old) - _classes_of(delta.new):
            self._queue.add(ObjectKey("", name))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        found = self._classes.get(key)
        if found is None:
            return None
        in_use = is_deleting(found) and any(
            key.name in _classes_of(user) for user in (*self._volumes.list(), *self._claims.list())
        )
        if not in_use:
            await _settle(self._client, VOLUME_ATTRIBUTES_CLASSES, found, CLASS_FINALIZER)
        return None


def _classes_of(user: PersistentVolume | PersistentVolumeClaim | None) -> set[str]:
    """The classes of attributes that a volume or claim has, or is to get."""
    if user is None or user.spec is None:
        return set()
    found = [user.spec.volumeAttributesClassName]
    if isinstance(user, PersistentVolumeClaim) and user.status is not None:
        found.append(user.status.currentVolumeAttributesClassName)
        if user.status.modifyVolumeStatus is not None:
            found.append(user.status.modifyVolumeStatus.targetVolumeAttributesClassName)
    return {name for name in found if name}


async def _settle(client: Client, resource: Resource, obj: Any, finalizer: str) -> None:
    """The finalizer on what lives, and off what is deleted."""
    metadata = meta(obj)
    finalizers = list(metadata.finalizers or ())
    if is_deleting(obj) == (finalizer not in finalizers):
        return
    wanted = [each for each in finalizers if each != finalizer]
    if not is_deleting(obj):
        wanted.append(finalizer)
    patch = {"metadata": {"finalizers": wanted or None, "resourceVersion": metadata.resourceVersion}}
    try:
        await client.patch(
            resource, metadata.name or "", patch, metadata.namespace or "", patch_type=PatchType.MERGE
        )
    except StatusError as error:
        if not error.is_not_found:
            raise
