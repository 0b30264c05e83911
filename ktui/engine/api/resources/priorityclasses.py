"""PriorityClass: a name for a number by which pods are scheduled first and preempt others."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.validation.fields import forbidden, immutable, one_of
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube.data import section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import PRIORITY_CLASSES
from ktui.kube.resource import Object

PREEMPT: Final = "PreemptLowerPriority"
SYSTEM_CLASSES: Final = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}
SYSTEM_OBJECTS: Final[tuple[Object, ...]] = (
    {
        "metadata": {"name": "system-node-critical"},
        "value": SYSTEM_CLASSES["system-node-critical"],
        "description": "Used for system critical pods that must not be moved from their current node.",
    },
    {
        "metadata": {"name": "system-cluster-critical"},
        "value": SYSTEM_CLASSES["system-cluster-critical"],
        "description": (
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
        ),
    },
)
"""The classes a new cluster begins with."""
_RESERVED: Final = "system-"
_LARGEST: Final = 1_000_000_000


def default(priority_class: Object) -> Object:
    if priority_class.get("preemptionPolicy"):
        return priority_class
    return {**priority_class, "preemptionPolicy": PREEMPT}


def validate(priority_class: Object) -> list[Cause]:
    causes = check_metadata(priority_class, namespaced=False)
    name = string(section(priority_class, "metadata"), "name")
    value: int = priority_class.get("value") or 0
    if name.startswith(_RESERVED):
        problem = _reserved(name, value, bool(priority_class.get("globalDefault")))
        if problem:
            why = f"priority class names with '{_RESERVED}' prefix are reserved for system use only. error: {problem}"
            causes.append(forbidden("metadata.name", why))
    elif value > _LARGEST:
        why = f"maximum allowed value of a user defined priority is {_LARGEST}"
        causes.append(forbidden("value", why))
    policy = string(priority_class, "preemptionPolicy")
    return causes + one_of("preemptionPolicy", policy, (PREEMPT, "Never"))


def _reserved(name: str, value: int, global_default: bool) -> str:
    """What keeps a class of this name from being one of the system's own."""
    if name not in SYSTEM_CLASSES:
        return f"{name} is not a known system priority class"
    if value != SYSTEM_CLASSES[name]:
        return f"value of {name} PriorityClass must be {SYSTEM_CLASSES[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if global_default else ""


def validate_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    if (new.get("value") or 0) != (old.get("value") or 0):
        causes.append(forbidden("value", "may not be changed in an update."))
    return causes + immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))


DECLARATIONS = (
    Declaration(
        resource=PRIORITY_CLASSES,
        schema="io.k8s.api.scheduling.v1.PriorityClass",
        columns=(
            NAME,
            text("Value", lambda found: int(found.get("value") or 0), "The higher, the more important."),
            text(
                "Global-Default",
                lambda found: bool(found.get("globalDefault")),
                "Of pods that name no class.",
            ),
            AGE,
            text(
                "PreemptionPolicy",
                lambda found: string(found, "preemptionPolicy"),
                "Whether its pods preempt.",
            ),
        ),
        default=default,
        validate_create=validate,
        validate_update=validate_update,
    ),
)
