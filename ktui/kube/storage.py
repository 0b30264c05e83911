"""PersistentVolumes and claims as plain data: their classes, sizes, and which volume is the best for a claim.

The binder and the scheduler ask the same questions, and get the same answers here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ktui.kube.data import mapping, section, string, strings
from ktui.kube.quantity import Quantity, parse_quantity
from ktui.kube.resource import Object
from ktui.kube.selector import Selector

CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
"""How a class was named before there was a field for it; still heeded."""
DEFAULT_ANNOTATIONS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER: Final = "pv.kubernetes.io/bound-by-controller"
"""The controller chose this half of a binding, not a user."""
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
"""On a claim that waited for its first pod: where that is going to run."""
NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"
_SHORT: Final = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def class_of(obj: Object) -> str | None:
    """The class a volume or claim names, by the annotation of old or its field; "" is a class of its own: none."""
    annotations = annotations_of(obj)
    if CLASS_ANNOTATION in annotations:
        return annotations[CLASS_ANNOTATION]
    return section(obj, "spec").get("storageClassName")


def annotations_of(obj: Object) -> dict[str, str]:
    return mapping(section(obj, "metadata"), "annotations")


def is_default_class(storage_class: Object) -> bool:
    annotations = annotations_of(storage_class)
    return any(annotations.get(name) == "true" for name in DEFAULT_ANNOTATIONS)


def default_class(classes: Iterable[Object]) -> str | None:
    """The name of the newest class that is marked as the default."""
    defaults = [
        (string(metadata, "creationTimestamp"), string(metadata, "name"))
        for each in classes
        if is_default_class(each) and (metadata := section(each, "metadata"))
    ]
    newest = max((created for created, _ in defaults), default="")
    return min((name for created, name in defaults if created == newest), default=None)


def is_delayed(storage_class: Object | None) -> bool:
    """Volumes are given when a pod that uses the claim has been scheduled."""
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def short_modes(modes: Sequence[str]) -> str:
    """Access modes as tables show them: `RWO,ROX`."""
    known = list(_SHORT)
    ordered = sorted(set(modes), key=lambda mode: known.index(mode) if mode in _SHORT else len(known))
    return ",".join(_SHORT.get(mode, mode) for mode in ordered)


def storage_of(amounts: Object) -> str:
    """The storage among requests or capacities."""
    return string(amounts, "storage")


def requested(claim: Object) -> Quantity:
    return _amount(section(claim, "spec", "resources", "requests"))


def capacity(volume: Object) -> Quantity:
    return _amount(section(volume, "spec", "capacity"))


def _amount(amounts: Object) -> Quantity:
    found = storage_of(amounts)
    return parse_quantity(found or "0")


def mode_of(obj: Object) -> str:
    return string(section(obj, "spec"), "volumeMode") or "Filesystem"


def attributes_of(obj: Object) -> str:
    """The class of a volume's changeable attributes, "" for none."""
    return string(section(obj, "spec"), "volumeAttributesClassName")


def is_bound_to(volume: Object, claim: Object) -> bool:
    """The volume names this claim, or names it without saying which incarnation."""
    reference, metadata = section(volume, "spec", "claimRef"), section(claim, "metadata")
    return (
        bool(reference)
        and string(reference, "name") == string(metadata, "name")
        and string(reference, "namespace") == string(metadata, "namespace")
        and reference.get("uid") in (None, "", metadata.get("uid"))
    )


def mismatch(volume: Object, claim: Object) -> str:
    """Why a volume that the claim asked for by name can't be it; "" if it can."""
    if capacity(volume) < requested(claim):
        return "requested PV is too small"
    if (class_of(volume) or "") != (class_of(claim) or ""):
        return "storageClassName does not match"
    if attributes_of(volume) != attributes_of(claim):
        return "volumeAttributesClassName does not match"
    if mode_of(volume) != mode_of(claim):
        return "incompatible volumeMode"
    if not _has_modes(volume, claim):
        return "incompatible accessMode"
    return ""


def _has_modes(volume: Object, claim: Object) -> bool:
    wanted, given = (strings(section(each, "spec"), "accessModes") for each in (claim, volume))
    return set(wanted) <= set(given)


def best_match(claim: Object, volumes: Iterable[Object], *, only_reserved: bool = False) -> Object | None:
    """The volume reserved for the claim, or else the smallest free one that will do."""
    return next(iter(ranked(claim, volumes, only_reserved=only_reserved)), None)


def ranked(claim: Object, volumes: Iterable[Object], *, only_reserved: bool = False) -> list[Object]:
    """The volume reserved for the claim alone, or else the free ones that will do, the smallest first."""
    selector = section(claim, "spec").get("selector")
    wanted = Selector.of(selector) if selector else None
    found: list[tuple[Quantity, str, Object]] = []
    for volume in volumes:
        if mode_of(volume) != mode_of(claim) or section(volume, "metadata").get("deletionTimestamp"):
            continue
        if is_bound_to(volume, claim):
            if not capacity(volume) < requested(claim):
                return [volume]
            continue
        if only_reserved or section(volume, "spec", "claimRef"):
            continue
        if section(volume, "status").get("phase") not in (None, "", "Available", "Pending") or mismatch(
            volume, claim
        ):
            continue
        if wanted is None or wanted.matches(mapping(section(volume, "metadata"), "labels")):
            found.append((capacity(volume), string(section(volume, "metadata"), "name"), volume))
    return [each[2] for each in sorted(found, key=lambda each: (each[0].nanos, each[1]))]
