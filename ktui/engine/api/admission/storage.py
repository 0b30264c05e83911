"""DefaultStorageClass, StorageObjectInUseProtection and PersistentVolumeClaimResize: claims get a class, claims and
volumes a finalizer that keeps them while they are used, and claims grow only where that can be done."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.admission.base import Attributes, Mutating, Validating, View
from ktui.engine.api.documents import with_metadata
from ktui.kube.data import section, string, strings
from ktui.kube.errors import forbidden
from ktui.kube.kinds import (
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    STORAGE_CLASSES,
    VOLUME_ATTRIBUTES_CLASSES,
)
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object
from ktui.kube.storage import class_of, default_class, storage_of

_FINALIZERS: Final = {
    PERSISTENT_VOLUME_CLAIMS.key: "kubernetes.io/pvc-protection",
    PERSISTENT_VOLUMES.key: "kubernetes.io/pv-protection",
    VOLUME_ATTRIBUTES_CLASSES.key: "kubernetes.io/vac-protection",
}


class DefaultStorageClass(Mutating):
    """A claim that names no class gets the newest default one."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if not request.is_about(PERSISTENT_VOLUME_CLAIMS, "CREATE") or class_of(obj) is not None:
            return obj
        name = default_class(self._view.listed(STORAGE_CLASSES.key))
        if name is None:
            return obj
        return {**obj, "spec": {**section(obj, "spec"), "storageClassName": name}}


class StorageObjectInUseProtection(Mutating):
    """New claims, volumes and classes of attributes stay while something uses them."""

    def __init__(self, view: View) -> None:
        del view

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        finalizer = _FINALIZERS.get(request.resource.key)
        if request.operation != "CREATE" or request.subresource or finalizer is None:
            return obj
        finalizers = strings(section(obj, "metadata"), "finalizers")
        return obj if finalizer in finalizers else with_metadata(obj, finalizers=[*finalizers, finalizer])


class PersistentVolumeClaimResize(Validating):
    """Only bound claims of a class that allows it may grow."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if not request.is_about(PERSISTENT_VOLUME_CLAIMS, "UPDATE") or obj is None or old is None:
            return
        had, wanted = (storage_of(section(each, "spec", "resources", "requests")) for each in (old, obj))
        if not had or not wanted or not parse_quantity(had) < parse_quantity(wanted):
            return
        if string(section(old, "status"), "phase") != "Bound":
            raise self._refused(request, "Only bound persistent volume claims can be expanded")
        found = self._view.lookup(STORAGE_CLASSES.key, "", class_of(old) or "")
        if found is None or not found.get("allowVolumeExpansion"):
            why = (
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
                "must support resize"
            )
            raise self._refused(request, why)

    def _refused(self, request: Attributes, why: str) -> Exception:
        return forbidden(request.resource, request.name, why)
