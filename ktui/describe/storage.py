"""PersistentVolumes, their claims and StorageClasses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ktui.describe.fields import metadata_of, write_annotations, write_events, write_labels, write_listed
from ktui.describe.generic import go_value
from ktui.describe.related import Related
from ktui.describe.text import NONE, UNSET, Text
from ktui.kube.age import age
from ktui.kube.data import items, mapping, section, string, strings
from ktui.kube.quantity import canonical
from ktui.kube.resource import Object
from ktui.kube.storage import class_of, is_default_class, short_modes, storage_of

_Rows = Iterator[tuple[str, object]]
_WIDEST_ATTRIBUTE: Final = 140


def describe_persistent_volume(out: Text, obj: Object, related: Related) -> None:
    """Write a PersistentVolume."""
    metadata, spec = metadata_of(obj), section(obj, "spec")
    claim = section(spec, "claimRef")
    out.field("Name", metadata.get("name") or "")
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    out.field("Finalizers", go_value(strings(metadata, "finalizers")))
    out.field("StorageClass", class_of(obj) or "")
    out.field("Status", _status(out, obj))
    out.field("Claim", f"{string(claim, 'namespace')}/{string(claim, 'name')}" if claim else "")
    out.field("Reclaim Policy", string(spec, "persistentVolumeReclaimPolicy"))
    out.field("Access Modes", short_modes(strings(spec, "accessModes")))
    if spec.get("volumeMode"):
        out.field("VolumeMode", spec["volumeMode"])
    out.field("Capacity", _storage(section(spec, "capacity")) or "0")
    _write_node_affinity(out, section(spec, "nodeAffinity").get("required"))
    out.field("Message", string(section(obj, "status"), "message"))
    out.line("Source:")
    _write_source(out, spec)
    write_events(out, related.events)


def describe_persistent_volume_claim(out: Text, obj: Object, related: Related) -> None:
    """Write a PersistentVolumeClaim and which pods use it."""
    out.field("Name", metadata_of(obj).get("name") or "")
    out.field("Namespace", metadata_of(obj).get("namespace") or "")
    write_claim(out, obj)
    if related.pods is not None:
        names = sorted(string(metadata_of(pod), "name") for pod in related.pods)
        write_listed(out, "Used By", names)
    conditions = items(section(obj, "status"), "conditions")
    if conditions:
        out.line("Conditions:")
        out.row("Type", "Status", "LastProbeTime", "LastTransitionTime", "Reason", "Message", level=1)
        out.row("----", "------", "-----------------", "------------------", "------", "-------", level=1)
    for condition in conditions:
        out.row(
            f"{string(condition, 'type')} ",
            f"{string(condition, 'status')} ",
            f"{out.time(condition.get('lastProbeTime'))} ",
            f"{out.time(condition.get('lastTransitionTime'))} ",
            f"{string(condition, 'reason')} ",
            string(condition, "message"),
            level=1,
        )
    write_events(out, related.events)


def write_claim(out: Text, claim: Object, *, is_template: bool = False) -> None:
    """What claims and their templates in pods have in common."""
    metadata, spec, status = metadata_of(claim), section(claim, "spec"), section(claim, "status")
    level = 2 if is_template else 0
    out.field("StorageClass", class_of(claim) or "", level)
    if not is_template:
        out.field("Status", _status(out, claim))
    out.field("Volume", string(spec, "volumeName"), level)
    if is_template:
        labels, annotations = mapping(metadata, "labels"), mapping(metadata, "annotations")
        _write_nested(out, "Labels", [f"{key}={value}" for key, value in sorted(labels.items())])
        _write_nested(out, "Annotations", [f"{key}: {value}" for key, value in sorted(annotations.items())])
    else:
        write_labels(out, "Labels", metadata.get("labels"))
        write_annotations(out, "Annotations", metadata.get("annotations"))
        out.field("Finalizers", go_value(strings(metadata, "finalizers")))
    is_given = bool(spec.get("volumeName"))
    capacity = (_storage(section(status, "capacity")) or "0") if is_given else ""
    out.field("Capacity", capacity, level)
    out.field("Access Modes", short_modes(strings(status, "accessModes")) if is_given else "", level)
    if spec.get("volumeMode"):
        out.field("VolumeMode", spec["volumeMode"], level)
    source = section(spec, "dataSource")
    if source:
        out.line("DataSource:", level)
        for label, field in (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name")):
            if field != "apiGroup" or source.get(field) is not None:
                out.field(label, string(source, field), level + 1)


def _write_nested(out: Text, title: str, values: Sequence[str]) -> None:
    """Inside a pod kubectl indents these values as well as their title."""
    write_listed(out, f"    {title}", [f"    {value}" for value in values or (NONE,)], "    ")


def describe_storage_class(out: Text, obj: Object, related: Related) -> None:
    """Write a StorageClass."""
    expands, options = obj.get("allowVolumeExpansion"), strings(obj, "mountOptions")
    out.field("Name", metadata_of(obj).get("name") or "")
    out.field("IsDefaultClass", "Yes" if is_default_class(obj) else "No")
    out.field("Annotations", _on_one_line(mapping(metadata_of(obj), "annotations")))
    out.field("Provisioner", string(obj, "provisioner"))
    out.field("Parameters", _on_one_line(mapping(obj, "parameters")))
    out.field("AllowVolumeExpansion", UNSET if expands is None else str(bool(expands)))
    if options:
        out.line("MountOptions:")
        for option in options:
            out.line(option, 1)
    else:
        out.field("MountOptions", NONE)
    for label, field in (("ReclaimPolicy", "reclaimPolicy"), ("VolumeBindingMode", "volumeBindingMode")):
        if obj.get(field) is not None:
            out.field(label, string(obj, field))
    if obj.get("allowedTopologies") is not None:
        terms = items(obj, "allowedTopologies")
        out.field("AllowedTopologies", "" if terms else NONE)
        for i, term in enumerate(terms):
            asked = [_expression(each, "in") for each in items(term, "matchLabelExpressions")]
            _write_term(out, f"Term {i}", asked, 1)
    write_events(out, related.events)


def _status(out: Text, obj: Object) -> str:
    deleted = metadata_of(obj).get("deletionTimestamp")
    if deleted:
        return f"Terminating (lasts {age(deleted, out.now)})"
    return string(section(obj, "status"), "phase")


def _storage(amounts: Object) -> str:
    found = storage_of(amounts)
    return canonical(found) if found else ""


def _on_one_line(values: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(values.items())) or NONE


def _write_node_affinity(out: Text, required: Object | None) -> None:
    if required is None:
        out.field("Node Affinity", NONE)
        return
    terms = items(required, "nodeSelectorTerms")
    out.field("Node Affinity", "")
    out.field("Required Terms", "" if terms else NONE, 1)
    for i, term in enumerate(terms):
        asked = [
            _expression(each, string(each, "operator").lower()) for each in items(term, "matchExpressions")
        ]
        _write_term(out, f"Term {i}", asked, 2)


def _write_term(out: Text, title: str, expressions: Sequence[str], level: int) -> None:
    lead = f"{title}:"
    for expression in expressions or (NONE,):
        out.row(lead, expression, level=level)
        lead = ""


def _expression(expression: Object, operator: str) -> str:
    values = strings(expression, "values")
    text = f"{string(expression, 'key')} {operator}"
    return f"{text} [{', '.join(values)}]" if values else text


def _write_source(out: Text, spec: Object) -> None:
    field = next((name for name in _SOURCES if spec.get(name) is not None), "")
    if not field:
        out.line("<unknown>", 1)
        return
    kind, rows = _SOURCES[field]
    source = section(spec, field)
    out.field("Type", kind, 2)
    for label, value in rows(source):
        out.field(label, value, 2)
    if field == "csi":
        _write_attributes(out, mapping(source, "volumeAttributes"))


def _write_attributes(out: Text, attributes: Mapping[str, str]) -> None:
    """Kubectl indents what follows the first one twice, before and behind the tab."""
    lead = "VolumeAttributes:\t"
    for key, value in sorted(attributes.items()):
        line = f"{key}={value}"
        shown = line if len(line) <= _WIDEST_ATTRIBUTE else f"{line[:_WIDEST_ATTRIBUTE]}..."
        out.line(f"{lead}    {shown}", 2)
        lead = "    \t"
    if not attributes:
        out.line(f"{lead}{NONE}", 2)


def _host_path(source: Object) -> _Rows:
    yield "Path", string(source, "path")
    yield "HostPathType", NONE if source.get("type") is None else source["type"]


def _local(source: Object) -> _Rows:
    yield "Path", string(source, "path")


def _nfs(source: Object) -> _Rows:
    yield "Server", string(source, "server")
    yield "Path", string(source, "path")
    yield "ReadOnly", go_value(bool(source.get("readOnly")))


def _csi(source: Object) -> _Rows:
    yield "Driver", string(source, "driver")
    yield "FSType", string(source, "fsType")
    yield "VolumeHandle", string(source, "volumeHandle")
    yield "ReadOnly", go_value(bool(source.get("readOnly")))


def _fibre_channel(source: Object) -> _Rows:
    yield "TargetWWNs", ", ".join(strings(source, "targetWWNs"))
    yield "LUN", NONE if source.get("lun") is None else source["lun"]
    yield "FSType", string(source, "fsType")
    yield "ReadOnly", go_value(bool(source.get("readOnly")))


_SOURCES: Final[Mapping[str, tuple[str, Callable[[Object], _Rows]]]] = {
    "hostPath": ("HostPath (bare host directory volume)", _host_path),
    "nfs": ("NFS (an NFS mount that lasts the lifetime of a pod)", _nfs),
    "local": ("LocalVolume (a persistent volume backed by local storage on a node)", _local),
    "fc": ("FC (a Fibre Channel disk)", _fibre_channel),
    "csi": ("CSI (a Container Storage Interface (CSI) volume source)", _csi),
}
