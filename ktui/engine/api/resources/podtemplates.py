"""PodTemplate: a pod to make later, kept under a name; nothing in Kubernetes makes pods of it by itself."""

from __future__ import annotations

from dataclasses import replace

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import NAME, NONE, text, workload_wide
from ktui.engine.api.resources.pod_defaults import default_template
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.pod_template import check_template
from ktui.kube.data import mapping, section
from ktui.kube.errors import Cause
from ktui.kube.kinds import POD_TEMPLATES
from ktui.kube.resource import Object


def default(template: Object) -> Object:
    return {**template, "template": default_template(section(template, "template"))}


def validate(template: Object) -> list[Cause]:
    causes = check_metadata(template, namespaced=True)
    return causes + check_template(section(template, "template"), "template")


def _labels(template: Object) -> str:
    labels = mapping(section(template, "template", "metadata"), "labels")
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


def _as_workload(template: Object) -> Object:
    return {"spec": {"template": section(template, "template")}}


DECLARATIONS = (
    Declaration(
        resource=POD_TEMPLATES,
        schema="io.k8s.api.core.v1.PodTemplate",
        columns=(
            NAME,
            *(replace(column, priority=0) for column in workload_wide(_as_workload)[:2]),
            text("Pod Labels", _labels, "The labels for the pod template."),
        ),
        default=default,
        validate_create=validate,
        validate_update=check_metadata_update,
        has_generation=True,
    ),
)
