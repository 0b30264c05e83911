"""What is done to pods through subresources: bound to a node, evicted, given ephemeral containers.

Pure functions from the stored pod and the request's body to the wanted pod.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ktui.client.base import DeleteOptions
from ktui.engine.api.documents import metadata_of
from ktui.engine.api.metadata import is_finished
from ktui.kube.data import section
from ktui.kube.errors import StatusError, bad_request, conflict
from ktui.kube.resource import Object, Resource

_BINDING = Resource("", "v1", "pods/binding", "Binding", True)


def body_of(body: object, kind: str) -> Object:
    """A subresource's body of the kind it has to be."""
    if not isinstance(body, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind})")
    obj = cast("Object", body)
    if obj.get("kind") not in (None, "", kind):
        raise bad_request(f"{obj.get('kind')} cannot be handled as a {kind}")
    if not isinstance(obj.get("metadata") or {}, dict):
        raise bad_request(f"{kind}.metadata must be an object")
    return obj


def target_of(binding: Object) -> str:
    """The node a `Binding` names."""
    target: Any = binding.get("target")
    if not isinstance(target, dict):
        raise bad_request("Binding.target: Required value")
    fields = cast("Object", target)
    if fields.get("kind") not in (None, "", "Node"):
        raise bad_request(
            f'target.kind: Unsupported value: "{fields.get("kind")}": supported values: "Node", "<empty>"'
        )
    name = fields.get("name")
    if not isinstance(name, str) or not name:
        raise bad_request("target.name: Required value")
    return name


def bound(pod: Object, binding: Object, node: str, now: str) -> Object:
    """The pod on its node, with the condition PodScheduled and no nomination; 409 if it cannot go there."""
    metadata, wanted = metadata_of(pod), metadata_of(binding)
    name = metadata["name"]
    spec: Object = pod.get("spec") or {}

    def refuse(message: str) -> StatusError:
        return conflict(_BINDING, name, message)

    if wanted.get("uid") and wanted["uid"] != metadata.get("uid"):
        raise refuse(
            f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {metadata.get('uid')}"
        )
    if metadata.get("deletionTimestamp"):
        raise refuse(f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise refuse(f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        raise refuse(f"pod {name} has non-empty .spec.schedulingGates")
    annotations: Any = wanted.get("annotations") or {}
    if annotations:
        if not isinstance(annotations, dict):
            raise bad_request("Binding.metadata.annotations must be an object of strings")
        added = cast("Object", annotations)
        metadata = {**metadata, "annotations": {**section(metadata, "annotations"), **added}}
    if labels := section(wanted, "labels"):
        metadata = {**metadata, "labels": {**section(metadata, "labels"), **labels}}
    condition = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    placed = _with_condition(pod, condition)
    status = {name: value for name, value in placed["status"].items() if name != "nominatedNodeName"}
    return {**placed, "metadata": metadata, "spec": {**spec, "nodeName": node}, "status": status}


def disrupted(pod: Object, now: str) -> Object:
    """The pod with the condition that tells its owner why it goes."""
    return _with_condition(
        pod,
        {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": now,
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        },
    )


def _with_condition(pod: Object, condition: Object) -> Object:
    status: Object = pod.get("status") or {}
    conditions: Sequence[Object] = status.get("conditions") or []
    others = [other for other in conditions if other.get("type") != condition["type"]]
    return {**pod, "status": {**status, "conditions": [*others, condition]}}


def goes_without_budget(pod: Object) -> bool:
    """Evicting it disrupts nothing: it has ended, waits for a node, or is being deleted."""
    status: Object = pod.get("status") or {}
    return (
        status.get("phase") in ("Succeeded", "Failed", "Pending")
        or bool(metadata_of(pod).get("deletionTimestamp"))
        or is_finished(pod)
    )


def eviction_options(eviction: Object) -> DeleteOptions:
    """The `DeleteOptions` an `Eviction` carries."""
    found: Any = eviction.get("deleteOptions") or {}
    if not isinstance(found, dict):
        raise bad_request("Eviction.deleteOptions must be an object")
    return delete_options(cast("Object", found))


def delete_options(body: Object) -> DeleteOptions:
    """`DeleteOptions` of meta/v1 as a body carries them; 400 for what is not."""
    preconditions: Any = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds")
    policy: Any = body.get("propagationPolicy") or ""
    if not isinstance(preconditions, dict):
        raise bad_request("DeleteOptions.preconditions must be an object")
    if grace is not None and type(grace) is not int:
        raise bad_request("DeleteOptions.gracePeriodSeconds must be a whole number")
    if policy not in ("", "Background", "Foreground", "Orphan"):
        raise bad_request(
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "{policy}": supported '
            'values: "Foreground", "Background", "Orphan", "nil"'
        )
    conditions = cast("Object", preconditions)
    return DeleteOptions(
        grace_period_seconds=grace,
        propagation_policy=policy,
        uid=str(conditions.get("uid") or ""),
        resource_version=str(conditions.get("resourceVersion") or ""),
        dry_run=bool(body.get("dryRun")),
    )
