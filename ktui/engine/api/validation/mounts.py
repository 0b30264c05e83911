"""Rules for what a container mounts: volumes that exist, at paths of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ktui.engine.api.validation.fields import forbidden, invalid, not_found, required, unsupported
from ktui.engine.api.validation.paths import descending, no_backsteps
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

Volumes = Mapping[str, Object]
"""A pod's sound volumes by name."""

_PROPAGATIONS: Final = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE: Final = ("Disabled", "Enabled", "IfPossible")


def check_mounts(container: Object, path: str, volumes: Volumes) -> list[Cause]:
    """`volumeMounts` and `volumeDevices`."""
    mounts, devices = items(container, "volumeMounts"), items(container, "volumeDevices")
    causes: list[Cause] = []
    mounted: set[str] = set()
    device_names = {string(device, "name") for device in devices}
    device_paths = {string(device, "devicePath") for device in devices}
    for index, mount in enumerate(mounts):
        at = f"{path}.volumeMounts[{index}]"
        name, where = string(mount, "name"), string(mount, "mountPath")
        if not name:
            causes.append(required(f"{at}.name"))
        if name not in volumes:
            causes.append(not_found(f"{at}.name", name))
        if not where:
            causes.append(required(f"{at}.mountPath"))
        if where in mounted:
            causes.append(invalid(f"{at}.mountPath", where, "must be unique"))
        mounted.add(where)
        if name in device_names:
            causes.append(invalid(f"{at}.name", name, "must not already exist in volumeDevices"))
        if where in device_paths:
            causes.append(
                invalid(f"{at}.mountPath", where, "must not already exist as a path in volumeDevices")
            )
        causes += _sub_path(mount, at) + _propagation(mount, container, at)
    return causes + _devices(devices, mounts, f"{path}.volumeDevices", volumes)


def _sub_path(mount: Object, at: str) -> list[Cause]:
    plain, expression = string(mount, "subPath"), string(mount, "subPathExpr")
    causes = descending(plain, f"{at}.subPath") if plain else []
    if expression:
        if plain:
            causes.append(
                invalid(f"{at}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive")
            )
        causes += descending(expression, f"{at}.subPathExpr")
    return causes


def _propagation(mount: Object, container: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    mode = string(mount, "mountPropagation")
    path = f"{at}.mountPropagation"
    if mode and mode not in _PROPAGATIONS:
        causes.append(unsupported(path, mode, _PROPAGATIONS))
    if mode == "Bidirectional" and not section(container, "securityContext").get("privileged"):
        causes.append(
            forbidden(path, "Bidirectional mount propagation is available only to privileged containers")
        )
    recursive = string(mount, "recursiveReadOnly")
    path = f"{at}.recursiveReadOnly"
    if recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            causes.append(forbidden(path, "may only be specified when readOnly is true"))
        if mode not in ("", "None"):
            causes.append(
                forbidden(path, "may only be specified when mountPropagation is None or not specified")
            )
    elif recursive not in ("", "Disabled"):
        causes.append(unsupported(path, recursive, _RECURSIVE))
    return causes


def _devices(devices: list[Object], mounts: list[Object], path: str, volumes: Volumes) -> list[Cause]:
    causes: list[Cause] = []
    used: set[str] = set()
    used_paths: set[str] = set()
    mount_names = {string(mount, "name") for mount in mounts}
    mount_paths = {string(mount, "mountPath") for mount in mounts}
    for index, device in enumerate(devices):
        at = f"{path}[{index}]"
        name, where = string(device, "name"), string(device, "devicePath")
        if not name:
            causes.append(required(f"{at}.name"))
        if name in used:
            causes.append(invalid(f"{at}.name", name, "must be unique"))
        if name not in volumes:
            causes.append(not_found(f"{at}.name", name))
        elif not {"persistentVolumeClaim", "ephemeral"} & volumes[name].keys():
            causes.append(
                invalid(
                    f"{at}.name",
                    name,
                    "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
                )
            )
        if not where:
            causes.append(required(f"{at}.devicePath"))
        if where in used_paths:
            causes.append(invalid(f"{at}.devicePath", where, "must be unique"))
        if no_backsteps(where, at):
            causes.append(invalid(f"{at}.devicePath", where, "can not contain backsteps ('..')"))
        used_paths.add(where)
        if name in mount_names:
            causes.append(invalid(f"{at}.name", name, "must not already exist in volumeMounts"))
        if where in mount_paths:
            causes.append(
                invalid(f"{at}.devicePath", where, "must not already exist as a path in volumeMounts")
            )
        used.add(name)
    return causes
