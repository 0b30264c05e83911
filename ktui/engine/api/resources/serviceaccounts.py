"""ServiceAccount: the identity pods run as, and the secrets they pull images with."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, number
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube.errors import Cause
from ktui.kube.kinds import SERVICE_ACCOUNTS
from ktui.kube.resource import Object


def validate(account: Object) -> list[Cause]:
    return check_metadata(account, namespaced=True)


DECLARATIONS = (
    Declaration(
        resource=SERVICE_ACCOUNTS,
        schema="io.k8s.api.core.v1.ServiceAccount",
        returns_deleted=True,
        columns=(
            NAME,
            number("Secrets", lambda account: len(account.get("secrets") or ()), "Secrets pods may use."),
            AGE,
        ),
        validate_create=validate,
        validate_update=check_metadata_update,
    ),
)
