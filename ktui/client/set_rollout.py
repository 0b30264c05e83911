"""Rollouts of StatefulSets and DaemonSets: kubectl's words on them, and their revisions.

In: the set, ControllerRevisions and pods as JSON data. Out: messages and revisions; all pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ktui.kube.data import items, mapping, section, string
from ktui.kube.resource import Object

CHANGE_CAUSE = "kubernetes.io/change-cause"
NOT_ROLLING = "rollout status is only available for RollingUpdate strategy type"
"""What is said of a set whose pods are replaced only as they are deleted."""
_HASH = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class Revision:
    """One past or present template of a workload: `name` is the object that keeps it, `template` what its pods are
    made from, without what a controller added."""

    number: int
    name: str
    change_cause: str
    created: str
    replicas: int
    ready: int
    template: Object
    annotations: Object
    current: bool


def daemon_set_status(daemon_set: Object) -> tuple[str, bool]:
    """How a DaemonSet's rollout goes, and whether it is done."""
    if not _rolls(daemon_set):
        return NOT_ROLLING, False
    status, name = section(daemon_set, "status"), string(section(daemon_set, "metadata"), "name")
    if not _observed(daemon_set):
        return "Waiting for daemon set spec update to be observed...", False
    desired = _count(status, "desiredNumberScheduled")
    updated = _count(status, "updatedNumberScheduled")
    available = _count(status, "numberAvailable")
    waiting = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < desired:
        return f"{waiting}{updated} out of {desired} new pods have been updated...", False
    if available < desired:
        return f"{waiting}{available} of {desired} updated pods are available...", False
    return f'daemon set "{name}" successfully rolled out', True


def stateful_set_status(stateful_set: Object) -> tuple[str, bool]:
    """How a StatefulSet's rollout goes, and whether it is done."""
    if not _rolls(stateful_set):
        return NOT_ROLLING, False
    spec, status = section(stateful_set, "spec"), section(stateful_set, "status")
    if not _observed(stateful_set):
        return "Waiting for statefulset spec update to be observed...", False
    replicas = int(spec.get("replicas", 1))
    ready, updated = _count(status, "readyReplicas"), _count(status, "updatedReplicas")
    if ready < replicas:
        return f"Waiting for {replicas - ready} pods to be ready...", False
    if "rollingUpdate" in section(spec, "updateStrategy"):
        # The API defaults it, so this is what kubectl says of nearly all.
        partition = _count(section(spec, "updateStrategy", "rollingUpdate"), "partition")
        if updated < replicas - partition:
            progress = f"{updated} out of {replicas - partition} new pods have been updated..."
            return f"Waiting for partitioned roll out to finish: {progress}", False
        return f"partitioned roll out complete: {updated} new pods have been updated...", True
    new, current = string(status, "updateRevision"), string(status, "currentRevision")
    if new != current:
        progress = f"{updated} pods at revision {new}..."
        return f"waiting for statefulset rolling update to complete {progress}", False
    return (
        f"statefulset rolling update complete {_count(status, 'currentReplicas')} pods at revision {current}...",
        True,
    )


def set_revisions(owner: Object, revisions: Iterable[Object], pods: Iterable[Object]) -> list[Revision]:
    """The revisions that belong to a set, newest first, with the pods of each."""
    uid = string(section(owner, "metadata"), "uid")
    own_pods = [pod for pod in pods if _is_owned(pod, uid)]
    owned = sorted(
        (each for each in revisions if _is_owned(each, uid)), key=lambda each: -_count(each, "revision")
    )
    return [_revision(each, own_pods, current=index == 0) for index, each in enumerate(owned)]


def _revision(revision: Object, pods: Sequence[Object], *, current: bool) -> Revision:
    metadata = section(revision, "metadata")
    name = string(metadata, "name")
    # A StatefulSet's pods carry the revision's name, a DaemonSet's its hash.
    marks = {name, mapping(metadata, "labels").get(_HASH)}
    own = [pod for pod in pods if mapping(section(pod, "metadata"), "labels").get(_HASH) in marks]
    template = section(revision, "data", "spec", "template")
    annotations = mapping(metadata, "annotations")
    return Revision(
        _count(revision, "revision"),
        name,
        annotations.get(CHANGE_CAUSE, ""),
        string(metadata, "creationTimestamp"),
        len(own),
        sum(_is_ready(pod) for pod in own),
        {key: value for key, value in template.items() if key != "$patch"},
        annotations,
        current,
    )


def _is_owned(obj: Object, uid: str) -> bool:
    owners = items(section(obj, "metadata"), "ownerReferences")
    return any(each.get("uid") == uid and each.get("controller") for each in owners)


def _is_ready(pod: Object) -> bool:
    conditions = items(section(pod, "status"), "conditions")
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _rolls(owner: Object) -> bool:
    return section(owner, "spec", "updateStrategy").get("type") in (None, "RollingUpdate")


def _observed(owner: Object) -> bool:
    generation = _count(section(owner, "metadata"), "generation")
    return 0 < generation <= _count(section(owner, "status"), "observedGeneration")


def _count(obj: Object, field: str) -> int:
    return int(obj.get(field) or 0)
