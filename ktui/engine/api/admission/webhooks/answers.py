"""A webhook's answer: whether it is one, what it says, and the words in which a refusal reaches the user."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from ktui.engine.api.admission.webhooks.calling import CallError
from ktui.kube.errors import StatusError, bad_request, internal
from ktui.kube.resource import GroupVersionKind, Object


class Answer(msgspec.Struct, rename="camel"):
    """`AdmissionResponse`."""

    uid: str = ""
    allowed: bool = False
    status: dict[str, Any] | None = None
    patch: str | None = None
    patch_type: str | None = None
    audit_annotations: dict[str, str] | None = None
    warnings: list[str] | None = None

    @property
    def operations(self) -> Sequence[Any]:
        """The JSON patch; raises CallError if it is none."""
        if not self.patch:
            return ()
        if self.patch_type != "JSONPatch":
            raise CallError(f'unsupported patch type "{self.patch_type}"')
        try:
            found: Any = msgspec.json.decode(b64decode(self.patch, validate=True))
        except (binascii.Error, msgspec.DecodeError) as error:
            raise CallError(f"received undecodable patch in webhook response: {error}") from error
        if not isinstance(found, list):
            raise CallError("received undecodable patch in webhook response: a JSON patch must be a list")
        return cast("list[Any]", found)


def verified(review: Object, uid: str, version: str, *, mutates: bool) -> Answer:
    """The answer to a review of this uid and version; raises CallError for what is none."""
    try:
        return _verified(review, uid, version, mutates=mutates)
    except CallError as error:
        raise CallError(f"received invalid webhook response: {error}") from error


def _verified(review: Object, uid: str, version: str, *, mutates: bool) -> Answer:
    content = review.get("response")
    if content is None:
        raise CallError("webhook response was absent")
    try:
        answer = msgspec.convert(content, Answer)
    except msgspec.ValidationError as error:
        raise CallError(str(error)) from error
    if version == "v1beta1":
        answer.patch_type = "JSONPatch" if answer.patch and answer.patch_type is None else answer.patch_type
    else:
        if answer.uid != uid:
            raise CallError(f'expected response.uid="{uid}", got "{answer.uid}"')
        wanted = GroupVersionKind("admission.k8s.io", version, "AdmissionReview")
        if (found := GroupVersionKind.of(review)) != wanted:
            raise CallError(f"expected webhook response of {_named(wanted)}, got {_named(found)}")
    if not mutates and answer.patch:
        raise CallError("validating webhook may not return response.patch")
    if not mutates and answer.patch_type is not None:
        raise CallError("validating webhook may not return response.patchType")
    if answer.patch and answer.patch_type is None:
        raise CallError("webhook returned response.patch but not response.patchType")
    if answer.patch_type is not None and not answer.patch:
        raise CallError("webhook returned response.patchType but not response.patch")
    return answer


def _named(kind: GroupVersionKind) -> str:
    return f"{kind.api_version}, Kind={kind.kind}"


def denied(name: str, result: Mapping[str, Any] | None) -> StatusError:
    """The webhook's own Status, in whose message stands who refused."""
    found: Object = dict(result or {})
    code = found.get("code")
    if not isinstance(code, int) or code < 400:
        found["code"] = 400
    if found.get("status") in (None, "", "Success"):
        found["status"] = "Failure"
    by = f'admission webhook "{name}" denied the request'
    why = found.get("message") or found.get("reason")
    found["message"] = f"{by}: {why}" if why else f"{by} without explanation"
    return StatusError({"kind": "Status", "apiVersion": "v1", "metadata": {}, **found})


def failed(name: str, error: CallError) -> StatusError:
    """500: a webhook that has to be asked can't be."""
    return internal(f'failed calling webhook "{name}": {error}')


def not_on_dry_run(name: str) -> StatusError:
    """400: the webhook would do more than answer."""
    return bad_request(f'admission webhook "{name}" does not support dry run')
