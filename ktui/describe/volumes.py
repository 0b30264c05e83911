"""Volumes of a pod or of a pod template, each with where its data comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ktui.describe.generic import go_value
from ktui.describe.storage import write_claim
from ktui.describe.text import NONE, UNSET, Text
from ktui.kube.data import section
from ktui.kube.quantity import canonical
from ktui.kube.resource import Object

_Rows = Iterator[tuple[str, object]]


def write_volumes(out: Text, volumes: Sequence[Object] | None, indent: str = "") -> None:
    """`indent` is two spaces inside a template, where kubectl moves only the names."""
    out.line(f"{indent}Volumes:" if volumes else f"{indent}Volumes:\t{NONE}")
    for volume in volumes or ():
        out.line(f"{' ' if indent else ''}{volume.get('name')}:", 1)
        source = next((name for name in volume if name in _SOURCES), "")
        if not source:
            out.line("<unknown>", 1)
            continue
        kind, rows = _SOURCES[source]
        out.field("Type", kind, 2)
        for label, value in rows(volume[source] or {}):
            out.field(label, value, 2)
        template = section(volume, "ephemeral", "volumeClaimTemplate")
        if template:
            write_claim(out, template, is_template=True)
        if source == "downwardAPI":
            _write_items(out, (volume[source] or {}).get("items") or ())


def _write_items(out: Text, items: Sequence[Object]) -> None:
    out.line("Items:", 2)
    for item in items:
        field: Object = item.get("fieldRef") or {}
        resource: Object = item.get("resourceFieldRef") or {}
        out.line(f"{field.get('fieldPath') or resource.get('resource')} -> {item.get('path')}", 3)


def _host_path(source: Object) -> _Rows:
    yield "Path", source.get("path") or ""
    yield "HostPathType", NONE if source.get("type") is None else source["type"]


def _empty_dir(source: Object) -> _Rows:
    yield "Medium", source.get("medium") or ""
    yield "SizeLimit", canonical(source["sizeLimit"]) if source.get("sizeLimit") else UNSET


def _secret(source: Object) -> _Rows:
    yield "SecretName", source.get("secretName") or ""
    yield "Optional", go_value(bool(source.get("optional")))


def _config_map(source: Object) -> _Rows:
    yield "Name", source.get("name") or ""
    yield "Optional", go_value(bool(source.get("optional")))


def _projected(source: Object) -> _Rows:
    for part in source.get("sources") or ():
        if (secret := part.get("secret")) is not None:
            yield "SecretName", secret.get("name") or ""
            yield "Optional", go_value(bool(secret.get("optional")))
        elif part.get("downwardAPI") is not None:
            yield "DownwardAPI", "true"
        elif (config_map := part.get("configMap")) is not None:
            yield "ConfigMapName", config_map.get("name") or ""
            yield "Optional", go_value(bool(config_map.get("optional")))
        elif (token := part.get("serviceAccountToken")) is not None:
            yield "TokenExpirationSeconds", token.get("expirationSeconds") or 3600


def _nothing(source: Object) -> _Rows:
    yield from ()


def _claim(source: Object) -> _Rows:
    yield "ClaimName", source.get("claimName") or ""
    yield "ReadOnly", go_value(bool(source.get("readOnly")))


def _nfs(source: Object) -> _Rows:
    yield "Server", source.get("server") or ""
    yield "Path", source.get("path") or ""
    yield "ReadOnly", go_value(bool(source.get("readOnly")))


def _image(source: Object) -> _Rows:
    yield "Reference", source.get("reference") or ""
    yield "PullPolicy", source.get("pullPolicy") or ""


def _csi(source: Object) -> _Rows:
    yield "Driver", source.get("driver") or ""
    yield "FSType", source.get("fsType") or ""
    yield "ReadOnly", go_value(bool(source.get("readOnly")))


_SOURCES: Final[Mapping[str, tuple[str, Callable[[Object], _Rows]]]] = {
    "hostPath": ("HostPath (bare host directory volume)", _host_path),
    "emptyDir": ("EmptyDir (a temporary directory that shares a pod's lifetime)", _empty_dir),
    "secret": ("Secret (a volume populated by a Secret)", _secret),
    "configMap": ("ConfigMap (a volume populated by a ConfigMap)", _config_map),
    "projected": ("Projected (a volume that contains injected data from multiple sources)", _projected),
    "downwardAPI": ("DownwardAPI (a volume populated by information about the pod)", _nothing),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        _claim,
    ),
    "ephemeral": (
        "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
        _nothing,
    ),
    "nfs": ("NFS (an NFS mount that lasts the lifetime of a pod)", _nfs),
    "image": ("Image (a container image or OCI artifact)", _image),
    "csi": ("CSI (a Container Storage Interface (CSI) volume source)", _csi),
}
