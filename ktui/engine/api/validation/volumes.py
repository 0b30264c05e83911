"""Rules for a pod's volumes: named, of exactly one kind, each kind with what it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ktui.engine.api.validation.fields import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
    unsupported,
)
from ktui.engine.api.validation.paths import descending, no_backsteps
from ktui.engine.api.validation.projections import (
    check_config_map_volume,
    check_downward_volume,
    check_projected_volume,
    check_secret_volume,
)
from ktui.kube import names
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object

_HOST_PATH_TYPES: Final = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)


class CheckedVolumes(NamedTuple):
    """The sound volumes by name, and what is wrong with the others."""

    sound: dict[str, Object]
    causes: list[Cause]


def check_volumes(spec: Object, path: str, pod_name: str = "") -> CheckedVolumes:
    """All volumes of a pod spec. `pod_name` is known for pods, not for templates."""
    sound: dict[str, Object] = {}
    causes: list[Cause] = []
    volumes = items(spec, "volumes")
    claims = (
        {f"{pod_name}-{string(v, 'name')}" for v in volumes if "ephemeral" in v} if pod_name else set[str]()
    )
    for index, volume in enumerate(volumes):
        at = f"{path}.volumes[{index}]"
        name = string(volume, "name")
        found = _source(volume, at, pod_name)
        found += each_invalid(f"{at}.name", name, names.dns_label(name)) if name else [required(f"{at}.name")]
        if name in sound:
            found.append(duplicate(f"{at}.name", name))
        if not found:
            sound[name] = volume
        causes += found
        claim = string(section(volume, "persistentVolumeClaim"), "claimName")
        if claim in claims:
            why = "must not reference a PVC that gets created for an ephemeral volume"
            causes.append(invalid(f"{at}.persistentVolumeClaim.claimName", claim, why))
    return CheckedVolumes(sound, causes)


def _source(volume: Object, path: str, pod_name: str) -> list[Cause]:
    kinds = [kind for kind in _KINDS if kind in volume]
    if not kinds:
        return [required(path, "must specify a volume type")]
    first, *others = kinds
    causes = _KINDS[first](volume[first], f"{path}.{first}")
    causes += [forbidden(f"{path}.{kind}", "may not specify more than 1 volume type") for kind in others]
    if first == "ephemeral" and pod_name and volume.get("name"):
        claim = f"{pod_name}-{volume['name']}"
        for problem in names.dns_subdomain(claim):
            causes.append(invalid(f"{path}.name", volume["name"], f'PVC name "{claim}": {problem}'))
    return causes


def check_source(kind: str, source: Object, path: str) -> list[Cause]:
    """One source of a volume, by the name of its kind."""
    check = _KINDS.get(kind)
    return check(source, path) if check else []


def _needs(*fields: str) -> Callable[[Object, str], list[Cause]]:
    """A kind of which only the presence of some fields is checked."""

    def check(source: Object, path: str) -> list[Cause]:
        return [required(f"{path}.{field}") for field in fields if not source.get(field)]

    return check


def _empty_dir(source: Object, path: str) -> list[Cause]:
    limit = source.get("sizeLimit")
    if limit is not None and parse_quantity(limit).nanos < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(source: Object, path: str) -> list[Cause]:
    where = string(source, "path")
    if not where:
        return [required(f"{path}.path")]
    causes = no_backsteps(where, f"{path}.path")
    if string(source, "type") not in _HOST_PATH_TYPES:
        causes.append(unsupported(f"{path}.type", source["type"], _HOST_PATH_TYPES))
    return causes


def _git_repo(source: Object, path: str) -> list[Cause]:
    return _needs("repository")(source, path) + descending(string(source, "directory"), f"{path}.directory")


def _nfs(source: Object, path: str) -> list[Cause]:
    causes = _needs("server", "path")(source, path)
    if not string(source, "path").startswith("/"):
        causes.append(invalid(f"{path}.path", string(source, "path"), "must be an absolute path"))
    return causes


def _iscsi(source: Object, path: str) -> list[Cause]:
    causes = _needs("targetPortal", "iqn")(source, path)
    iqn, lun = string(source, "iqn"), source.get("lun") or 0
    if iqn and not iqn.startswith(("iqn", "eui", "naa")):
        causes.append(invalid(f"{path}.iqn", iqn, "must be valid format starting with iqn, eui, or naa"))
    if not 0 <= lun <= 255:
        causes.append(invalid(f"{path}.lun", lun, names.not_between(0, 255)))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and "secretRef" not in source:
        causes.append(required(f"{path}.secretRef"))
    return causes


def _fibre_channel(source: Object, path: str) -> list[Cause]:
    targets, identifiers = source.get("targetWWNs"), source.get("wwids")
    if not targets and not identifiers:
        return [required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both")]
    if targets and identifiers:
        why = "targetWWNs and wwids can not be specified simultaneously"
        return [invalid(f"{path}.targetWWNs", targets, why)]
    if targets and "lun" not in source:
        return [required(f"{path}.lun", "lun is required if targetWWNs is specified")]
    return []


def _flex(source: Object, path: str) -> list[Cause]:
    causes = _needs("driver")(source, path)
    for key in section(source, "options"):
        if f".{key.partition('/')[0].lower()}".endswith((".kubernetes.io", ".k8s.io")):
            why = "kubernetes.io and k8s.io namespaces are reserved"
            causes.append(invalid(f"{path}.options[{key}]", key, why))
    return causes


def _flocker(source: Object, path: str) -> list[Cause]:
    name, uuid = string(source, "datasetName"), string(source, "datasetUUID")
    if not name and not uuid:
        return [required(path, "one of datasetName and datasetUUID is required")]
    if name and uuid:
        why = "datasetName and datasetUUID can not be specified simultaneously"
        return [invalid(path, "resource", why)]
    return []


def _csi(source: Object, path: str) -> list[Cause]:
    driver = string(source, "driver")
    causes = each_invalid(f"{path}.driver", driver, names.dns_subdomain(driver.lower())) if driver else []
    if not driver:
        causes.append(required(f"{path}.driver"))
    if "nodePublishSecretRef" in source and not section(source, "nodePublishSecretRef").get("name"):
        causes.append(required(f"{path}.nodePublishSecretRef.name"))
    return causes


def _ephemeral(source: Object, path: str) -> list[Cause]:
    template = section(source, "volumeClaimTemplate")
    if not template:
        return [required(f"{path}.volumeClaimTemplate")]
    at = f"{path}.volumeClaimTemplate"
    causes = [
        forbidden(f"{at}.metadata.{field}", "not allowed")
        for field in section(template, "metadata")
        if field not in ("labels", "annotations")
    ]
    spec = section(template, "spec")
    if not spec.get("accessModes"):
        causes.append(required(f"{at}.spec.accessModes", "at least 1 access mode is required"))
    if not section(spec, "resources", "requests").get("storage"):
        causes.append(required(f"{at}.spec.resources[storage]"))
    return causes


def _image(source: Object, path: str) -> list[Cause]:
    causes = _needs("reference")(source, path)
    policy = string(source, "pullPolicy")
    if policy not in ("Always", "IfNotPresent", "Never"):
        causes.append(unsupported(f"{path}.pullPolicy", policy, ("Always", "IfNotPresent", "Never")))
    return causes


_KINDS: Final[dict[str, Callable[[Object, str], list[Cause]]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": _git_repo,
    "gcePersistentDisk": _needs("pdName"),
    "awsElasticBlockStore": _needs("volumeID"),
    "secret": check_secret_volume,
    "nfs": _nfs,
    "iscsi": _iscsi,
    "glusterfs": _needs("endpoints", "path"),
    "flocker": _flocker,
    "persistentVolumeClaim": _needs("claimName"),
    "rbd": _needs("monitors", "image"),
    "cinder": _needs("volumeID"),
    "cephfs": _needs("monitors"),
    "quobyte": _needs("registry", "volume"),
    "downwardAPI": check_downward_volume,
    "fc": _fibre_channel,
    "flexVolume": _flex,
    "configMap": check_config_map_volume,
    "azureFile": _needs("secretName", "shareName"),
    "vsphereVolume": _needs("volumePath"),
    "photonPersistentDisk": _needs("pdID"),
    "portworxVolume": _needs("volumeID"),
    "azureDisk": _needs("diskName", "diskURI"),
    "storageos": _needs("volumeName"),
    "projected": check_projected_volume,
    "scaleIO": _needs("gateway", "system", "volumeName"),
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
