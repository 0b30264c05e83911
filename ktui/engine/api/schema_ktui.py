"""The schema of ktui's own group, `ktui.dev/v1alpha1`: what the engine knows and Kubernetes has no kind for."""

from __future__ import annotations

from typing import Any, Final

MANIFEST_FILE: Final = "dev.ktui.v1alpha1.ManifestFile"
SCHEDULING_DECISION: Final = "dev.ktui.v1alpha1.SchedulingDecision"

_GROUP: Final = {"group": "ktui.dev", "version": "v1alpha1"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _whole(description: str) -> dict[str, Any]:
    return {"type": "integer", "format": "int64", "description": description}


def _list(name: str, description: str) -> dict[str, Any]:
    return {
        "type": "array",
        "items": _ref(name),
        "description": description,
        "x-kubernetes-list-type": "atomic",
    }


def _structure(description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "properties": properties}


def _open_structure(description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """Fields may be added without a change here: only ktui itself writes them."""
    return {**_structure(description, **properties), "x-kubernetes-preserve-unknown-fields": True}


def _kind(kind: str, description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        **_structure(
            description,
            apiVersion=_text("The version of this representation."),
            kind=_text("The kind of this object."),
            metadata=_ref("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
            **properties,
        ),
        "x-kubernetes-group-version-kind": [{**_GROUP, "kind": kind}],
    }


KTUI_DEFINITIONS: Final[dict[str, dict[str, Any]]] = {
    MANIFEST_FILE: _kind(
        "ManifestFile",
        "One file of the watched folder: what it brought into the cluster, its state and its error.",
        spec=_ref(f"{MANIFEST_FILE}Spec"),
        status=_ref(f"{MANIFEST_FILE}Status"),
    ),
    f"{MANIFEST_FILE}Spec": _structure(
        "Which file this is.",
        path=_text("The path of the file, relative to the watched folder; . is the folder itself."),
        folder=_text("The watched folder."),
    ),
    f"{MANIFEST_FILE}Status": _open_structure(
        "What became of the file at its last reading.",
        state=_text("Synced, Pending, Invalid, Failed, Drifted, Paused, or Deleted."),
        message=_text("The error, or what the file waits for."),
        appliedAt=_text("When all of its objects were last applied."),
        objects=_list(f"{MANIFEST_FILE}Object", "The objects the file brought."),
        problems=_list(f"{MANIFEST_FILE}Problem", "Every problem found in the file."),
    ),
    f"{MANIFEST_FILE}Object": _open_structure(
        "One object of a file.",
        apiVersion=_text("The object's group and version."),
        kind=_text("The object's kind."),
        namespace=_text("The object's namespace, empty for cluster-scoped kinds."),
        name=_text("The object's name."),
        uid=_text("The uid of the object that was applied."),
        digest=_text("A digest of what was applied."),
    ),
    f"{MANIFEST_FILE}Problem": _open_structure(
        "One problem of a file.",
        line=_whole("The line, counted from 1."),
        column=_whole("The column, counted from 1."),
        field=_text("The path of the field, as in spec.containers[0].image."),
        message=_text("What is wrong and what to do."),
    ),
    SCHEDULING_DECISION: {
        **_kind(
            "SchedulingDecision",
            "The scheduler's last recorded decision on a pod, per node and plugin.",
            pod=_ref("io.k8s.api.core.v1.ObjectReference"),
            result=_text("Scheduled, Unschedulable, or Error."),
            message=_text("The decision in one line, as in the pod's event."),
            nodeName=_text("The chosen node."),
            nominatedNodeName=_text("The node on which preemption makes room."),
            decidedTime={**_ref("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"), "description": "When."},
            attempts=_whole("How often the scheduler has tried."),
            durationMicroseconds=_whole("How long the decision took."),
            nodes=_list(f"{SCHEDULING_DECISION}Node", "The verdict on every node that was looked at."),
            events=_list(f"{SCHEDULING_DECISION}Wakeup", "What would make the scheduler try again."),
        ),
        "x-kubernetes-preserve-unknown-fields": True,
    },
    f"{SCHEDULING_DECISION}Node": _open_structure(
        "The verdict on one node.",
        name=_text("The node."),
        feasible={"type": "boolean", "description": "Whether every filter let the pod pass."},
        plugin=_text("The filter that refused the node."),
        reasons={"type": "array", "items": {"type": "string"}, "description": "Why it refused."},
        resolvable={"type": "boolean", "description": "Whether evicting pods could help."},
        score=_whole("The weighted total of the scores."),
        scores={
            "type": "object",
            "additionalProperties": {"type": "integer", "format": "int64"},
            "description": "The weighted score of each plugin.",
        },
    ),
    f"{SCHEDULING_DECISION}Wakeup": _open_structure(
        "A change in the cluster after which the pod is tried again.",
        resource=_text("The resource whose change counts."),
        action=_text("The change, as Add or Delete."),
    ),
}
"""Definitions by name, in the style of Kubernetes' own."""
