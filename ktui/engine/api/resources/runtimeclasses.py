"""RuntimeClass: a name for how a container runtime runs pods, with what that costs and where it can be had."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, text
from ktui.engine.api.validation.compute import check_overhead
from ktui.engine.api.validation.fields import duplicate, each_invalid, immutable, required
from ktui.engine.api.validation.metadata import check_labels, check_metadata, check_metadata_update
from ktui.engine.api.validation.scheduling import check_tolerations
from ktui.kube import names
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import RUNTIME_CLASSES
from ktui.kube.resource import Object


def default(runtime_class: Object) -> Object:
    """Tolerations are kept as pods keep them."""
    scheduling = section(runtime_class, "scheduling")
    if not scheduling.get("tolerations"):
        return runtime_class
    filled = [
        each if each.get("operator") or not each.get("key") else {**each, "operator": "Equal"}
        for each in items(scheduling, "tolerations")
    ]
    return {**runtime_class, "scheduling": {**scheduling, "tolerations": filled}}


def validate(runtime_class: Object) -> list[Cause]:
    causes = check_metadata(runtime_class, namespaced=False)
    handler = string(runtime_class, "handler")
    causes += each_invalid("handler", handler, names.dns_label(handler)) if handler else [required("handler")]
    causes += check_overhead(mapping(section(runtime_class, "overhead"), "podFixed"), "overhead.podFixed")
    scheduling = section(runtime_class, "scheduling")
    causes += check_labels(mapping(scheduling, "nodeSelector"), "scheduling.nodeSelector")
    tolerations = items(scheduling, "tolerations")
    causes += check_tolerations(tolerations, "scheduling.tolerations")
    return causes + [
        duplicate(f"scheduling.tolerations[{index}]", each)
        for index, each in enumerate(tolerations)
        if each in tolerations[:index]
    ]


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + immutable("handler", new.get("handler"), old.get("handler"))


DECLARATIONS = (
    Declaration(
        resource=RUNTIME_CLASSES,
        schema="io.k8s.api.node.v1.RuntimeClass",
        columns=(
            NAME,
            text("Handler", lambda found: string(found, "handler"), "The runtime's name for it."),
            AGE,
        ),
        default=default,
        creates_on_update=True,
        needs_version=True,
        validate_create=validate,
        validate_update=validate_update,
    ),
)
