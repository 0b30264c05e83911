"""The volume binder: gives claims the volumes that fit them, and says what has become of both.

In: claims, volumes and classes. Out: the two halves of a binding (`claimRef` on the volume first, then
`volumeName` on the claim, so that a crash in between is mended from either side), the phases of both, and
events. Who makes and deletes volumes is a provisioner's matter: see `local_path`.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from lightkube.models.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from lightkube.models.storage_v1 import StorageClass

from ktui.client.base import Client
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import plain
from ktui.engine.controllers.pods_of_claims import claims_of, index_by_claim, pods_of
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.volume_writes import PROVISIONED_BY, VolumeWriter
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.data import section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
    annotations_of,
    best_match,
    class_of,
    default_class,
    is_bound_to,
    is_delayed,
    mismatch,
)

PROVISIONER: Final = "volume.kubernetes.io/storage-provisioner"
_OLD_PROVISIONER: Final = "volume.beta.kubernetes.io/storage-provisioner"
_IN_TREE: Final = "kubernetes.io/"


class Key(NamedTuple):
    """A claim or a volume."""

    kind: Literal["claim", "volume"]
    namespace: str
    name: str


class PersistentVolumeController(Controller[Key]):
    """Binds claims and volumes."""

    name = "persistentvolume-binder-controller"

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._write = VolumeWriter(client, clock)

    def setup(self, informers: Informers, queue: WorkQueue[Key]) -> None:
        self._queue = queue
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIMS, PersistentVolumeClaim)
        self._volumes = informers.of(PERSISTENT_VOLUMES, PersistentVolume)
        self._classes = informers.of(STORAGE_CLASSES, StorageClass)
        self._pods = informers.of(PODS, Pod)
        index_by_claim(self._pods)
        self._claims.add_handler(self._claim_changed)
        self._volumes.add_handler(self._volume_changed)
        self._classes.add_handler(lambda _: self._try_pending())
        self._pods.add_handler(self._pod_changed)

    def _claim_changed(self, delta: Delta[PersistentVolumeClaim]) -> None:
        self._queue.add(Key("claim", *delta.key))
        for claim in (delta.old, delta.new):
            if claim is not None and claim.spec is not None and claim.spec.volumeName:
                self._queue.add(Key("volume", "", claim.spec.volumeName))
        if delta.new is None:
            for key, volume in self._volumes.items():
                reference = volume.spec.claimRef if volume.spec is not None else None
                if reference is not None and (reference.namespace, reference.name) == delta.key:
                    self._queue.add(Key("volume", *key))

    def _volume_changed(self, delta: Delta[PersistentVolume]) -> None:
        self._queue.add(Key("volume", *delta.key))
        for volume in (delta.old, delta.new):
            reference = volume.spec.claimRef if volume is not None and volume.spec is not None else None
            if reference is not None:
                self._queue.add(Key("claim", reference.namespace or "", reference.name or ""))
        if delta.new is None or delta.new.spec is None or delta.new.spec.claimRef is None:
            self._try_pending()

    def _pod_changed(self, delta: Delta[Pod]) -> None:
        """What a claim waits for is told anew when its first pod comes, and when that has a node."""
        if delta.new is None:
            return
        if delta.old is None or _node_of(delta.old) != _node_of(delta.new):
            for name in claims_of(delta.new):
                claim = self._claims.get(ObjectKey(delta.key.namespace, name))
                if claim is not None and _is_pending(claim):
                    self._queue.add(Key("claim", delta.key.namespace, name))

    def _try_pending(self) -> None:
        for key, claim in self._claims.items():
            if _is_pending(claim):
                self._queue.add(Key("claim", *key))

    async def reconcile(self, key: Key) -> Result | None:
        if key.kind == "volume":
            volume = self._volumes.get(ObjectKey("", key.name))
            if volume is not None:
                await self._sync_volume(plain(volume))
            return None
        claim = self._claims.get(ObjectKey(key.namespace, key.name))
        if claim is not None:
            found = plain(claim)
            if BIND_COMPLETED in annotations_of(found):
                await self._sync_bound(found)
            else:
                await self._sync_unbound(found)
        return None

    # Claims

    async def _sync_unbound(self, claim: Object) -> None:
        asked = string(section(claim, "spec"), "volumeName")
        if asked:
            await self._sync_asked(claim, asked)
            return
        name = class_of(claim)
        if name is None:
            name = default_class(plain(each) for each in self._classes.list())
            if name is not None:
                await self._write.claim(claim, {"spec": {"storageClassName": name}})
                return
        storage_class = self._class(name or "")
        node = annotations_of(claim).get(SELECTED_NODE)
        is_waiting = is_delayed(storage_class) and not node
        volumes = [plain(volume) for volume in self._volumes.list()]
        volume = best_match(claim, volumes, only_reserved=is_waiting)
        if volume is not None:
            await self._bind(volume, claim)
            return
        await self._write.claim_phase(claim, "Pending")
        if is_waiting:
            self._event(claim, "Normal", *self._awaited(claim))
        elif not name:
            why = "no persistent volumes available for this claim and no storage class is set"
            self._event(claim, "Normal", "FailedBinding", why)
        else:
            await self._ask_for(claim, name, storage_class)

    def _class(self, name: str) -> Object | None:
        found = self._classes.get(ObjectKey("", name)) if name else None
        return plain(found) if found is not None else None

    def _awaited(self, claim: Object) -> tuple[str, str]:
        """What a claim that waits for its first consumer waits for: reason and message."""
        metadata = section(claim, "metadata")
        for pod in pods_of(self._pods, string(metadata, "namespace"), string(metadata, "name")):
            if pod.spec is not None and not pod.spec.nodeName and pod.metadata is not None:
                return "WaitForPodScheduled", f"waiting for pod {pod.metadata.name} to be scheduled"
        return "WaitForFirstConsumer", "waiting for first consumer to be created before binding"

    async def _ask_for(self, claim: Object, name: str, storage_class: Object | None) -> None:
        """Leave word for the provisioner of a class."""
        if storage_class is None:
            why = f'storageclass.storage.k8s.io "{name}" not found'
            self._event(claim, "Warning", "ProvisioningFailed", why)
            return
        provisioner = string(storage_class, "provisioner")
        if provisioner.startswith(_IN_TREE):
            why = f"no volume plugin matched name: {provisioner}"
            self._event(claim, "Warning", "ProvisioningFailed", why)
            return
        if annotations_of(claim).get(PROVISIONER) != provisioner:
            wanted = {PROVISIONER: provisioner, _OLD_PROVISIONER: provisioner}
            claim = await self._write.claim(claim, {"metadata": {"annotations": wanted}})
        why = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by "
            "the system administrator. If volume creation is delayed, please verify that the provisioner is running "
            "and correctly registered."
        )
        self._event(claim, "Normal", "ExternalProvisioning", why)

    async def _sync_asked(self, claim: Object, name: str) -> None:
        """A claim that asks for a volume by name."""
        volume = await self._volume(name)
        if volume is None:
            await self._write.claim_phase(claim, "Pending")
            return
        reference = section(volume, "spec", "claimRef")
        if not reference:
            if why := mismatch(volume, claim):
                message = f'Cannot bind to requested volume "{name}": {why}'
                self._event(claim, "Warning", "VolumeMismatch", message)
                await self._write.claim_phase(claim, "Pending")
                return
            await self._bind(volume, claim)
        elif is_bound_to(volume, claim):
            await self._bind(volume, claim)
        else:
            message = f'volume "{name}" already bound to a different claim.'
            self._event(claim, "Warning", "FailedBinding", message)
            await self._write.claim_phase(claim, "Pending")

    async def _sync_bound(self, claim: Object) -> None:
        name = string(section(claim, "spec"), "volumeName")
        volume = await self._volume(name) if name else None
        if volume is None:
            what = "its PersistentVolume" if name else "reference to PersistentVolume"
            message = f"Bound claim has lost {what}. Data on the volume is lost!"
            await self._lost(claim, "ClaimLost", message)
        elif not section(volume, "spec", "claimRef") or is_bound_to(volume, claim):
            await self._bind(volume, claim)
        else:
            message = "Two claims are bound to the same volume, this one is bound incorrectly"
            await self._lost(claim, "ClaimMisbound", message)

    async def _lost(self, claim: Object, reason: str, message: str) -> None:
        if section(claim, "status").get("phase") != "Lost":
            await self._write.claim_phase(claim, "Lost")
            self._event(claim, "Warning", reason, message)

    async def _bind(self, volume: Object, claim: Object) -> None:
        """Both halves and both phases, the volume's first."""
        volume = await self._write.bind_volume(volume, claim)
        await self._write.volume_phase(volume, "Bound")
        await self._write.bind_claim(claim, volume)

    # Volumes

    async def _sync_volume(self, volume: Object) -> None:
        reference = section(volume, "spec", "claimRef")
        if not reference or not reference.get("uid"):
            if section(volume, "status").get("phase") not in ("Failed", "Released") or not reference:
                await self._write.volume_phase(volume, "Available")
            return
        claim = await self._claim(reference)
        if claim is None:
            await self._release(volume)
            return
        bound_to = string(section(claim, "spec"), "volumeName")
        name = string(section(volume, "metadata"), "name")
        if bound_to == name:
            await self._write.volume_phase(volume, "Bound")
        elif bound_to:
            await self._superfluous(volume)

    async def _superfluous(self, volume: Object) -> None:
        """Its claim has another volume: one made for it goes, one that was there before is free again."""
        annotations = annotations_of(volume)
        is_deleted = section(volume, "spec").get("persistentVolumeReclaimPolicy") == "Delete"
        if PROVISIONED_BY in annotations and is_deleted:
            await self._release(volume)
        elif BOUND_BY_CONTROLLER in annotations:
            await self._write.unbind_volume(volume)

    async def _release(self, volume: Object) -> None:
        """Its claim is gone: keep it, or have it deleted by who made it."""
        if section(volume, "status").get("phase") not in ("Released", "Failed"):
            volume = await self._write.volume_phase(volume, "Released")
        policy = section(volume, "spec").get("persistentVolumeReclaimPolicy")
        if policy == "Retain" or PROVISIONED_BY in annotations_of(volume):
            return
        if (
            section(volume, "metadata").get("deletionTimestamp")
            or section(volume, "status").get("phase") == "Failed"
        ):
            return
        name = string(section(volume, "metadata"), "name")
        if policy == "Recycle":
            reason, message = "VolumeFailedRecycle", "No recycler plugin found for the volume!"
        else:
            why = "no deletable volume plugin matched"
            reason, message = (
                "VolumeFailedDelete",
                f'error getting deleter volume plugin for volume "{name}": {why}',
            )
        await self._write.volume_phase(volume, "Failed", message)
        self._event(volume, "Warning", reason, message)

    async def _volume(self, name: str) -> Object | None:
        """As the API has it, when the cache doesn't: a binding must not be lost to a cache that lags."""
        found = self._volumes.get(ObjectKey("", name))
        if found is not None:
            return plain(found)
        try:
            return await self._client.get(PERSISTENT_VOLUMES, name)
        except StatusError as error:
            if error.is_not_found:
                return None
            raise

    async def _claim(self, reference: Object) -> Object | None:
        """The claim a volume is bound to, in this incarnation."""
        name, namespace = string(reference, "name"), string(reference, "namespace")
        cached = self._claims.get(ObjectKey(namespace, name))
        found = plain(cached) if cached is not None else None
        if found is None or section(found, "metadata").get("uid") != reference.get("uid"):
            try:
                found = await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
            except StatusError as error:
                if error.is_not_found:
                    return None
                raise
        return found if section(found, "metadata").get("uid") == reference.get("uid") else None

    def _event(self, obj: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        self._recorder.event(obj, kind, reason, message)


def _is_pending(claim: PersistentVolumeClaim) -> bool:
    return claim.status is None or claim.status.phase in (None, "Pending")


def _node_of(pod: Pod) -> str:
    return (pod.spec.nodeName if pod.spec is not None else None) or ""
