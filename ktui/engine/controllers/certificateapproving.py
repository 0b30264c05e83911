"""Certificate approving: a kubelet that may have a client certificate gets its request approved by itself.

In: undecided requests to the kubelets' signer. Who asked needs the right to create `nodeclient` requests, or
`selfnodeclient` for a certificate that names the asking node itself; others wait for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lightkube.models.certificates_v1 import CertificateSigningRequest

from ktui.client.base import Client
from ktui.client.informer import Informers
from ktui.engine.controllers.certificate_policies import (
    KUBELET_CLIENT,
    Refusal,
    asked_for,
    certificate_of,
    check_kubelet_client,
    condition,
)
from ktui.engine.controllers.objects import plain
from ktui.engine.controllers.runtime import Controller, Result, enqueue_object
from ktui.engine.controllers.workqueue import WorkQueue
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS
from ktui.kube.resource import Object, ObjectKey, Resource

_AGAIN_SECONDS: Final = 30.0
"""The right may be given while a request waits."""
_REVIEWS: Final = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False)


class CertificateApprovingController(Controller[ObjectKey]):
    """One key a request."""

    name = "certificatesigningrequest-approving-controller"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def setup(self, informers: Informers, queue: WorkQueue[ObjectKey]) -> None:
        self._requests = informers.of(CERTIFICATE_SIGNING_REQUESTS, CertificateSigningRequest)
        self._requests.add_handler(enqueue_object(queue))

    async def reconcile(self, key: ObjectKey) -> Result | None:
        request = self._requests.get(key)
        if request is None or certificate_of(request) or request.spec.signerName != KUBELET_CLIENT:
            return None
        if condition(request, "Approved") is not None or condition(request, "Denied") is not None:
            return None
        asked = asked_for(request)
        usages: Sequence[str] = request.spec.usages or ()
        try:
            check_kubelet_client(asked, usages)
        except Refusal:
            return None
        kinds = [("nodeclient", "kubelet client certificate")]
        if asked.common_name == request.spec.username:
            kinds.insert(0, ("selfnodeclient", "self kubelet client certificate"))
        for subresource, what in kinds:
            if await self._may(request, subresource):
                await self._approve(request, f"Auto approving {what} after SubjectAccessReview.")
                return None
        return Result(_AGAIN_SECONDS)

    async def _may(self, request: CertificateSigningRequest, subresource: str) -> bool:
        spec = request.spec
        review: Object = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": spec.username or "",
                "uid": spec.uid or "",
                "groups": spec.groups or [],  # pyright: ignore[reportUnknownMemberType] - bare collections in lightkube
                "extra": spec.extra or {},  # pyright: ignore[reportUnknownMemberType] - bare collections in lightkube
                "resourceAttributes": {
                    "group": CERTIFICATE_SIGNING_REQUESTS.group,
                    "resource": CERTIFICATE_SIGNING_REQUESTS.plural,
                    "verb": "create",
                    "subresource": subresource,
                },
            },
        }
        answer = await self._client.create(_REVIEWS, review)
        return bool(answer["status"]["allowed"])

    async def _approve(self, request: CertificateSigningRequest, why: str) -> None:
        now = rfc3339(self._clock.now())
        approved = {
            "type": "Approved",
            "status": "True",
            "reason": "AutoApproved",
            "message": why,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
        changed = plain(request)
        status: Object = changed.get("status") or {}
        changed["status"] = {**status, "conditions": [*(status.get("conditions") or ()), approved]}
        try:
            await self._client.update(CERTIFICATE_SIGNING_REQUESTS, changed, subresource="approval")
        except StatusError as error:
            if not error.is_not_found:
                raise
