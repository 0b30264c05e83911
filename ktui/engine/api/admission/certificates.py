"""Certificate requests and trust bundles: who asked is the server's to say, and approving, signing and vouching for
trust anchors take a right on the signer.

In: creates of requests and writes of their parts. Out: the caller's name in the spec, times in conditions that
have none, or 403 for who may not `approve`, `sign` or `attest` for that signer.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Final

from ktui.engine.api.admission.base import Attributes
from ktui.engine.api.authorization import MASTERS
from ktui.engine.api.request import Access, Authorizer
from ktui.engine.api.validation.fields import forbidden as refused
from ktui.engine.api.validation.fields import invalid as wrong
from ktui.kube.clock import Clock, parse_time, rfc3339
from ktui.kube.data import items, section, string
from ktui.kube.errors import StatusError, forbidden, invalid
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS, CLUSTER_TRUST_BUNDLES, POD_CERTIFICATE_REQUESTS
from ktui.kube.resource import Object, Resource
from ktui.kube.x509 import PemError, read_request

_SIGNERS: Final = Resource("certificates.k8s.io", "v1", "signers", "Signer", False)
_API_CLIENT: Final = "kubernetes.io/kube-apiserver-client"
_CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a certificate's start may be from now."""
_COLLECTED: Final = ("ownerReferences", "finalizers", "resourceVersion", "managedFields", "generation")
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
        if obj is None:
            return
        match request.resource.key:
            case CERTIFICATE_SIGNING_REQUESTS.key:
                await self._signing_request(request, obj, old)
            case POD_CERTIFICATE_REQUESTS.key:
                await self._pod_request(request, obj, old)
            case CLUSTER_TRUST_BUNDLES.key:
                await self._trust_bundle(request, obj, old)
            case _:
                return

    async def _signing_request(self, request: Attributes, obj: Object, old: Object | None) -> None:
        if request.operation == "CREATE":
            _check_subject(request, section(obj, "spec"))
        if request.operation != "UPDATE" or old is None:
            return
        signer = string(section(old, "spec"), "signerName")
        verb = ""
        if request.subresource == "approval":
            verb = "approve"
        elif request.subresource == "status" and _is_signing(obj, old):
            verb = "sign"
        if verb and not await self._may(request, verb, signer):
            why = f'user not permitted to {verb} requests with signerName "{signer}"'
            raise forbidden(request.resource, request.name, why)

    async def _pod_request(self, request: Attributes, obj: Object, old: Object | None) -> None:
        status = section(obj, "status")
        if request.subresource != "status" or old is None or status == section(old, "status"):
            return
        start = status.get("notBefore")
        if start and abs(parse_time(start) - self._clock.now()) >= _CLOCK_SKEW:
            why = "must be set to within 5 minutes of kube-apiserver's current time"
            raise invalid(request.resource, request.name, [wrong("status.notBefore", start, why)])
        signer = string(section(old, "spec"), "signerName")
        if not await self._may(request, "sign", signer):
            why = f'User "{request.user.name}" is not permitted to "sign" for signer "{signer}"'
            raise invalid(request.resource, request.name, [refused("spec.signerName", why)])

    async def _trust_bundle(self, request: Attributes, obj: Object, old: Object | None) -> None:
        signer = string(section(obj, "spec"), "signerName")
        if not signer or (old is not None and _only_for_the_collector(obj, old)):
            return
        if not await self._may(request, "attest", signer):
            why = f'user not permitted to attest for signerName "{signer}"'
            raise forbidden(request.resource, request.name, why)

    async def _may(self, request: Attributes, verb: str, signer: str) -> bool:
        """Has the user the right on that signer, or on all of its domain?"""
        for name in (signer, f"{signer.partition('/')[0]}/*"):
            try:
                await self._authorizer.authorize(Access(request.user, verb, _SIGNERS, "", name))
            except StatusError:
                continue
            return True
        return False

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


def _only_for_the_collector(new: Object, old: Object) -> bool:
    """Does an update change nothing but what garbage collection and the server itself keep in metadata?"""

    def rest(obj: Object) -> Object:
        return {**obj, "metadata": {k: v for k, v in section(obj, "metadata").items() if k not in _COLLECTED}}

    return rest(new) == rest(old)


def _is_signing(obj: Object, old: Object) -> bool:
    """Does the write change what only the signer may?"""
    new, before = section(obj, "status"), section(old, "status")
    return any(new.get(field) != before.get(field) for field in ("certificate", "conditions"))
