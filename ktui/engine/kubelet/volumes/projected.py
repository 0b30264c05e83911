"""projected volumes: several sources in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lightkube.models.core_v1 import Pod, Volume, VolumeProjection

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.volumes.atomic_writer import write_payload
from ktui.engine.kubelet.volumes.base import VolumeContext, VolumeError
from ktui.engine.kubelet.volumes.payload import (
    FileEntry,
    Payload,
    checked_path,
    from_downward_api,
    from_object,
)


class ProjectedVolume:
    name = "kubernetes.io~projected"
    refreshes = True

    def handles(self, volume: Volume) -> bool:
        return volume.projected is not None

    def set_up(self, volume: Volume, directory: Path, context: VolumeContext) -> Path:
        source = volume.projected
        assert source is not None
        payload: Payload = {}
        for index, projection in enumerate(source.sources or ()):
            payload.update(_projection(volume.name, index, projection, context, source.defaultMode))
        write_payload(directory, payload, context.fs_group)
        return directory

    def tear_down(self, directory: Path) -> None:
        """Nothing beyond its folder."""


def _projection(
    volume: str, index: int, projection: VolumeProjection, context: VolumeContext, default_mode: int | None
) -> Payload:
    if projection.configMap is not None:
        name = projection.configMap.name or ""
        return from_object(
            "configmap",
            name,
            context.references.config_maps.get(name),
            projection.configMap.items,
            default_mode=default_mode,
            optional=bool(projection.configMap.optional),
        )
    if projection.secret is not None:
        name = projection.secret.name or ""
        return from_object(
            "secret",
            name,
            context.references.secrets.get(name),
            projection.secret.items,
            default_mode=default_mode,
            optional=bool(projection.secret.optional),
        )
    if projection.downwardAPI is not None:
        return from_downward_api(projection.downwardAPI.items or (), context, default_mode)
    if projection.serviceAccountToken is not None:
        path = checked_path(projection.serviceAccountToken.path)
        token = context.tokens.get((volume, projection.serviceAccountToken.path))
        if token is None:
            raise VolumeError(f"failed to fetch token for {path}")
        return _secret_files({path: token}, context, default_mode)
    if projection.clusterTrustBundle is not None:
        path = checked_path(projection.clusterTrustBundle.path)
        anchors = context.trust_anchors.get((volume, projection.clusterTrustBundle.path))
        if anchors is None:
            raise VolumeError(f"failed to get trust anchors for {path}")
        return _secret_files({path: anchors}, context, default_mode)
    if projection.podCertificate is not None:
        found = context.certificates.get((volume, index))
        if found is None:
            raise VolumeError("credential bundle is not issued yet")
        wanted = projection.podCertificate
        files = (
            (wanted.credentialBundlePath, found.key + found.chain),
            (wanted.keyPath, found.key),
            (wanted.certificateChainPath, found.chain),
        )
        named = {checked_path(path): data for path, data in files if path}
        return _secret_files(named, context, default_mode)
    raise VolumeError("unsupported projected volume source")


def _secret_files(files: Mapping[str, bytes], context: VolumeContext, default_mode: int | None) -> Payload:
    mode, owner = _access(context.pod, context.fs_group, default_mode)
    return {path: FileEntry(data, mode, owner) for path, data in files.items()}


def _access(pod: Pod, fs_group: int | None, default_mode: int | None) -> tuple[int, int | None]:
    """Tokens and keys are for the containers' user alone, where all containers run as the same one."""
    mode = 0o644 if default_mode is None else default_mode
    if fs_group is not None:
        return 0o600, None
    users = {_run_as_user(pod, container.name) for container in pods.all_containers(pod)}
    if len(users) == 1 and (user := users.pop()) is not None:
        return 0o600, user
    return mode, None


def _run_as_user(pod: Pod, name: str) -> int | None:
    container = pods.find_container(pod, name)
    own = container.securityContext if container is not None else None
    if own is not None and own.runAsUser is not None:
        return own.runAsUser
    of_pod = pods.spec(pod).securityContext
    return of_pod.runAsUser if of_pod else None
