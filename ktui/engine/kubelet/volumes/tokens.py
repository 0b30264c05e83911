"""Service account tokens for projected volumes: requested from the API, kept until most of their life is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lightkube.models.core_v1 import Pod, ServiceAccountTokenProjection

from ktui.client.base import Client
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.volumes.base import MountError
from ktui.kube.clock import Clock, parse_time
from ktui.kube.errors import StatusError
from ktui.kube.kinds import SERVICE_ACCOUNTS

DEFAULT_SECONDS = 3600
_RENEW_AT = 0.8
_LONGEST_USE = timedelta(hours=24)


class TokenSource:
    """The tokens of all pods of a node."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._tokens: dict[tuple[str, str, str], tuple[bytes, datetime]] = {}

    async def for_pod(self, pod: Pod) -> dict[tuple[str, str], bytes]:
        """Tokens for all projections of `pod`, by (volume, path). Raises VolumeError."""
        found: dict[tuple[str, str], bytes] = {}
        for volume in pods.spec(pod).volumes or ():
            for source in (volume.projected.sources if volume.projected else None) or ():
                if source.serviceAccountToken is not None:
                    path = source.serviceAccountToken.path
                    found[volume.name, path] = await self._token(pod, volume.name, source.serviceAccountToken)
        return found

    def renewal(self, pod_uid: str) -> datetime | None:
        """When the first token of a pod is to be renewed."""
        return min((when for key, (_, when) in self._tokens.items() if key[0] == pod_uid), default=None)

    def forget(self, pod_uid: str) -> None:
        for key in [key for key in self._tokens if key[0] == pod_uid]:
            del self._tokens[key]

    async def _token(self, pod: Pod, volume: str, wanted: ServiceAccountTokenProjection) -> bytes:
        key = (pods.uid(pod), volume, wanted.path)
        now = self._clock.now()
        if key in self._tokens and now < self._tokens[key][1]:
            return self._tokens[key][0]
        metadata = pods.meta(pod)
        account = pods.spec(pod).serviceAccountName or "default"
        request: dict[str, Any] = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [wanted.audience] if wanted.audience else [],
                "expirationSeconds": wanted.expirationSeconds or DEFAULT_SECONDS,
                "boundObjectRef": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": metadata.name,
                    "uid": metadata.uid,
                },
            },
        }
        try:
            answer = await self._client.create(
                SERVICE_ACCOUNTS, request, metadata.namespace or "", name=account, subresource="token"
            )
        except StatusError as error:
            raise MountError(volume, f"failed to fetch token: {error}") from error
        status: dict[str, Any] = answer.get("status") or {}
        token = str(status.get("token") or "").encode()
        expires = status.get("expirationTimestamp")
        until = parse_time(expires) if expires else now + timedelta(seconds=DEFAULT_SECONDS)
        self._tokens[key] = (token, now + min((until - now) * _RENEW_AT, _LONGEST_USE))
        return token
