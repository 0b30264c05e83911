"""Lease: who holds something and until when; heartbeats of nodes, election of leaders."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.validation.fields import each_invalid, forbidden, invalid, one_of
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
    strategy: str | None = spec.get("strategy")
    if strategy is not None and "/" in strategy:
        causes += each_invalid("spec.strategy", strategy, names.qualified_name(strategy))
    elif strategy is not None:
        causes += one_of("spec.strategy", strategy, ("OldestEmulationVersion",))
    if spec.get("preferredHolder") and not strategy:
        why = "may only be specified if `strategy` is defined"
        causes.append(forbidden("spec.preferredHolder", why))
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
