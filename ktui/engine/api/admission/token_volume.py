"""The volume by which a pod's containers reach the API: token, authority and namespace at the usual path.

Pure functions on a pod's spec. Containers that mount something of their own there keep it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ktui.kube.data import items, string
from ktui.kube.names import fnv32a, safe_encode
from ktui.kube.resource import Object

MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
PREFIX: Final = "kube-api-access-"
_MADE_UP: Final = 5
_SECONDS: Final = 3607
"""An hour, and seven seconds by which such a token is told from one that was asked for by hand."""

_SOURCES: Final = (
    {"serviceAccountToken": {"path": "token", "expirationSeconds": _SECONDS}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {
        "downwardAPI": {
            "items": [
                {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
            ]
        }
    },
)


def wants_token(spec: Object, account: Object | None) -> bool:
    """The pod decides, else its account, else yes."""
    for holder in (spec, account or {}):
        asked = holder.get("automountServiceAccountToken")
        if asked is not None:
            return bool(asked)
    return True


def with_token(spec: Object) -> Object:
    """The spec with the volume, mounted in every container that has nothing there."""
    volumes = items(spec, "volumes")
    known = next((v["name"] for v in volumes if str(v.get("name") or "").startswith(PREFIX)), "")
    name = known or _volume_name(string(spec, "serviceAccountName"))
    changed = spec
    for field in ("initContainers", "containers"):
        containers = [_mounted(container, name) for container in items(spec, field)]
        if containers != items(spec, field):
            changed = {**changed, field: containers}
    if changed is spec or known:
        return changed
    projected = {"sources": list(_SOURCES), "defaultMode": 0o644}
    return {**changed, "volumes": [*volumes, {"name": name, "projected": projected}]}


@lru_cache(maxsize=256)
def _volume_name(account: str) -> str:
    """Made up, but the same for all pods of an account: replicas keep one spec, which is checked and kept once."""
    return PREFIX + safe_encode(str(fnv32a(account.encode())).zfill(_MADE_UP))[:_MADE_UP]


def _mounted(container: Object, volume: str) -> Object:
    mounts = items(container, "volumeMounts")
    if any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
        return container
    mount = {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}
    return {**container, "volumeMounts": [*mounts, mount]}
