"""Certificates for projected volumes: a key made here, a PodCertificateRequest for it, and what its signer issued.

In: a pod whose volumes want certificates. Out: keys and chains, or a VolumeError as long as a signer has not
answered; the answer wakes the pod's worker, who asks again. A key never leaves the node, and all is kept in memory:
a kubelet that starts anew asks for new certificates. They are renewed when their signer says so.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from lightkube.models.core_v1 import Pod, PodCertificateProjection

from ktui.client.base import Client
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.recording import PodEvents
from ktui.engine.kubelet.volumes.base import Credentials, MountError, VolumeError
from ktui.kube.clock import Clock, parse_time
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NODES, POD_CERTIFICATE_REQUESTS, SERVICE_ACCOUNTS
from ktui.kube.resource import Object
from ktui.kube.x509 import blocks

log = logging.getLogger(__name__)

_OVERDUE = timedelta(minutes=10)
_REFUSALS = {"Denied": "was denied", "Failed": "failed"}


@dataclass(slots=True)
class _Record:
    """How one projection stands."""

    request: str = ""
    """The name of the PodCertificateRequest that is not answered yet."""
    key: bytes = b""
    """The key it is for."""
    issued: Credentials | None = None
    refresh_at: datetime | None = None
    expires: datetime | None = None
    told_overdue: bool = False
    told_expired: bool = False
    refusal: str = ""

    @property
    def next_look(self) -> datetime | None:
        """When there is something to do without being woken."""
        if self.issued is None or self.refresh_at is None or self.refusal:
            return None
        if not self.request:
            return self.refresh_at
        if not self.told_overdue:
            return self.refresh_at + _OVERDUE
        return None if self.told_expired else self.expires


class PodCertificates:
    """The certificates of all pods of a node."""

    def __init__(self, client: Client, clock: Clock, node_name: str) -> None:
        self._client = client
        self._clock = clock
        self._node_name = node_name
        self._records: dict[tuple[str, str, int], _Record] = {}

    async def for_pod(self, pod: Pod, events: PodEvents) -> dict[tuple[str, int], Credentials]:
        """Certificates for all projections of `pod`, by volume and place in it. Raises VolumeError."""
        found: dict[tuple[str, int], Credentials] = {}
        missing: dict[str, list[str]] = {}
        for volume, index, wanted in _projections(pod):
            record = self._records.setdefault((pods.uid(pod), volume, index), _Record())
            try:
                await self._advance(pod, wanted, record, events)
            except StatusError as error:
                log.warning("pod %s: certificate for volume %s: %s", pods.full_name(pod), volume, error)
                if record.issued is None:
                    missing.setdefault(volume, []).append(f"failed to request a certificate: {error}")
                continue
            finally:
                if record.issued is not None:
                    found[volume, index] = record.issued
            if record.refusal:
                missing.setdefault(volume, []).append(record.refusal)
            elif record.issued is None:
                missing.setdefault(volume, []).append("credential bundle is not issued yet")
        for volume, reasons in missing.items():
            raise MountError(volume, ", ".join(dict.fromkeys(reasons)))
        return found

    def renewal(self, pod_uid: str) -> datetime | None:
        """When a pod's certificates are to be looked at again."""
        times = (record.next_look for key, record in self._records.items() if key[0] == pod_uid)
        return min((time for time in times if time is not None), default=None)

    def forget(self, pod_uid: str) -> None:
        """A pod is gone."""
        for key in [key for key in self._records if key[0] == pod_uid]:
            del self._records[key]

    async def _advance(
        self, pod: Pod, wanted: PodCertificateProjection, record: _Record, events: PodEvents
    ) -> None:
        if record.request:
            await self._take_answer(pod, record, events)
        now = self._clock.now()
        is_due = record.issued is None or (record.refresh_at is not None and now >= record.refresh_at)
        if is_due and not record.request and not record.refusal:
            key, proof = await asyncio.to_thread(_key_and_proof, wanted.keyType)
            record.request = await self._ask(pod, wanted, proof)
            record.key = key
        _tell_late(record, now, events)

    async def _take_answer(self, pod: Pod, record: _Record, events: PodEvents) -> None:
        """See whether the signer has answered; a request that somebody deleted is made anew."""
        namespace = pods.key(pod).namespace
        try:
            request = await self._client.get(POD_CERTIFICATE_REQUESTS, record.request, namespace)
        except StatusError as error:
            if not error.is_not_found:
                raise
            record.request = ""
            return
        status = section(request, "status")
        for condition in items(status, "conditions"):
            kind = string(condition, "type")
            reason, message = string(condition, "reason"), string(condition, "message")
            if kind in _REFUSALS:
                told = f'reason="{reason}", message="{message}"'
                events.warning(
                    kind, f"PodCertificateRequest {namespace}/{record.request} {_REFUSALS[kind]}, {told}"
                )
                record.refusal = f'PodCertificateRequest was permanently {kind.lower()}: reason="{reason}" message="{message}"'
            elif kind == "Issued":
                chain = b"".join(block.text + b"\n" for block in blocks(_text(status, "certificateChain")))
                record.issued = Credentials(record.key, chain)
                record.refresh_at = parse_time(string(status, "beginRefreshAt"))
                record.expires = parse_time(string(status, "notAfter"))
                record.told_overdue = record.told_expired = False
            else:
                continue
            record.request = ""
            record.key = b""

    async def _ask(self, pod: Pod, wanted: PodCertificateProjection, proof: bytes) -> str:
        """Make a PodCertificateRequest; its name."""
        key, uid = pods.key(pod), pods.uid(pod)
        account = pods.spec(pod).serviceAccountName or "default"
        spec: Object = {
            "signerName": wanted.signerName,
            "podName": key.name,
            "podUID": uid,
            "serviceAccountName": account,
            "serviceAccountUID": _uid(await self._client.get(SERVICE_ACCOUNTS, account, key.namespace)),
            "nodeName": self._node_name,
            "nodeUID": _uid(await self._client.get(NODES, self._node_name)),
            "stubPKCS10Request": base64.b64encode(proof).decode(),
        }
        if wanted.maxExpirationSeconds is not None:
            spec["maxExpirationSeconds"] = wanted.maxExpirationSeconds
        if wanted.userAnnotations:  # pyright: ignore[reportUnknownMemberType] - a bare dict in lightkube
            spec["unverifiedUserAnnotations"] = cast("dict[str, str]", wanted.userAnnotations)  # pyright: ignore[reportUnknownMemberType] - as above
        owner = {"apiVersion": "v1", "kind": "Pod", "name": key.name, "uid": uid}
        made = await self._client.create(
            POD_CERTIFICATE_REQUESTS,
            {"metadata": {"generateName": "req-", "ownerReferences": [owner]}, "spec": spec},
            key.namespace,
        )
        return string(section(made, "metadata"), "name")


def _projections(pod: Pod) -> Iterator[tuple[str, int, PodCertificateProjection]]:
    for volume in pods.spec(pod).volumes or ():
        for index, source in enumerate((volume.projected.sources if volume.projected else None) or ()):
            if source.podCertificate is not None:
                yield volume.name, index, source.podCertificate


def _tell_late(record: _Record, now: datetime, events: PodEvents) -> None:
    """Say once that a certificate should have been renewed, and once that it is no good any more."""
    if record.issued is None or record.refresh_at is None or record.expires is None:
        return
    if now >= record.refresh_at + _OVERDUE and not record.told_overdue:
        record.told_overdue = True
        events.warning("CertificateOverdueForRefresh", "PodCertificate refresh overdue")
    if now >= record.expires and not record.told_expired:
        record.told_expired = True
        events.warning("CertificateExpired", "PodCertificate expired")


def _uid(obj: Object) -> str:
    return string(section(obj, "metadata"), "uid")


def _text(status: Object, field: str) -> bytes:
    return string(status, field).encode()


def _key_and_proof(kind: str) -> tuple[bytes, bytes]:
    """A new private key (PEM), and a request that proves that we have it (DER)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key: Any
    algorithm: Any = hashes.SHA256()
    match kind:
        case "RSA3072" | "RSA4096":
            key = rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
        case "ECDSAP256":
            key = ec.generate_private_key(ec.SECP256R1())
        case "ECDSAP384":
            key, algorithm = ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()
        case "ECDSAP521":
            key, algorithm = ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()
        case "ED25519":
            key, algorithm = ed25519.Ed25519PrivateKey.generate(), None
        case _:
            raise VolumeError(f'unknown key type "{kind}"')
    proof = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, algorithm)
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, proof.public_bytes(serialization.Encoding.DER)
