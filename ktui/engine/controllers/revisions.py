"""A Deployment's ReplicaSets as its revisions: which one is new, their numbers, annotations and names.

Pure functions. The new ReplicaSet is the oldest one whose template equals the Deployment's; its revision is one
more than the highest of the others, so that going back to an old template gives it a new number and keeps the
old one in its history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lightkube.models.apps_v1 import Deployment, ReplicaSet

from ktui.engine.controllers.objects import (
    annotations_of,
    created_at,
    is_deleting,
    meta,
    name_of,
    namespace_of,
    plain,
)
from ktui.engine.controllers.ownership import controller_reference
from ktui.kube.kinds import DEPLOYMENTS
from ktui.kube.names import hash_name
from ktui.kube.resource import Object

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
POD_TEMPLATE_HASH = "pod-template-hash"

_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)


def template_of(owner: Any) -> Object:
    """The pod template as data, without what tells ReplicaSets apart (the hash) or means nothing (empties)."""
    template: Object = plain(owner.spec.template)
    metadata: Object = template.get("metadata") or {}
    found: Object = metadata.get("labels") or {}
    labels = {name: text for name, text in found.items() if name != POD_TEMPLATE_HASH}
    kept: Object = {**metadata, "labels": labels}
    return {**template, "metadata": {name: value for name, value in kept.items() if value}}


def template_hash(deployment: Deployment) -> str:
    """The `pod-template-hash` of the Deployment's template; collisionCount makes it a different one."""
    count = deployment.status.collisionCount if deployment.status else None
    return hash_name(template_of(deployment), count)


def by_age(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Oldest first."""
    return sorted(replica_sets, key=lambda each: (created_at(each), name_of(each)))


def find_new(deployment: Deployment, replica_sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The ReplicaSet that runs the Deployment's template; the oldest, should there be several."""
    template = template_of(deployment)
    return next((each for each in by_age(replica_sets) if template_of(each) == template), None)


def revision_of(obj: Any) -> int:
    """The revision annotation; 0 when it is missing or not a number."""
    text = annotations_of(obj).get(REVISION, "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def next_revision(old: Iterable[ReplicaSet]) -> int:
    return max(map(revision_of, old), default=0) + 1


def new_annotations(deployment: Deployment, current: dict[str, str], revision: int) -> dict[str, str]:
    """The new ReplicaSet's annotations: those of the Deployment, its revision, and those it had before."""
    annotations = dict(current)
    for name, text in annotations_of(deployment).items():
        if name not in _NOT_COPIED:
            annotations[name] = text
    text = current.get(REVISION, "")
    before = int(text) if text.isascii() and text.isdigit() else 0
    if before < revision:
        annotations[REVISION] = str(revision)
        if text:
            history = annotations.get(REVISION_HISTORY, "")
            annotations[REVISION_HISTORY] = f"{history},{text}" if history else text
    return annotations


def replica_annotations(desired: int, most: int) -> dict[str, str]:
    """What a ReplicaSet remembers of the Deployment's size, to tell scaling from rolling."""
    return {DESIRED_REPLICAS: str(desired), MAX_REPLICAS: str(most)}


def number_in(obj: Any, annotation: str) -> int | None:
    """An annotation's number; None when there is none."""
    text = annotations_of(obj).get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else None


def new_replica_set(
    deployment: Deployment, hash_label: str, replicas: int, annotations: dict[str, str]
) -> Object:
    """The ReplicaSet to create for the Deployment's template."""
    assert deployment.spec is not None
    template: Object = plain(deployment.spec.template)
    template_metadata: Object = template.get("metadata") or {}
    labels: dict[str, str] = {**(template_metadata.get("labels") or {}), POD_TEMPLATE_HASH: hash_label}
    selector: Object = plain(deployment.spec.selector)
    match_labels: dict[str, str] = selector.get("matchLabels") or {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{hash_label}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [plain(controller_reference(deployment, DEPLOYMENTS))],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": deployment.spec.minReadySeconds or 0,
            "selector": {**selector, "matchLabels": {**match_labels, POD_TEMPLATE_HASH: hash_label}},
            "template": {**template, "metadata": {**template_metadata, "labels": labels}},
        },
    }


def to_clean_up(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Old ReplicaSets beyond revisionHistoryLimit, lowest revision first; only empty ones are given."""
    limit = deployment.spec.revisionHistoryLimit if deployment.spec else None
    if limit is None or limit == 2**31 - 1:
        return []
    alive = [each for each in old if not is_deleting(each)]
    excess = len(alive) - limit
    if excess <= 0:
        return []
    oldest = sorted(alive, key=lambda each: (revision_of(each), created_at(each)))[:excess]
    return [each for each in oldest if _is_empty(each)]


def _is_empty(replica_set: ReplicaSet) -> bool:
    status = replica_set.status
    observed = (status.observedGeneration if status else None) or 0
    return (
        (status is None or status.replicas == 0)
        and replica_set.spec.replicas == 0
        and (meta(replica_set).generation or 0) <= observed
    )
