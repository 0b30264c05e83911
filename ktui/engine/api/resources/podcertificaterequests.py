"""PodCertificateRequest: a kubelet asks a signer for a certificate of a pod's; the signer issues, denies or fails it.

What was asked never changes, and neither does the answer once it is given.
"""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import NAME, NONE, Column, text
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.certificates import (
    SHORTEST_SECONDS,
    check_chain,
    check_key,
    check_user_annotations,
    longest_seconds,
)
from ktui.engine.api.validation.conditions import check_conditions
from ktui.engine.api.validation.fields import (
    each_invalid,
    immutable,
    invalid,
    required,
    too_long,
    unfit,
    unsupported,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.signers import check_signer_name
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import POD_CERTIFICATE_REQUESTS
from ktui.kube.resource import Object

_OUTCOMES: Final = ("Issued", "Denied", "Failed")
_LONGEST_UID: Final = 128
_DEFAULT_SECONDS: Final = 24 * 60 * 60


def default(request: Object) -> Object:
    spec = section(request, "spec")
    return {**request, "spec": {"maxExpirationSeconds": _DEFAULT_SECONDS, **spec}}


def validate(request: Object) -> list[Cause]:
    spec = section(request, "spec")
    causes = check_metadata(request, namespaced=True)
    causes += check_signer_name("spec.signerName", string(spec, "signerName"))
    causes += check_user_annotations(
        mapping(spec, "unverifiedUserAnnotations"), "spec.unverifiedUserAnnotations"
    )
    for field in ("pod", "serviceAccount", "node"):
        name, uid = string(spec, f"{field}Name"), string(spec, f"{field}UID")
        causes += each_invalid(f"spec.{field}Name", name, names.dns_subdomain(name))
        if not uid:
            causes.append(invalid(f"spec.{field}UID", uid, "must not be empty"))
        if len(uid.encode()) > _LONGEST_UID:
            causes.append(too_long(f"spec.{field}UID", _LONGEST_UID))
    seconds: int | None = spec.get("maxExpirationSeconds")
    if seconds is None:
        return [*causes, required("spec.maxExpirationSeconds", "must be set")]
    most = longest_seconds(string(spec, "signerName"))
    if not SHORTEST_SECONDS <= seconds <= most:
        why = f"must be in the range [{SHORTEST_SECONDS}, {most}]"
        causes.append(invalid("spec.maxExpirationSeconds", seconds, why))
    return causes + check_key(spec)


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + immutable("spec", new.get("spec"), old.get("spec"))


def validate_status(new: Object, old: Object) -> list[Cause]:
    status, before = section(new, "status"), section(old, "status")
    conditions = items(status, "conditions")
    causes = _outcomes(conditions) + check_conditions(conditions, "status.conditions")
    if causes:
        return causes
    if _outcome(old):
        why = "immutable after PodCertificateRequest is issued, denied, or failed"
        return [] if status == before else [unfit("status", why)]
    match _outcome(new):
        case "Issued":
            return check_chain(section(new, "spec"), status)
        case "":
            why = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'
            return [] if status == before else [unfit("status", why)]
        case _:
            why = (
                "non-condition status fields must be empty when denying or failing the PodCertificateRequest"
            )
            given = [field for field, value in status.items() if field != "conditions" and value]
            return [unfit("status", why)] if given else []


def _outcomes(conditions: list[Object]) -> list[Cause]:
    """One condition at most, and a true one."""
    causes: list[Cause] = []
    known = 0
    for index, condition in enumerate(conditions):
        path, kind, status = f"status.conditions[{index}]", condition.get("type"), condition.get("status")
        if kind not in _OUTCOMES:
            causes.append(unsupported(f"{path}.type", kind, sorted(_OUTCOMES)))
            continue
        known += 1
        if known > 1:
            why = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            causes.append(invalid(f"{path}.type", kind, why))
        if status != "True":
            causes.append(unsupported(f"{path}.status", status, ("True",)))
    return causes


def _outcome(request: Object) -> str:
    """How the signer answered, "" as long as it has not."""
    conditions = items(section(request, "status"), "conditions")
    found = [string(condition, "type") for condition in conditions if condition.get("status") == "True"]
    return next((kind for kind in found if kind in _OUTCOMES), "")


def _said(field: str, description: str) -> Column:
    return text(
        field[0].upper() + field[1:], lambda found: string(section(found, "spec"), field), description
    )


def _annotations(request: Object) -> str:
    annotations = mapping(section(request, "spec"), "unverifiedUserAnnotations")
    return ",".join(f"{key}={value}" for key, value in sorted(annotations.items())) or NONE


DECLARATIONS = (
    Declaration(
        resource=POD_CERTIFICATE_REQUESTS,
        schema="io.k8s.api.certificates.v1.PodCertificateRequest",
        columns=(
            NAME,
            _said("podName", "The pod."),
            _said("serviceAccountName", "Who the pod runs as."),
            _said("nodeName", "Where the pod runs."),
            _said("signerName", "Who signs."),
            text(
                "State", lambda request: _outcome(request) or "Pending", "Pending, Issued, Denied or Failed."
            ),
            text("UnverifiedUserAnnotations", _annotations, "What the pod tells the signer.", priority=1),
        ),
        default=default,
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=only_status,
        validate_create=validate,
        validate_update=validate_update,
        validate_status=validate_status,
        has_status=True,
        needs_version=True,
        selectable_fields={
            "spec.signerName": lambda request: string(section(request, "spec"), "signerName"),
            "spec.podName": lambda request: string(section(request, "spec"), "podName"),
            "spec.nodeName": lambda request: string(section(request, "spec"), "nodeName"),
        },
    ),
)
