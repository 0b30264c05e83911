"""Which secrets, config maps, claims, devices and accounts a node's pods refer to.

Kept by namespace and made anew when pods changed since it was last asked for: only nodes ask, and seldom. A
pod's references are read from its bytes with a decoder that skips all else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from ktui.engine.store.base import Key, Store
from ktui.kube.kinds import (
    CONFIG_MAPS,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    RESOURCE_CLAIMS,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from ktui.kube.resource import Object

Reference: TypeAlias = tuple[str, str]
"""Resource and name."""

CLAIMS = "persistentvolumeclaims"


class _Named(msgspec.Struct, frozen=True):
    name: str | None = None


class _EnvFrom(msgspec.Struct, frozen=True):
    secret: _Named | None = msgspec.field(name="secretRef", default=None)
    config_map: _Named | None = msgspec.field(name="configMapRef", default=None)


class _ValueFrom(msgspec.Struct, frozen=True):
    secret: _Named | None = msgspec.field(name="secretKeyRef", default=None)
    config_map: _Named | None = msgspec.field(name="configMapKeyRef", default=None)


class _Variable(msgspec.Struct, frozen=True):
    source: _ValueFrom | None = msgspec.field(name="valueFrom", default=None)


class _Container(msgspec.Struct, frozen=True):
    env: tuple[_Variable, ...] | None = None
    sources: tuple[_EnvFrom, ...] | None = msgspec.field(name="envFrom", default=None)


class _SecretVolume(msgspec.Struct, frozen=True):
    name: str | None = msgspec.field(name="secretName", default=None)


class _ClaimVolume(msgspec.Struct, frozen=True):
    name: str | None = msgspec.field(name="claimName", default=None)


class _Source(msgspec.Struct, frozen=True):
    secret: _Named | None = None
    config_map: _Named | None = msgspec.field(name="configMap", default=None)


class _Projected(msgspec.Struct, frozen=True):
    sources: tuple[_Source, ...] | None = None


class _Volume(msgspec.Struct, frozen=True):
    secret: _SecretVolume | None = None
    config_map: _Named | None = msgspec.field(name="configMap", default=None)
    claim: _ClaimVolume | None = msgspec.field(name="persistentVolumeClaim", default=None)
    projected: _Projected | None = None


class _Devices(msgspec.Struct, frozen=True):
    claim: str | None = msgspec.field(name="resourceClaimName", default=None)


class _Spec(msgspec.Struct, frozen=True):
    node: str | None = msgspec.field(name="nodeName", default=None)
    account: str | None = msgspec.field(name="serviceAccountName", default=None)
    pull_secrets: tuple[_Named, ...] | None = msgspec.field(name="imagePullSecrets", default=None)
    volumes: tuple[_Volume, ...] | None = None
    containers: tuple[_Container, ...] | None = None
    init_containers: tuple[_Container, ...] | None = msgspec.field(name="initContainers", default=None)
    ephemeral: tuple[_Container, ...] | None = msgspec.field(name="ephemeralContainers", default=None)
    devices: tuple[_Devices, ...] | None = msgspec.field(name="resourceClaims", default=None)


class _Status(msgspec.Struct, frozen=True):
    devices: tuple[_Devices, ...] | None = msgspec.field(name="resourceClaimStatuses", default=None)


class _Pod(msgspec.Struct, frozen=True):
    spec: _Spec = _Spec()
    status: _Status = _Status()


_decode = msgspec.json.Decoder(_Pod).decode


def references(pod: _Pod) -> Iterator[Reference]:
    """What a pod refers to; claims of devices that were made for it are in its status."""
    spec = pod.spec
    for devices in (spec.devices, pod.status.devices):
        for each in devices or ():
            if each.claim:
                yield RESOURCE_CLAIMS.key, each.claim
    yield SERVICE_ACCOUNTS.key, spec.account or "default"
    for each in spec.pull_secrets or ():
        yield SECRETS.key, each.name or ""
    for volume in spec.volumes or ():
        if volume.secret is not None:
            yield SECRETS.key, volume.secret.name or ""
        if volume.claim is not None:
            yield CLAIMS, volume.claim.name or ""
        yield from _pair(None, volume.config_map)
        for source in (volume.projected.sources if volume.projected else None) or ():
            yield from _pair(source.secret, source.config_map)
    for containers in (spec.containers, spec.init_containers, spec.ephemeral):
        for container in containers or ():
            for source in container.sources or ():
                yield from _pair(source.secret, source.config_map)
            for variable in container.env or ():
                if variable.source is not None:
                    yield from _pair(variable.source.secret, variable.source.config_map)


def referred(pod: Object) -> set[Reference]:
    """What an object that is a pod refers to."""
    return set(references(msgspec.convert(pod, _Pod)))


def _pair(secret: _Named | None, config_map: _Named | None) -> Iterator[Reference]:
    if secret is not None:
        yield SECRETS.key, secret.name or ""
    if config_map is not None:
        yield CONFIG_MAPS.key, config_map.name or ""


class NodeGraph:
    """What the pods of each node refer to, in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[int, dict[str, set[Reference]]]] = {}

    def refers(self, node: str, resource: str, namespace: str, name: str) -> bool:
        """Does a pod on the node refer to that object?"""
        return (resource, name) in self._of(namespace).get(node, ())

    def asked(self, node: str, namespace: str, name: str) -> bool:
        """Is that certificate request one of the node's?"""
        entry = self._store.get(Key(POD_CERTIFICATE_REQUESTS.key, namespace, name))
        return entry is not None and _decode(entry.data).spec.node == node

    def runs(self, node: str, namespace: str, name: str) -> bool:
        """Is that pod bound to the node?"""
        entry = self._store.get(Key(PODS.key, namespace, name))
        return entry is not None and _decode(entry.data).spec.node == node

    def _of(self, namespace: str) -> dict[str, set[Reference]]:
        changed = self._store.changed(PODS.key)
        at, nodes = self._known.get(namespace, (-1, dict[str, set[Reference]]()))
        if at != changed:
            nodes = dict[str, set[Reference]]()
            for entry in self._store.list(PODS.key, namespace).entries:
                pod = _decode(entry.data)
                if pod.spec.node:
                    nodes.setdefault(pod.spec.node, set()).update(references(pod))
            self._known[namespace] = (changed, nodes)
        return nodes
