"""The provisioner `ktui.dev/local-path`: a volume is a folder under the data folder's `volumes`.

In: claims that the binder has left word on, and volumes made here. Out: a folder and its PersistentVolume for a
claim, more room on paper for a claim that grows (a folder has no size), and the end of both when a volume with
reclaim policy Delete is released. As the provisioner of the same name in k3s, for one node.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final, Literal, NamedTuple

from lightkube.models.core_v1 import Node, PersistentVolume, PersistentVolumeClaim
from lightkube.models.storage_v1 import StorageClass

from ktui.client.base import Client, DeleteOptions
from ktui.client.events import EventRecorder
from ktui.client.informer import Delta, Informers
from ktui.engine.controllers.objects import labels_of, plain
from ktui.engine.controllers.persistentvolume import PROVISIONER
from ktui.engine.controllers.runtime import Controller, Result
from ktui.engine.controllers.volume_writes import PROVISIONED_BY, VolumeWriter
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.data import section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.storage import (
    SELECTED_NODE,
    annotations_of,
    capacity,
    class_of,
    is_delayed,
    mode_of,
    requested,
    storage_of,
)

NAME: Final = "ktui.dev/local-path"
_HOST_NAME: Final = "kubernetes.io/hostname"


class Key(NamedTuple):
    """A claim or a volume."""

    kind: Literal["claim", "volume"]
    namespace: str
    name: str


class _Refused(Exception):  # noqa: N818 - an answer, not a failure of ours
    """A claim that asks for what a folder can't be."""


class LocalPathProvisioner(Controller[Key]):
    """Makes and deletes folders in `folder`."""

    name = "local-path-provisioner"

    def __init__(self, client: Client, recorder: EventRecorder, clock: Clock, folder: Path) -> None:
        self._client = client
        self._recorder = recorder
        self._write = VolumeWriter(client, clock)
        self._folder = folder

    def setup(self, informers: Informers, queue: WorkQueue[Key]) -> None:
        self._queue = queue
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIMS, PersistentVolumeClaim)
        self._volumes = informers.of(PERSISTENT_VOLUMES, PersistentVolume)
        self._classes = informers.of(STORAGE_CLASSES, StorageClass)
        self._nodes = informers.of(NODES, Node)
        self._claims.add_handler(lambda delta: queue.add(Key("claim", *delta.key)))
        self._volumes.add_handler(lambda delta: queue.add(Key("volume", *delta.key)))
        self._nodes.add_handler(self._node_changed)

    def _node_changed(self, delta: Delta[Node]) -> None:
        if delta.old is None or delta.new is None:
            for key, _ in self._claims.items():
                self._queue.add(Key("claim", *key))

    async def reconcile(self, key: Key) -> Result | None:
        if key.kind == "volume":
            volume = self._volumes.get(ObjectKey("", key.name))
            if volume is not None:
                await self._reclaim(plain(volume))
            return None
        claim = self._claims.get(ObjectKey(key.namespace, key.name))
        if claim is not None:
            found = plain(claim)
            if section(found, "spec").get("volumeName"):
                await self._expand(found)
            elif annotations_of(found).get(PROVISIONER) == NAME:
                await self._provision(found)
        return None

    async def _provision(self, claim: Object) -> None:
        metadata = section(claim, "metadata")
        if metadata.get("deletionTimestamp"):
            return
        name = class_of(claim) or ""
        storage_class = self._class(name)
        volume_name = f"pvc-{metadata['uid']}"
        node = annotations_of(claim).get(SELECTED_NODE) or ""
        if storage_class is None or self._volumes.get(ObjectKey("", volume_name)) is not None:
            return
        if is_delayed(storage_class) and not node:
            return
        host = self._host_name(node)
        if not host:
            if node:
                await self._choose_again(claim, name, node)
            return
        told = f'External provisioner is provisioning volume for claim "{metadata["namespace"]}/{metadata["name"]}"'
        self._recorder.event(claim, "Normal", "Provisioning", told)
        path = self._folder / f"{volume_name}_{metadata['namespace']}_{metadata['name']}"
        try:
            _check(claim)
            await asyncio.to_thread(_make, path)
        except (_Refused, OSError) as error:
            why = f'failed to provision volume with StorageClass "{name}": {error}'
            self._recorder.event(claim, "Warning", "ProvisioningFailed", why)
            if isinstance(error, OSError):
                raise
            return
        volume = _volume(volume_name, claim, storage_class, path, host)
        try:
            await self._client.create(PERSISTENT_VOLUMES, volume)
        except StatusError as error:
            if not error.is_already_exists:
                raise
        succeeded = f"Successfully provisioned volume {volume_name}"
        self._recorder.event(claim, "Normal", "ProvisioningSucceeded", succeeded)

    async def _choose_again(self, claim: Object, name: str, node: str) -> None:
        """The node chosen is gone: without it on the claim, the scheduler places the pod anew."""
        why = f'failed to provision volume with StorageClass "{name}": error getting selected node "{node}"'
        self._recorder.event(claim, "Warning", "ProvisioningFailed", why)
        await self._write.claim(claim, {"metadata": {"annotations": {SELECTED_NODE: None}}})

    def _class(self, name: str) -> Object | None:
        found = self._classes.get(ObjectKey("", name))
        return plain(found) if found is not None else None

    def _host_name(self, selected: str) -> str:
        """How the node that the folder is on calls itself."""
        node = self._nodes.get(ObjectKey("", selected)) if selected else next(iter(self._nodes.list()), None)
        if node is None or node.metadata is None:
            return ""
        return labels_of(node).get(_HOST_NAME) or node.metadata.name or ""

    async def _expand(self, claim: Object) -> None:
        """A folder holds whatever is put into it: a larger claim is granted at once."""
        name = string(section(claim, "spec"), "volumeName")
        found = self._volumes.get(ObjectKey("", name))
        there = storage_of(section(claim, "status", "capacity"))
        if found is None or not there or not parse_quantity(there) < requested(claim):
            return
        volume = plain(found)
        if annotations_of(volume).get(PROVISIONED_BY) != NAME:
            return
        wanted = {"storage": storage_of(section(claim, "spec", "resources", "requests"))}
        resizing = f"External resizer is resizing volume {name}"
        self._recorder.event(claim, "Normal", "Resizing", resizing)
        if capacity(volume) < requested(claim):
            await self._write.volume(volume, {"spec": {"capacity": wanted}})
        await self._write.claim(claim, {"status": {"capacity": wanted}}, "status")
        self._recorder.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")

    async def _reclaim(self, volume: Object) -> None:
        spec, metadata = section(volume, "spec"), section(volume, "metadata")
        is_ours = annotations_of(volume).get(PROVISIONED_BY) == NAME
        is_let_go = section(volume, "status").get("phase") in ("Released", "Failed")
        if not is_ours or not is_let_go or spec.get("persistentVolumeReclaimPolicy") != "Delete":
            return
        path = Path(string(section(spec, "hostPath"), "path"))
        try:
            await asyncio.to_thread(self._remove, path)
        except OSError as error:
            message = f"failed to delete volume {metadata['name']}: {error}"
            await self._write.volume_phase(volume, "Failed", message)
            self._recorder.event(volume, "Warning", "VolumeFailedDelete", message)
            raise
        try:
            await self._client.delete(
                PERSISTENT_VOLUMES, metadata["name"], options=DeleteOptions(uid=string(metadata, "uid"))
            )
        except StatusError as error:
            if not error.is_not_found:
                raise

    def _remove(self, path: Path) -> None:
        """Only ever a folder of ours: a path can be anything by the time it comes back from the API."""
        if path.parent != self._folder:
            raise OSError(f"{path} is not a folder in {self._folder}; it was left as it is")
        if path.exists():
            shutil.rmtree(path)


def _check(claim: Object) -> None:
    if mode_of(claim) != "Filesystem":
        raise _Refused(f"{mode_of(claim)} volumes are not supported, only Filesystem")
    if section(claim, "spec").get("selector"):
        raise _Refused("claim.Spec.Selector is not supported")
    if section(claim, "spec").get("dataSourceRef"):
        raise _Refused("a folder begins empty: claim.Spec.DataSource is not supported")


def _make(path: Path) -> None:
    """Open to all: which user a container runs as is not known yet."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)


def _volume(name: str, claim: Object, storage_class: Object, path: Path, host: str) -> Object:
    metadata, spec = section(claim, "metadata"), section(claim, "spec")
    here = {"key": _HOST_NAME, "operator": "In", "values": [host]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: NAME}},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": storage_of(section(spec, "resources", "requests"))},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                **{field: metadata[field] for field in ("namespace", "name", "uid", "resourceVersion")},
            },
            "hostPath": {"path": str(path), "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            "persistentVolumeReclaimPolicy": string(storage_class, "reclaimPolicy") or "Delete",
            "storageClassName": class_of(claim),
            "volumeMode": "Filesystem",
            **({"mountOptions": storage_class["mountOptions"]} if storage_class.get("mountOptions") else {}),
        },
    }
