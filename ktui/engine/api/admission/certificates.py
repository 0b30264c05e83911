"""Certificate requests: who asked is the server's to say, and approving and signing take a right on the signer.

In: creates of requests and writes of their parts. Out: the caller's name in the spec, times in conditions that
have none, or 403 for who may not `approve` or `sign` for that signer.
"""

from __future__ import annotations

import base64
from typing import Final

from ktui.engine.api.admission.base import Attributes
from ktui.engine.api.authorization import MASTERS
from ktui.engine.api.request import Access, Authorizer
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError, forbidden
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS
from ktui.kube.resource import Object, Resource
from ktui.kube.x509 import PemError, read_request

_SIGNERS: Final = Resource("certificates.k8s.io", "v1", "signers", "Signer", False)
_API_CLIENT: Final = "kubernetes.io/kube-apiserver-client"
_REQUESTER: Final = ("username", "uid", "groups", "extra")


class Certificates:
    """The plugin of one server."""

    def __init__(self, authorizer: Authorizer, clock: Clock) -> None:
        self._authorizer = authorizer
        self._clock = clock

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        if request.resource.key != CERTIFICATE_SIGNING_REQUESTS.key:
            return obj
        if request.operation == "CREATE":
            return {**obj, "spec": _asked_by(request, section(obj, "spec"))}
        if request.subresource in ("approval", "status") and old is not None:
            return self._timed(obj, old)
        return obj

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if request.resource.key != CERTIFICATE_SIGNING_REQUESTS.key or obj is None:
            return
        if request.operation == "CREATE":
            _check_subject(request, section(obj, "spec"))
        if request.operation != "UPDATE" or old is None:
            return
        signer = string(section(old, "spec"), "signerName")
        if request.subresource == "approval":
            await self._permit(request, "approve", signer)
        elif request.subresource == "status" and _is_signing(obj, old):
            await self._permit(request, "sign", signer)

    async def _permit(self, request: Attributes, verb: str, signer: str) -> None:
        """The right on that signer, or on all of its domain."""
        for name in (signer, f"{signer.partition('/')[0]}/*"):
            try:
                await self._authorizer.authorize(Access(request.user, verb, _SIGNERS, "", name))
            except StatusError:
                continue
            return
        why = f'user not permitted to {verb} requests with signerName "{signer}"'
        raise forbidden(request.resource, request.name, why)

    def _timed(self, obj: Object, old: Object) -> Object:
        """Conditions with the times a client may leave out."""
        status = section(obj, "status")
        conditions = items(status, "conditions")
        if not conditions:
            return obj
        now = rfc3339(self._clock.now())
        before = {string(each, "type"): each for each in items(section(old, "status"), "conditions")}

        def timed(condition: Object) -> Object:
            was = before.get(string(condition, "type"), {})
            changed = was.get("lastTransitionTime") if was.get("status") == condition.get("status") else None
            return {
                **condition,
                "lastUpdateTime": condition.get("lastUpdateTime") or now,
                "lastTransitionTime": condition.get("lastTransitionTime") or changed or now,
            }

        return {**obj, "status": {**status, "conditions": [timed(each) for each in conditions]}}


def _asked_by(request: Attributes, spec: Object) -> Object:
    """The spec with the caller in it, whatever the client said."""
    user = request.user
    asked: Object = {name: value for name, value in spec.items() if name not in _REQUESTER}
    asked["username"] = user.name
    if user.uid:
        asked["uid"] = user.uid
    if user.groups:
        asked["groups"] = list(user.groups)
    if user.extra:
        asked["extra"] = {name: list(values) for name, values in user.extra.items()}
    return asked


def _check_subject(request: Attributes, spec: Object) -> None:
    """Nobody becomes a master by a certificate that somebody approves without looking."""
    if string(spec, "signerName") != _API_CLIENT:
        return
    try:
        asked = read_request(base64.b64decode(string(spec, "request")))
    except (PemError, ValueError):
        return
    if MASTERS in asked.organizations:
        why = f"use of {_API_CLIENT} signer with {MASTERS} group is not allowed"
        raise forbidden(request.resource, request.name, why)


def _is_signing(obj: Object, old: Object) -> bool:
    """Does the write change what only the signer may?"""
    new, before = section(obj, "status"), section(old, "status")
    return any(new.get(field) != before.get(field) for field in ("certificate", "conditions"))
