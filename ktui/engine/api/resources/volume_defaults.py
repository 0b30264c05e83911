"""What Kubernetes fills into a volume, by its source."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.resources.images import pull_policy
from ktui.kube.resource import Object

_MODE: Final = 0o644
_BY_SOURCE: Final[dict[str, Object]] = {
    "hostPath": {"type": ""},
    "secret": {"defaultMode": _MODE},
    "configMap": {"defaultMode": _MODE},
    "downwardAPI": {"defaultMode": _MODE},
    "projected": {"defaultMode": _MODE},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}


def default_volume(volume: Object) -> Object:
    """One volume; a volume without source is an emptyDir."""
    sources = [field for field in volume if field != "name"]
    if not sources:
        return {**volume, "emptyDir": {}}
    changed = {**volume}
    for source in sources:
        found: Object = volume[source]
        if source in _BY_SOURCE:
            changed[source] = {**_BY_SOURCE[source], **found}
        if source == "downwardAPI":
            changed[source] = _with_items(changed[source])
        elif source == "projected":
            sources_of: list[Object] = changed[source].get("sources") or []
            changed[source] = {**changed[source], "sources": [_projection(part) for part in sources_of]}
        elif source == "ephemeral" and "volumeClaimTemplate" in found:
            changed[source] = {
                **found,
                "volumeClaimTemplate": default_claim_template(found["volumeClaimTemplate"]),
            }
        elif source == "image":
            changed[source] = {"pullPolicy": pull_policy(found.get("reference") or ""), **found}
    return changed


def default_source(kind: str, source: Object) -> Object:
    """A source of a PersistentVolume."""
    return {**_BY_SOURCE.get(kind, {}), **source}


def default_claim_template(template: Object) -> Object:
    spec: Object = template.get("spec") or {}
    return {**template, "spec": {"volumeMode": "Filesystem", **spec}}


def _projection(source: Object) -> Object:
    if "serviceAccountToken" in source:
        return {**source, "serviceAccountToken": {"expirationSeconds": 3600, **source["serviceAccountToken"]}}
    if "downwardAPI" in source:
        return {**source, "downwardAPI": _with_items(source["downwardAPI"])}
    return source


def _with_items(downward: Object) -> Object:
    if "items" not in downward:
        return downward
    items: list[Object] = [_item(item) for item in downward["items"]]
    return {**downward, "items": items}


def _item(item: Object) -> Object:
    if "fieldRef" in item:
        return {**item, "fieldRef": {"apiVersion": "v1", **item["fieldRef"]}}
    if "resourceFieldRef" in item:
        return {**item, "resourceFieldRef": {"divisor": "0", **item["resourceFieldRef"]}}
    return item
