"""Certificate signing: an approved request to one of Kubernetes' own signers gets its certificate.

In: requests that carry the condition Approved. Out: the certificate in their status, or the condition Failed
when the signer does not sign such a thing. Signers of other domains are somebody else's.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from lightkube.models.certificates_v1 import (
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestStatus,
)
from msgspec.structs import replace

from ktui.client.base import Client
from ktui.client.informer import Informers
from ktui.engine.controllers.certificate_policies import (
    Refusal,
    asked_for,
    certificate_of,
    check,
    condition,
    conditions,
)
from ktui.engine.controllers.objects import with_status
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, whole_second
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS
from ktui.kube.resource import ObjectKey

Sign = Callable[[bytes, Sequence[str], timedelta | None], Awaitable[bytes]]
"""Signs a request (PEM) for usages and a time, None for the longest there is; gives the certificate (PEM)."""


class CertificateSigningController(Controller[ObjectKey]):
    """One key a request."""

    name = "certificatesigningrequest-signing-controller"

    def __init__(self, client: Client, clock: Clock, sign: Sign) -> None:
        self._client = client
        self._clock = clock
        self._sign = sign

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._requests = informers.of(CERTIFICATE_SIGNING_REQUESTS, CertificateSigningRequest)
        self._requests.add_handler(enqueue_object(queue))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        request = self._requests.get(key)
        if request is None or certificate_of(request):
            return None
        if condition(request, "Approved") is None or condition(request, "Failed") is not None:
            return None
        spec = request.spec
        usages: Sequence[str] = spec.usages or ()
        try:
            if not check(spec.signerName, asked_for(request), usages):
                return None
        except Refusal as why:
            await self._write(request, replace(_status(request), conditions=self._failed(request, str(why))))
            return None
        seconds = spec.expirationSeconds
        lifetime = None if seconds is None else timedelta(seconds=seconds)
        certificate = await self._sign(base64.b64decode(spec.request), usages, lifetime)
        encoded = base64.b64encode(certificate).decode()
        await self._write(request, replace(_status(request), certificate=encoded))
        return None

    def _failed(
        self, request: CertificateSigningRequest, why: str
    ) -> list[CertificateSigningRequestCondition]:
        now = whole_second(self._clock.now())
        failed = CertificateSigningRequestCondition(
            type="Failed",
            status="True",
            reason="SignerValidationFailure",
            message=why,
            lastUpdateTime=now,
            lastTransitionTime=now,
        )
        return [*conditions(request), failed]

    async def _write(
        self, request: CertificateSigningRequest, status: CertificateSigningRequestStatus
    ) -> None:
        try:
            await self._client.update(
                CERTIFICATE_SIGNING_REQUESTS, with_status(request, status), subresource="status"
            )
        except StatusError as error:
            if not error.is_not_found:
                raise


def _status(request: CertificateSigningRequest) -> CertificateSigningRequestStatus:
    return request.status or CertificateSigningRequestStatus()
