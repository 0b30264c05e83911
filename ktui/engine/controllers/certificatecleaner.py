"""Certificate cleaner: requests that are done with or that nobody decides on go away after a while.

An hour after the decision when the certificate was issued, denied or failed; a day after creation when nothing
happened; at once when the certificate has ended.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Final

from lightkube.models.certificates_v1 import CertificateSigningRequest

from ktui.client.base import Client, DeleteOptions
from ktui.client.informer import Informers
from ktui.engine.controllers.certificate_policies import certificate_of, condition
from ktui.engine.controllers.objects import created_at, uid_of
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS
from ktui.kube.resource import ObjectKey
from ktui.kube.x509 import expires

DECIDED: Final = timedelta(hours=1)
PENDING: Final = timedelta(hours=24)


class CertificateCleaner(Controller[ObjectKey]):
    """One key a request, looked at again when its time has come."""

    name = "certificatesigningrequest-cleaner-controller"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._requests = informers.of(CERTIFICATE_SIGNING_REQUESTS, CertificateSigningRequest)
        self._requests.add_handler(enqueue_object(queue))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        request = self._requests.get(key)
        if request is None:
            return None
        left = (ends(request) - self._clock.now()).total_seconds()
        if left > 0:
            return Result(left)
        try:
            await self._client.delete(
                CERTIFICATE_SIGNING_REQUESTS, key.name, options=DeleteOptions(uid=uid_of(request))
            )
        except StatusError as error:
            if not (error.is_not_found or error.is_conflict):
                raise
        return None


def ends(request: CertificateSigningRequest) -> datetime:
    """When a request is of no use to anyone any more."""
    moments = [created_at(request) + PENDING]
    issued = certificate_of(request)
    for kind in ("Denied", "Failed", *(("Approved",) if issued else ())):
        found = condition(request, kind)
        if found is not None:
            moments.append((found.lastUpdateTime or created_at(request)) + DECIDED)
    if issued:
        moments.append(expires(base64.b64decode(issued)))
    return min(moments)
