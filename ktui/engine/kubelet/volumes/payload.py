"""The files of a volume made of API data: which key goes where, with which mode. Pure.

ConfigMap, Secret, downward API and projected volumes all come down to a `Payload`, which the atomic writer puts
on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightkube.models.core_v1 import DownwardAPIVolumeFile, KeyToPath

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.environment import ConfigError, pod_field
from ktui.engine.kubelet.resources import resource_field
from ktui.engine.kubelet.volumes.base import VolumeContext, VolumeError

DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class FileEntry:
    data: bytes
    mode: int
    uid: int | None = None


Payload = dict[str, FileEntry]
"""Files by path relative to the volume."""


def from_object(
    kind: str,
    name: str,
    data: Mapping[str, bytes] | None,
    items: Sequence[KeyToPath] | None,
    *,
    default_mode: int | None,
    optional: bool,
) -> Payload:
    """A ConfigMap's or Secret's keys as files; `kind` is `configmap` or `secret`."""
    mode = DEFAULT_MODE if default_mode is None else default_mode
    if data is None:
        if optional:
            return {}
        raise VolumeError(f'{kind} "{name}" not found')
    if not items:
        return {key: FileEntry(value, mode) for key, value in data.items()}
    payload: Payload = {}
    for item in items:
        if item.key not in data:
            if optional:
                continue
            word = "config" if kind == "configmap" else "secret"
            raise VolumeError(f"references non-existent {word} key: {item.key}")
        payload[checked_path(item.path)] = FileEntry(data[item.key], mode if item.mode is None else item.mode)
    return payload


def from_downward_api(
    items: Sequence[DownwardAPIVolumeFile], context: VolumeContext, default_mode: int | None
) -> Payload:
    """Fields and resources of the pod as files."""
    mode = DEFAULT_MODE if default_mode is None else default_mode
    payload: Payload = {}
    for item in items:
        try:
            if item.fieldRef is not None:
                text = pod_field(context.pod, item.fieldRef.fieldPath, context.facts)
            elif item.resourceFieldRef is not None:
                reference = item.resourceFieldRef
                container = pods.find_container(context.pod, reference.containerName or "")
                if container is None:
                    raise VolumeError(f"container {reference.containerName} not found")
                text = resource_field(
                    container, reference.resource, reference.divisor, context.facts.allocatable
                )
            else:
                continue
        except ConfigError as error:
            raise VolumeError(str(error)) from error
        payload[checked_path(item.path)] = FileEntry(
            text.encode("utf-8", "surrogateescape"), mode if item.mode is None else item.mode
        )
    return payload


def checked_path(path: str) -> str:
    """A path inside a volume, or VolumeError when it would lead out of it."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or parts[0].startswith("..") or not path:
        raise VolumeError(f"invalid path: {path!r} must be relative and must not contain '..'")
    return "/".join(part for part in parts if part not in ("", "."))
