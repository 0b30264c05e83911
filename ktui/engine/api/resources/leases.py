"""Lease: who holds something and until when; heartbeats of nodes, election of leaders."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.validation.fields import invalid, one_of, required
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import section
from ktui.kube.errors import Cause
from ktui.kube.kinds import LEASES
from ktui.kube.resource import Object


def validate(lease: Object) -> list[Cause]:
    causes = check_metadata(lease, namespaced=True)
    spec = section(lease, "spec")
    duration = spec.get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        causes.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    transitions = spec.get("leaseTransitions")
    if transitions is not None and transitions < 0:
        causes.append(invalid("spec.leaseTransitions", transitions, names.NON_NEGATIVE))
    if "holderIdentity" in spec and not spec["holderIdentity"]:
        causes.append(invalid("spec.holderIdentity", "", "must not be empty"))
    if "strategy" in spec:
        causes += one_of("spec.strategy", spec["strategy"], ("OldestEmulationVersion",))
    if spec.get("preferredHolder") and not spec.get("strategy"):
        causes.append(required("spec.strategy", "must be set when `preferredHolder` is set"))
    return causes


DECLARATIONS = (
    Declaration(
        resource=LEASES,
        schema="io.k8s.api.coordination.v1.Lease",
        creates_on_update=True,
        columns=(
            NAME,
            text(
                "Holder",
                lambda lease: str(section(lease, "spec").get("holderIdentity") or ""),
                "Who holds it.",
            ),
            AGE,
        ),
        needs_version=True,
        validate_create=validate,
        validate_update=check_metadata_update,
    ),
)
