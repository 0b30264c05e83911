"""ReplicaSets and Deployments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ktui.describe.fields import (
    label_selector,
    metadata_of,
    write_annotations,
    write_conditions,
    write_controlled,
    write_events,
    write_labels,
)
from ktui.describe.pod import write_pod_template
from ktui.describe.related import Related
from ktui.describe.text import NONE, Text
from ktui.kube.resource import Object

_POD_TEMPLATE_HASH = "pod-template-hash"


def describe_replica_set(out: Text, obj: Object, related: Related) -> None:
    """Write a ReplicaSet; `related.pods` are those it controls."""
    spec: Object = obj.get("spec") or {}
    status: Object = obj.get("status") or {}
    write_controlled(out, obj)
    out.field("Replicas", f"{status.get('replicas') or 0} current / {_replicas(spec)} desired")
    out.field("Pods Status", pods_status(related.pods))
    write_pod_template(out, spec.get("template") or {})
    write_conditions(out, status.get("conditions"))
    write_events(out, related.events)


def describe_deployment(out: Text, obj: Object, related: Related) -> None:
    """Write a Deployment; `related.replica_sets` are those it controls."""
    metadata = metadata_of(obj)
    spec: Object = obj.get("spec") or {}
    status: Object = obj.get("status") or {}
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    out.field("CreationTimestamp", out.time(metadata.get("creationTimestamp")))
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    out.field("Selector", label_selector(spec.get("selector")))
    counts = (
        f"{_replicas(spec)} desired",
        *(
            f"{status.get(field) or 0} {word}"
            for field, word in (
                ("updatedReplicas", "updated"),
                ("replicas", "total"),
                ("availableReplicas", "available"),
                ("unavailableReplicas", "unavailable"),
            )
        ),
    )
    out.field("Replicas", " | ".join(counts))
    strategy: Object = spec.get("strategy") or {}
    out.field("StrategyType", strategy.get("type") or "")
    out.field("MinReadySeconds", spec.get("minReadySeconds") or 0)
    rolling: Object | None = strategy.get("rollingUpdate")
    if rolling is not None:
        out.field(
            "RollingUpdateStrategy",
            f"{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge",
        )
    write_pod_template(out, spec.get("template") or {})
    write_conditions(out, status.get("conditions"))
    if related.replica_sets is not None:
        new, old = split_replica_sets(spec.get("template") or {}, related.replica_sets)
        out.field("OldReplicaSets", _replica_sets(old))
        out.field("NewReplicaSet", _replica_sets([new] if new else []))
    write_events(out, related.events)


def pods_status(pods: Sequence[Object] | None) -> str:
    """How many pods are in which phase."""
    if pods is None:
        return "error in fetching pods"
    statuses: list[Object] = [pod.get("status") or {} for pod in pods]
    counts = Counter(status.get("phase") for status in statuses)
    return (
        f"{counts['Running']} Running / {counts['Pending']} Waiting"
        f" / {counts['Succeeded']} Succeeded / {counts['Failed']} Failed"
    )


def split_replica_sets(
    template: Object, replica_sets: Sequence[Object]
) -> tuple[Object | None, Sequence[Object]]:
    """The replica set with the deployment's template (the oldest of several), and the others by age."""
    ordered = sorted(replica_sets, key=_by_age)
    new = next((each for each in ordered if _has_template(each, template)), None)
    return new, [each for each in ordered if each is not new]


def _by_age(obj: Object) -> tuple[str, str]:
    metadata = metadata_of(obj)
    return str(metadata.get("creationTimestamp") or ""), str(metadata.get("name"))


def _has_template(replica_set: Object, template: Object) -> bool:
    """Whether the template is the same but for the hash label, which only the replica set's has."""
    spec: Object = replica_set.get("spec") or {}
    own: Object = spec.get("template") or {}
    return _without_hash(own) == _without_hash(template)


def _without_hash(template: Object) -> Object:
    metadata = metadata_of(template)
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != _POD_TEMPLATE_HASH}
    kept = {k: v for k, v in metadata.items() if k != "creationTimestamp" and v}
    return {**template, "metadata": {**kept, "labels": labels}}


def _replica_sets(replica_sets: Sequence[Object]) -> str:
    return ", ".join(_created(each) for each in replica_sets) or NONE


def _created(replica_set: Object) -> str:
    spec: Object = replica_set.get("spec") or {}
    status: Object = replica_set.get("status") or {}
    name = metadata_of(replica_set).get("name")
    return f"{name} ({status.get('replicas') or 0}/{_replicas(spec)} replicas created)"


def _replicas(spec: Object) -> int:
    replicas: int | None = spec.get("replicas")
    return 1 if replicas is None else replicas
