"""CertificateSigningRequest: somebody asks a signer for a certificate, somebody else approves, the signer signs.

The request itself never changes. Each writer has a part: `approval` the conditions Approved and Denied,
`status` the certificate and the condition Failed, the main resource nothing but metadata.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import metadata_of
from ktui.engine.api.resources.columns import AGE, NAME, NONE, text
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.fields import duplicate, forbidden, invalid, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.signers import check_signer_name
from ktui.kube import names
from ktui.kube.age import human_duration
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.errors import invalid as refused
from ktui.kube.kinds import CERTIFICATE_SIGNING_REQUESTS
from ktui.kube.resource import Object
from ktui.kube.x509 import PemError, pem_blocks, read_request

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
LEGACY_UNKNOWN: Final = "kubernetes.io/legacy-unknown"
_FINAL: Final = (APPROVED, DENIED, FAILED)
_SHORTEST_SECONDS: Final = 600
_USAGES: Final = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)


def prepare_update(new: Object, old: Object) -> Object:
    """What was asked stays; only metadata can be updated."""
    return keep_status({**new, "spec": section(old, "spec")}, old)


def approval(new: Object, old: Object) -> Object:
    """The approval subresource: conditions, but not the certificate. Raises 422."""
    certificate = section(old, "status").get("certificate")
    status: Object = {name: value for name, value in section(new, "status").items() if name != "certificate"}
    if certificate:
        status["certificate"] = certificate
    changed = status_and_metadata({**new, "status": status}, old)
    _check(changed, old, _update_errors(changed, old, may_decide=True))
    return changed


def prepare_status(new: Object, old: Object) -> Object:
    """The status subresource: everything but the decision, which stays when it is left out. Raises 422."""
    changed = status_and_metadata(new, old)
    conditions = items(section(changed, "status"), "conditions")
    found = {string(condition, "type") for condition in conditions}
    kept = [
        condition
        for condition in items(section(old, "status"), "conditions")
        if condition.get("type") in (APPROVED, DENIED) and condition.get("type") not in found
    ]
    if kept:
        changed = {**changed, "status": {**section(changed, "status"), "conditions": [*kept, *conditions]}}
    _check(changed, old, _update_errors(changed, old, may_sign=True))
    return changed


def validate(request: Object) -> list[Cause]:
    spec = section(request, "spec")
    causes = check_metadata(request, namespaced=False, name_rule=names.path_segment)
    causes += _request(string(spec, "request"))
    causes += _usages(strings(spec, "usages"))
    causes += _signer(string(spec, "signerName"))
    seconds: int | None = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST_SECONDS:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        causes.append(invalid("spec.expirationSeconds", seconds, why))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old)


def _check(changed: Object, old: Object, causes: Sequence[Cause]) -> None:
    if causes:
        raise refused(CERTIFICATE_SIGNING_REQUESTS, string(metadata_of(old), "name"), causes)


def _request(encoded: str) -> list[Cause]:
    try:
        read_request(base64.b64decode(encoded, validate=True))
    except (PemError, binascii.Error) as error:
        return [invalid("spec.request", encoded, str(error))]
    return []


def _usages(usages: Sequence[str]) -> list[Cause]:
    if not usages:
        return [required("spec.usages")]
    causes: list[Cause] = []
    for index, usage in enumerate(usages):
        path = f"spec.usages[{index}]"
        if usage not in _USAGES:
            causes.append(unsupported(path, usage, _USAGES))
        if usage in usages[:index]:
            causes.append(duplicate(path, usage))
    return causes


def _signer(name: str) -> list[Cause]:
    path = "spec.signerName"
    if name == LEGACY_UNKNOWN:
        return [invalid(path, name, "the legacy signerName is not allowed via this API version")]
    return check_signer_name(path, name)


def _update_errors(
    new: Object, old: Object, *, may_decide: bool = False, may_sign: bool = False
) -> list[Cause]:
    """What an update of a status part may not do."""
    path = "status.conditions"
    causes = _conditions(items(section(new, "status"), "conditions"))
    for kind in _FINAL:
        before, after = _of(old, kind), _of(new, kind)
        if len(after) < len(before):
            causes.append(forbidden(path, f'updates may not remove a condition of type "{kind}"'))
        elif kind != FAILED and not may_decide and before != after:
            verb = "add" if len(after) > len(before) else "modify"
            causes.append(forbidden(path, f'updates may not {verb} a condition of type "{kind}"'))
    issued, asked = section(old, "status").get("certificate"), section(new, "status").get("certificate")
    if (asked or "") != (issued or ""):
        if not may_sign:
            causes.append(forbidden("status.certificate", "updates may not set certificate content"))
        elif issued:
            why = "updates may not modify existing certificate content"
            causes.append(forbidden("status.certificate", why))
    return causes + _certificate(asked or "")


def _conditions(conditions: Sequence[Object]) -> list[Cause]:
    causes: list[Cause] = []
    seen: list[str] = []
    for index, condition in enumerate(conditions):
        path, kind = f"status.conditions[{index}]", string(condition, "type")
        status = string(condition, "status")
        if not kind:
            causes.append(required(f"{path}.type"))
        allowed = ("True",) if kind in _FINAL else ("False", "True", "Unknown")
        if not status:
            causes.append(required(f"{path}.status"))
        elif status not in allowed:
            causes.append(unsupported(f"{path}.status", status, allowed))
        if kind in (APPROVED, DENIED) and (DENIED if kind == APPROVED else APPROVED) in seen:
            why = "Approved and Denied conditions are mutually exclusive"
            causes.append(invalid(f"{path}.type", kind, why))
        if kind in seen:
            causes.append(duplicate(f"{path}.type", kind))
        seen.append(kind)
    return causes


def _certificate(encoded: str) -> list[Cause]:
    if not encoded:
        return []
    why = ""
    try:
        kinds = pem_blocks(base64.b64decode(encoded, validate=True))
        if not kinds:
            why = "must contain one or more CERTIFICATE PEM blocks"
        elif wrong := next((kind for kind in kinds if kind != "CERTIFICATE"), ""):
            why = f'only CERTIFICATE PEM blocks are allowed, found "{wrong}"'
    except (PemError, binascii.Error) as error:
        why = str(error)
    return [invalid("status.certificate", "<certificate data>", why)] if why else []


def _of(request: Object, kind: str) -> list[Object]:
    return [
        condition
        for condition in items(section(request, "status"), "conditions")
        if condition.get("type") == kind
    ]


def condition_text(request: Object) -> str:
    """How far a request has come: `Approved,Issued`."""
    state = DENIED if _of(request, DENIED) else APPROVED if _of(request, APPROVED) else "Pending"
    failed = ",Failed" if _of(request, FAILED) else ""
    return state + failed + (",Issued" if section(request, "status").get("certificate") else "")


def _duration(request: Object) -> str:
    seconds: int | None = section(request, "spec").get("expirationSeconds")
    return NONE if seconds is None else human_duration(seconds)


DECLARATIONS = (
    Declaration(
        resource=CERTIFICATE_SIGNING_REQUESTS,
        schema="io.k8s.api.certificates.v1.CertificateSigningRequest",
        columns=(
            NAME,
            AGE,
            text(
                "SignerName", lambda found: string(section(found, "spec"), "signerName") or NONE, "Who signs."
            ),
            text("Requestor", lambda found: string(section(found, "spec"), "username"), "Who asked."),
            text("RequestedDuration", _duration, "How long the certificate is wanted for."),
            text("Condition", condition_text, "Pending, Approved or Denied; Failed; Issued."),
        ),
        prepare_create=without_status,
        prepare_update=prepare_update,
        prepare_status=prepare_status,
        validate_create=validate,
        validate_update=validate_update,
        has_status=True,
        selectable_fields={"spec.signerName": lambda found: string(section(found, "spec"), "signerName")},
    ),
)
