"""The ConfigMaps, Secrets and claims a pod refers to, gathered once so that the rest can be pure.

`References` is a snapshot the environment and the volumes are computed from; `ReferenceReader` fills it from
the shared informers and asks the API itself for what a lagging cache does not have yet, so that a pod created
right after its ConfigMap never fails for it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
from lightkube.models.core_v1 import (
    ConfigMap,
    Container,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Secret,
    Volume,
)

from ktui.client.base import Client
from ktui.client.informer import Informers
from ktui.engine.kubelet import pod as pods
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, SECRETS
from ktui.kube.resource import ObjectKey


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim's volume, or why it can't be used."""

    volume: PersistentVolume | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class References:
    """Data by object name, in the pod's namespace; what is absent does not exist."""

    namespace: str
    config_maps: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict[str, Mapping[str, bytes]])
    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict[str, Mapping[str, bytes]])
    claims: Mapping[str, Claimed] = field(default_factory=dict[str, Claimed])


def referenced_config_maps(pod: Pod) -> set[str]:
    """Names of all ConfigMaps that the pod's environment and volumes refer to."""
    names: set[str] = set()
    for container in pods.all_containers(pod):
        names.update(_environment_references(container, "configMap"))
    for volume in pods.spec(pod).volumes or ():
        if volume.configMap is not None:
            names.add(volume.configMap.name or "")
        for source in (volume.projected.sources if volume.projected else None) or ():
            if source.configMap is not None:
                names.add(source.configMap.name or "")
    return names - {""}


def referenced_secrets(pod: Pod) -> set[str]:
    """Names of all Secrets that the pod's environment, volumes and image pulls refer to."""
    names: set[str] = {reference.name or "" for reference in pods.spec(pod).imagePullSecrets or ()}
    for container in pods.all_containers(pod):
        names.update(_environment_references(container, "secret"))
    for volume in pods.spec(pod).volumes or ():
        if volume.secret is not None:
            names.add(volume.secret.secretName or "")
        for source in (volume.projected.sources if volume.projected else None) or ():
            if source.secret is not None:
                names.add(source.secret.name or "")
    return names - {""}


def referenced_trust_bundles(pod: Pod) -> set[str]:
    """The ClusterTrustBundles, and the signers of some, that the pod's volumes project."""
    wanted = [
        source.clusterTrustBundle
        for volume in pods.spec(pod).volumes or ()
        for source in (volume.projected.sources if volume.projected else None) or ()
        if source.clusterTrustBundle is not None
    ]
    return {bundle.name or bundle.signerName or "" for bundle in wanted} - {""}


def claim_of(pod: Pod, volume: Volume) -> str:
    """The name of the claim that a volume is, "" for other volumes."""
    if volume.persistentVolumeClaim is not None:
        return volume.persistentVolumeClaim.claimName
    return f"{pods.key(pod).name}-{volume.name}" if volume.ephemeral is not None else ""


def _environment_references(container: Container, kind: str) -> Iterator[str]:
    for source in container.envFrom or ():
        reference = source.configMapRef if kind == "configMap" else source.secretRef
        if reference is not None:
            yield reference.name or ""
    for variable in container.env or ():
        if variable.valueFrom is None:
            continue
        selector = (
            variable.valueFrom.configMapKeyRef if kind == "configMap" else variable.valueFrom.secretKeyRef
        )
        if selector is not None:
            yield selector.name or ""


class ReferenceReader:
    """Takes snapshots of what a pod refers to."""

    def __init__(self, client: Client, informers: Informers) -> None:
        self._client = client
        self._config_maps = informers.of(CONFIG_MAPS, ConfigMap)
        self._secrets = informers.of(SECRETS, Secret)

    async def read(self, pod: Pod) -> References:
        """Everything `pod` refers to, as it is now. Raises StatusError when the API can't be asked."""
        namespace = pods.key(pod).namespace
        config_maps: dict[str, Mapping[str, bytes]] = {}
        secrets: dict[str, Mapping[str, bytes]] = {}
        for name in sorted(referenced_config_maps(pod)):
            if (found := await self._config_map(namespace, name)) is not None:
                config_maps[name] = config_map_data(found)
        for name in sorted(referenced_secrets(pod)):
            if (secret := await self._secret(namespace, name)) is not None:
                secrets[name] = secret_data(secret)
        claims: dict[str, Claimed] = {}
        for volume in pods.spec(pod).volumes or ():
            if name := claim_of(pod, volume):
                owner = pods.uid(pod) if volume.ephemeral is not None else ""
                if (claimed := await self._claimed(namespace, name, owner)) is not None:
                    claims[name] = claimed
        return References(namespace, config_maps, secrets, claims)

    async def _claimed(self, namespace: str, name: str, owner: str) -> Claimed | None:
        """A claim's volume, asked of the API: claims change while a pod waits for them, and few pods have any."""
        try:
            found = await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
            claim = msgspec.convert(found, PersistentVolumeClaim)
            if owner and not _is_owned(claim, owner):
                return Claimed(refusal=f"PVC {namespace}/{name} was not created for pod")
            bound = claim.spec.volumeName if claim.spec is not None else ""
            if not bound or claim.status is None or claim.status.phase != "Bound":
                return Claimed(refusal="PVC is not bound")
            volume = await self._client.get(PERSISTENT_VOLUMES, bound)
        except StatusError as error:
            if error.is_not_found:
                return None
            raise
        return Claimed(msgspec.convert(volume, PersistentVolume))

    async def _config_map(self, namespace: str, name: str) -> ConfigMap | None:
        cached = self._config_maps.get(ObjectKey(namespace, name))
        if cached is not None:
            return cached
        try:
            return msgspec.convert(await self._client.get(CONFIG_MAPS, name, namespace), ConfigMap)
        except StatusError as error:
            if error.is_not_found:
                return None
            raise

    async def _secret(self, namespace: str, name: str) -> Secret | None:
        cached = self._secrets.get(ObjectKey(namespace, name))
        if cached is not None:
            return cached
        try:
            return msgspec.convert(await self._client.get(SECRETS, name, namespace), Secret)
        except StatusError as error:
            if error.is_not_found:
                return None
            raise


def _is_owned(claim: PersistentVolumeClaim, uid: str) -> bool:
    owners = claim.metadata.ownerReferences if claim.metadata is not None else None
    return any(owner.controller and owner.uid == uid for owner in owners or ())


def config_map_data(config_map: ConfigMap) -> dict[str, bytes]:
    """`data` and `binaryData` as bytes."""
    texts: dict[str, str] = config_map.data or {}
    binaries: dict[str, str] = config_map.binaryData or {}
    found = {key: text.encode() for key, text in texts.items()}
    found.update({key: _decoded(text) for key, text in binaries.items()})
    return found


def secret_data(secret: Secret) -> dict[str, bytes]:
    """`data` decoded."""
    encoded: dict[str, str] = secret.data or {}
    return {key: _decoded(text) for key, text in encoded.items()}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""
