"""StatefulSets, DaemonSets and ReplicationControllers."""

from __future__ import annotations

from ktui.describe.fields import (
    label_selector,
    metadata_of,
    write_annotations,
    write_conditions,
    write_events,
    write_labels,
)
from ktui.describe.pod import write_pod_template
from ktui.describe.related import Related
from ktui.describe.text import NONE, Text
from ktui.describe.workloads import pods_status
from ktui.kube.data import items, mapping, section
from ktui.kube.resource import Object
from ktui.kube.selector import Selector


def describe_stateful_set(out: Text, obj: Object, related: Related) -> None:
    """Write a StatefulSet; `related.pods` are those it controls."""
    metadata, spec, status = metadata_of(obj), section(obj, "spec"), section(obj, "status")
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    out.field("CreationTimestamp", out.time(metadata.get("creationTimestamp")))
    out.field("Selector", label_selector(spec.get("selector")))
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    out.field("Replicas", f"{spec.get('replicas', 1)} desired | {status.get('replicas') or 0} total")
    strategy = section(spec, "updateStrategy")
    out.field("Update Strategy", strategy.get("type") or "")
    if "rollingUpdate" in strategy:
        rolling = section(strategy, "rollingUpdate")
        if "partition" in rolling:
            out.field("Partition", rolling["partition"], 1)
        if "maxUnavailable" in rolling:
            out.field("MaxUnavailable", rolling["maxUnavailable"], 1)
    out.field("Pods Status", pods_status(related.pods))
    write_pod_template(out, section(spec, "template"))
    _claims(out, items(spec, "volumeClaimTemplates"))
    write_events(out, related.events)


def _claims(out: Text, claims: list[Object]) -> None:
    if not claims:
        out.field("Volume Claims", NONE)
        return
    out.line("Volume Claims:")
    for claim in claims:
        metadata, spec = metadata_of(claim), section(claim, "spec")
        out.field("Name", metadata.get("name") or "", 1)
        out.field("StorageClass", spec.get("storageClassName") or "", 1)
        write_labels(out, "  Labels", metadata.get("labels"))
        write_annotations(out, "  Annotations", metadata.get("annotations"))
        out.field("Capacity", section(spec, "resources", "requests").get("storage") or "<default>", 1)
        out.field("Access Modes", f"[{' '.join(spec.get('accessModes') or ())}]", 1)


def describe_daemon_set(out: Text, obj: Object, related: Related) -> None:
    """Write a DaemonSet; `related.pods` are those it controls."""
    metadata, spec, status = metadata_of(obj), section(obj, "spec"), section(obj, "status")
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    out.field("Selector", label_selector(spec.get("selector")))
    nodes = mapping(section(spec, "template", "spec"), "nodeSelector")
    out.field("Node-Selector", str(Selector.of_labels(nodes)) or NONE)
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    for what, field in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ):
        out.line(f"{what}: {status.get(field) or 0}")
    out.field("Pods Status", pods_status(related.pods))
    write_pod_template(out, section(spec, "template"))
    write_events(out, related.events)


def describe_replication_controller(out: Text, obj: Object, related: Related) -> None:
    """Write a ReplicationController; `related.pods` are those it controls."""
    metadata, spec, status = metadata_of(obj), section(obj, "spec"), section(obj, "status")
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    out.field("Selector", str(Selector.of_labels(mapping(spec, "selector"))) or NONE)
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    out.field("Replicas", f"{status.get('replicas') or 0} current / {spec.get('replicas', 1)} desired")
    out.field("Pods Status", pods_status(related.pods))
    write_pod_template(out, section(spec, "template"))
    write_conditions(out, status.get("conditions"))
    write_events(out, related.events)
