"""ResourceClaim and ResourceClaimTemplate: devices somebody needs, and what was allocated for that."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.fields import immutable
from ktui.engine.api.validation.metadata import (
    check_annotations,
    check_labels,
    check_metadata,
    check_metadata_update,
)
from ktui.engine.api.validation.resourceclaims import check_claim_spec, check_claim_status
from ktui.kube.data import items, mapping, section
from ktui.kube.errors import Cause
from ktui.kube.kinds import RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from ktui.kube.resource import Object


def default(claim: Object) -> Object:
    return {**claim, "spec": _default_spec(section(claim, "spec"))}


def default_template(template: Object) -> Object:
    spec = section(template, "spec")
    return {**template, "spec": {**spec, "spec": _default_spec(section(spec, "spec"))}}


def _default_spec(spec: Object) -> Object:
    devices = section(spec, "devices")
    requests = items(devices, "requests")
    if not requests:
        return spec
    return {**spec, "devices": {**devices, "requests": [_default_request(each) for each in requests]}}


def _default_request(request: Object) -> Object:
    if request.get("exactly") is not None:
        return {**request, "exactly": _counted(request["exactly"])}
    if request.get("firstAvailable"):
        return {**request, "firstAvailable": [_counted(each) for each in request["firstAvailable"]]}
    return request


def _counted(request: Object) -> Object:
    """One device, unless it says how many."""
    mode = request.get("allocationMode") or "ExactCount"
    counted = {**request, "allocationMode": mode}
    if mode == "ExactCount" and not request.get("count"):
        counted["count"] = 1
    return counted


def validate(claim: Object) -> list[Cause]:
    return check_metadata(claim, namespaced=True) + check_claim_spec(section(claim, "spec"), "spec")


def validate_template(template: Object) -> list[Cause]:
    spec = section(template, "spec")
    metadata = section(spec, "metadata")
    causes = check_metadata(template, namespaced=True)
    causes += check_labels(mapping(metadata, "labels"), "spec.metadata.labels")
    causes += check_annotations(mapping(metadata, "annotations"), "spec.metadata.annotations")
    return causes + check_claim_spec(section(spec, "spec"), "spec.spec")


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + immutable("spec", new.get("spec"), old.get("spec"))


def _state(claim: Object) -> str:
    """How far a claim has come: `allocated,reserved`."""
    status = section(claim, "status")
    is_deleted = bool(section(claim, "metadata").get("deletionTimestamp"))
    states = ["deleted"] if is_deleted else []
    if status.get("allocation") is not None:
        states.append("allocated")
        states += ["reserved"] if status.get("reservedFor") else []
    elif not is_deleted:
        states.append("pending")
    return ",".join(states)


DECLARATIONS = (
    Declaration(
        resource=RESOURCE_CLAIMS,
        schema="io.k8s.api.resource.v1.ResourceClaim",
        columns=(NAME, text("State", _state, "Pending, allocated, reserved or deleted."), AGE),
        default=default,
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=only_status,
        validate_create=validate,
        validate_update=validate_update,
        validate_status=check_claim_status,
        has_status=True,
    ),
    Declaration(
        resource=RESOURCE_CLAIM_TEMPLATES,
        schema="io.k8s.api.resource.v1.ResourceClaimTemplate",
        columns=(NAME, AGE),
        default=default_template,
        validate_create=validate_template,
        validate_update=validate_update,
    ),
)
