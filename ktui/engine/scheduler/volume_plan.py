"""Which volumes a pod's claims would get on a node. Pure.

In: the pod's claims and the picture of volumes. Out: the pod's claims sorted into bound ones and those whose class
waits for the first consumer, and for a node either a plan (existing volumes to bind, claims to provision) or the
reasons why the node won't do, in Kubernetes' words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ktui.engine.scheduler.nodeinfo import NodeInfo
from ktui.engine.scheduler.podinfo import PodClaim, PodInfo
from ktui.engine.scheduler.volumes import Volumes
from ktui.kube.data import items, section, string, strings
from ktui.kube.node_selector import NamedNode
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object, ObjectKey
from ktui.kube.selector import Selector
from ktui.kube.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    NO_PROVISIONER,
    SELECTED_NODE,
    annotations_of,
    class_of,
    is_delayed,
    ranked,
    requested,
)

NODE_CONFLICT: Final = "node(s) didn't match PersistentVolume's node affinity"
BIND_CONFLICT: Final = "node(s) didn't find available persistent volumes to bind"
NO_ROOM: Final = "node(s) did not have enough free storage"
VOLUME_MISSING: Final = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND: Final = "pod has unbound immediate PersistentVolumeClaims"


@dataclass(frozen=True, slots=True)
class PodClaims:
    """A pod's claims: those that have their volume, and those that get one where the pod goes."""

    bound: Sequence[Object]
    waiting: Sequence[tuple[Object, Sequence[Object]]]
    """Each with the volumes there are for it, the best first; those that ask for least come first."""


@dataclass(slots=True)
class VolumePlan:
    """What the pod's claims wait for, and what has to be written for it, as the objects will be."""

    bindings: dict[str, ObjectKey] = field(default_factory=dict[str, ObjectKey])
    """Volumes by name, with the claim that each is given to."""
    volumes: dict[str, Object] = field(default_factory=dict[str, Object])
    """Those of them that don't name their claim yet, as they will."""
    provisions: set[ObjectKey] = field(default_factory=set[ObjectKey])
    """Claims that get a volume made."""
    claims: dict[ObjectKey, Object] = field(default_factory=dict[ObjectKey, Object])
    """Those of them that don't name their node yet, as they will."""

    def __bool__(self) -> bool:
        return bool(self.bindings or self.provisions)


def is_fully_bound(claim: Object) -> bool:
    """Both halves of the binding have been written."""
    return bool(section(claim, "spec").get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def read_claims(pod: PodInfo, volumes: Volumes) -> PodClaims | str:
    """The claims of a pod, or why no node can take it."""
    bound: list[Object] = []
    waiting: list[tuple[Object, Sequence[Object]]] = []
    for used in pod.claims:
        claim = volumes.claim(ObjectKey(pod.key.namespace, used.name))
        refusal = _missing(used) if claim is None else _unusable(used, claim, pod)
        if claim is None or refusal:
            return refusal
        if is_fully_bound(claim):
            bound.append(claim)
        elif is_delayed(volumes.storage_class(class_of(claim) or "")) and not _asks_for_one(claim):
            has_node = SELECTED_NODE in annotations_of(claim)
            there = [] if has_node else ranked(claim, volumes.of_class(class_of(claim) or ""))
            waiting.append((claim, there))
        else:
            return UNBOUND
    return PodClaims(bound, sorted(waiting, key=lambda each: requested(each[0]).nanos))


def _missing(used: PodClaim) -> str:
    if used.is_ephemeral:
        return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{used.name}"'
    return f'persistentvolumeclaim "{used.name}" not found'


def _unusable(used: PodClaim, claim: Object, pod: PodInfo) -> str:
    metadata = section(claim, "metadata")
    if section(claim, "status").get("phase") == "Lost":
        volume = string(section(claim, "spec"), "volumeName")
        return f'persistentvolumeclaim "{used.name}" bound to non-existent persistentvolume "{volume}"'
    if metadata.get("deletionTimestamp"):
        return f'persistentvolumeclaim "{used.name}" is being deleted'
    owners = items(metadata, "ownerReferences")
    if used.is_ephemeral and not any(
        each.get("controller") and each.get("uid") == pod.uid for each in owners
    ):
        where = f"{pod.key.namespace}/{used.name}"
        return f"PVC {where} was not created for pod {pod.key} (pod is not owner)"
    return ""


def _asks_for_one(claim: Object) -> bool:
    return bool(section(claim, "spec").get("volumeName"))


def plan_volumes(claims: PodClaims, node: NodeInfo, volumes: Volumes) -> VolumePlan | Sequence[str]:
    """What the pod's claims would get on `node`, or the reasons why it can't run there."""
    reasons: list[str] = []
    reason = _bound_elsewhere(claims.bound, node, volumes)
    if reason == NODE_CONFLICT:
        reasons.append(reason)
    plan = _plan(claims.waiting, node, volumes)
    if isinstance(plan, str):
        reasons.append(plan)
    if reason == VOLUME_MISSING:
        reasons.append(reason)
    return tuple(reasons) if reasons or isinstance(plan, str) else plan


def _bound_elsewhere(claims: Iterable[Object], node: NamedNode, volumes: Volumes) -> str:
    for claim in claims:
        name = string(section(claim, "spec"), "volumeName")
        if volumes.volume(name) is None:
            return VOLUME_MISSING
        if not volumes.can_be_used_on(name, node):
            return NODE_CONFLICT
    return ""


def _plan(
    claims: Sequence[tuple[Object, Sequence[Object]]], node: NodeInfo, volumes: Volumes
) -> VolumePlan | str:
    """Existing volumes first; what is left must be provisioned. Gives the reason when it can't be done."""
    plan = VolumePlan()
    to_provision: list[Object] = []
    for claim, candidates in claims:
        if annotations_of(claim).get(SELECTED_NODE, node.name) != node.name:
            return BIND_CONFLICT
        for volume in candidates:
            name = string(section(volume, "metadata"), "name")
            if name not in plan.bindings and volumes.can_be_used_on(name, node):
                plan.bindings[name] = _key(claim)
                if section(volume, "spec", "claimRef").get("uid") != section(claim, "metadata").get("uid"):
                    plan.volumes[name] = reserved_for(volume, claim)
                break
        else:
            to_provision.append(claim)
    for claim in to_provision:
        storage_class = volumes.storage_class(class_of(claim) or "")
        if storage_class is None or not _can_be_made_on(storage_class, node):
            return BIND_CONFLICT
        if not _has_room(claim, storage_class, node, volumes):
            return NO_ROOM
        plan.provisions.add(_key(claim))
        if SELECTED_NODE not in annotations_of(claim):
            plan.claims[_key(claim)] = _selected(claim, node.name)
    return plan


def _has_room(claim: Object, storage_class: Object, node: NodeInfo, volumes: Volumes) -> bool:
    """Whether the driver says that it can make a volume so large for the node, if it says anything at all."""
    if not volumes.tells_capacity(string(storage_class, "provisioner")):
        return True
    size = requested(claim)
    for told in volumes.capacities_of(string(section(storage_class, "metadata"), "name")):
        limit = string(told, "maximumVolumeSize") or string(told, "capacity")
        topology: Object | None = told.get("nodeTopology")
        if not limit or topology is None or parse_quantity(limit) < size:
            continue
        if Selector.of(topology).matches(node.labels):
            return True
    return False


def _can_be_made_on(storage_class: Object, node: NodeInfo) -> bool:
    if string(storage_class, "provisioner") in ("", NO_PROVISIONER):
        return False
    terms = items(storage_class, "allowedTopologies")
    return not terms or any(
        all(
            node.labels.get(string(expression, "key")) in strings(expression, "values")
            for expression in items(term, "matchLabelExpressions")
        )
        for term in terms
    )


def reserved_for(volume: Object, claim: Object) -> Object:
    """The volume with a reference to the claim, as the binder writes it."""
    metadata, spec = section(claim, "metadata"), section(volume, "spec")
    reference: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        **{each: metadata.get(each) for each in ("namespace", "name", "uid", "resourceVersion")},
    }
    given = section(volume, "metadata")
    if not spec.get("claimRef"):
        given = {**given, "annotations": {**annotations_of(volume), BOUND_BY_CONTROLLER: "yes"}}
    return {**volume, "metadata": given, "spec": {**spec, "claimRef": reference}}


def _selected(claim: Object, node: str) -> Object:
    metadata = section(claim, "metadata")
    annotations = {**annotations_of(claim), SELECTED_NODE: node}
    return {**claim, "metadata": {**metadata, "annotations": annotations}}


def _key(claim: Object) -> ObjectKey:
    metadata = section(claim, "metadata")
    return ObjectKey(string(metadata, "namespace"), string(metadata, "name"))
