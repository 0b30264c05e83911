"""ControllerRevision: a past template of a workload; its data never changes."""

from __future__ import annotations

from ktui.engine.api.declaration import Cell, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, number, text
from ktui.engine.api.validation.fields import immutable, invalid, required
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube import names
from ktui.kube.data import section
from ktui.kube.errors import Cause
from ktui.kube.kinds import CONTROLLER_REVISIONS
from ktui.kube.resource import Object


def validate(revision: Object) -> list[Cause]:
    causes = check_metadata(revision, namespaced=True)
    if revision.get("data") is None:
        causes.append(required("data", "data is mandatory"))
    number_of = revision.get("revision") or 0
    if number_of < 0:
        causes.append(invalid("revision", number_of, names.NON_NEGATIVE))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + immutable("data", new.get("data"), old.get("data"))


def _controller(revision: Object) -> Cell:
    owners: list[Object] = section(revision, "metadata").get("ownerReferences") or []
    for owner in owners:
        if owner.get("controller"):
            group = str(owner.get("apiVersion") or "").rpartition("/")[0]
            kind = str(owner.get("kind") or "").lower()
            return f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"
    return NONE


DECLARATIONS = (
    Declaration(
        resource=CONTROLLER_REVISIONS,
        schema="io.k8s.api.apps.v1.ControllerRevision",
        columns=(
            NAME,
            text("Controller", _controller, "The workload it belongs to."),
            number("Revision", lambda revision: revision.get("revision"), "Its place in the history."),
            AGE,
        ),
        validate_create=validate,
        validate_update=validate_update,
    ),
)
