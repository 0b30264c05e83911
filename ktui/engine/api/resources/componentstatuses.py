"""ComponentStatus: whether a part of the control plane works. Worked out at every read, never stored."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import NAME, text
from ktui.kube.data import items, string
from ktui.kube.kinds import COMPONENT_STATUSES
from ktui.kube.resource import Object

HEALTHY = "Healthy"


def component_status(name: str, failure: str) -> Object:
    """What is said of a component; `failure` is what is wrong with it."""
    condition = {"type": HEALTHY, "status": "False" if failure else "True"}
    condition |= {"error": failure} if failure else {"message": "ok"}
    return {
        "kind": COMPONENT_STATUSES.kind,
        "apiVersion": COMPONENT_STATUSES.api_version,
        "metadata": {"name": name},
        "conditions": [condition],
    }


def _condition(status: Object) -> Object:
    none: Object = {}
    return next((each for each in items(status, "conditions") if each.get("type") == HEALTHY), none)


def _health(status: Object) -> str:
    said = _condition(status).get("status")
    return {"True": HEALTHY, "False": "Unhealthy"}.get(str(said), "Unknown")


DECLARATIONS = (
    Declaration(
        resource=COMPONENT_STATUSES,
        schema="io.k8s.api.core.v1.ComponentStatus",
        columns=(
            NAME,
            text("Status", _health, "Status of the component conditions"),
            text("Message", lambda found: string(_condition(found), "message"), "What it answers."),
            text("Error", lambda found: string(_condition(found), "error"), "What is wrong with it."),
        ),
        warning="v1 ComponentStatus is deprecated in v1.19+",
    ),
)
