"""Rollouts as `kubectl rollout` knows them: status in words, revisions, restart, undo.

In: a Deployment with its ReplicaSets, or a StatefulSet or DaemonSet with its ControllerRevisions, as JSON data.
Out: messages, revisions and patches; pure but for `read_revisions`, which asks a client. Screens and commands
share it; what the sets say of theirs is in `set_rollout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ktui.client.base import Client
from ktui.client.set_rollout import (
    CHANGE_CAUSE,
    Revision,
    daemon_set_status,
    set_revisions,
    stateful_set_status,
)
from ktui.kube.clock import rfc3339
from ktui.kube.kinds import CONTROLLER_REVISIONS, PODS, REPLICA_SETS
from ktui.kube.resource import Object

REVISION = "deployment.kubernetes.io/revision"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_TEMPLATE_HASH = "pod-template-hash"
_KEPT_ANNOTATIONS = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
}
"""Annotations of a Deployment that an undo leaves as they are."""
_SET_STATUS = {"StatefulSet": stateful_set_status, "DaemonSet": daemon_set_status}


def rollout_status(workload: Object) -> tuple[str, bool]:
    """kubectl's line on how a rollout goes, and whether it is done."""
    return _SET_STATUS.get(str(workload.get("kind")), _deployment_status)(workload)


def _deployment_status(deployment: Object) -> tuple[str, bool]:
    metadata: Object = deployment.get("metadata") or {}
    spec: Object = deployment.get("spec") or {}
    status: Object = deployment.get("status") or {}
    name = metadata.get("name")
    if int(metadata.get("generation") or 0) > int(status.get("observedGeneration") or 0):
        return "Waiting for deployment spec update to be observed...", False
    conditions: list[Object] = status.get("conditions") or []
    if any(
        c.get("type") == "Progressing" and c.get("reason") == "ProgressDeadlineExceeded" for c in conditions
    ):
        return f'deployment "{name}" exceeded its progress deadline', False
    wanted = int(spec.get("replicas", 1))
    updated = int(status.get("updatedReplicas") or 0)
    total = int(status.get("replicas") or 0)
    available = int(status.get("availableReplicas") or 0)
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...", False
    if total > updated:
        return f"{waiting}{total - updated} old replicas are pending termination...", False
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...", False
    return f'deployment "{name}" successfully rolled out', True


def revisions_of(deployment: Object, replica_sets: Sequence[Object]) -> list[Revision]:
    """The revisions among `replica_sets` that belong to the Deployment, newest first."""
    own: Object = deployment.get("metadata") or {}
    own_annotations: Object = own.get("annotations") or {}
    uid, current = own.get("uid"), own_annotations.get(REVISION)
    found: list[Revision] = []
    for replica_set in replica_sets:
        metadata: Object = replica_set.get("metadata") or {}
        owners: list[Object] = metadata.get("ownerReferences") or []
        annotations: Object = metadata.get("annotations") or {}
        number = str(annotations.get(REVISION) or "")
        if not number.isdigit() or not any(o.get("uid") == uid and o.get("controller") for o in owners):
            continue
        status: Object = replica_set.get("status") or {}
        spec: Object = replica_set.get("spec") or {}
        found.append(
            Revision(
                int(number),
                str(metadata.get("name")),
                str(annotations.get(CHANGE_CAUSE) or ""),
                str(metadata.get("creationTimestamp") or ""),
                int(status.get("replicas") or 0),
                int(status.get("readyReplicas") or 0),
                without_hash(spec.get("template") or {}),
                annotations,
                number == current,
            )
        )
    return sorted(found, key=lambda revision: -revision.number)


async def read_revisions(client: Client, deployment: Object) -> list[Revision]:
    """The revisions of a workload, newest first."""
    metadata: Object = deployment.get("metadata") or {}
    if deployment.get("kind") in _SET_STATUS:
        namespace = str(metadata.get("namespace") or "")
        revisions = await client.list(CONTROLLER_REVISIONS, namespace)
        pods = await client.list(PODS, namespace)
        return set_revisions(deployment, revisions.items, pods.items)
    # Told apart by owner and not by a selector in the query: a changed label must not hide a revision.
    listing = await client.list(REPLICA_SETS, str(metadata.get("namespace") or ""))
    return revisions_of(deployment, listing.items)


def without_hash(template: Object) -> Object:
    """A pod template without the label that its ReplicaSet was given."""
    metadata: Object = template.get("metadata") or {}
    labels: Object = metadata.get("labels") or {}
    if _TEMPLATE_HASH not in labels:
        return template
    kept = {key: value for key, value in labels.items() if key != _TEMPLATE_HASH}
    return {**template, "metadata": {**metadata, "labels": kept}}


def undo_patch(deployment: Object, revision: Revision) -> list[Object]:
    """The JSON patch that goes back to a revision: its template and its annotations, the Deployment's own kept.

    The sets take back only the template, as kubectl has them do.
    """
    if deployment.get("kind") in _SET_STATUS:
        return [{"op": "replace", "path": "/spec/template", "value": revision.template}]
    metadata: Object = deployment.get("metadata") or {}
    own: Object = metadata.get("annotations") or {}
    annotations: dict[str, Any] = {k: v for k, v in own.items() if k in _KEPT_ANNOTATIONS}
    annotations |= {k: v for k, v in revision.annotations.items() if k not in _KEPT_ANNOTATIONS}
    return [
        {"op": "replace", "path": "/spec/template", "value": revision.template},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]


def restart_patch(now: datetime) -> Object:
    """The patch that makes a workload replace its pods, as `kubectl rollout restart` writes it."""
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: rfc3339(now)}}}}}
