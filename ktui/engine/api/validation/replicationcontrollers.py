"""Rules for ReplicationControllers: a selector that fits the template, pods that run for ever."""

from __future__ import annotations

from ktui.engine.api.validation.fields import invalid, non_negative, required
from ktui.engine.api.validation.metadata import check_labels, check_metadata, check_metadata_update
from ktui.engine.api.validation.pod_template import check_template
from ktui.kube.data import mapping, section
from ktui.kube.errors import Cause
from ktui.kube.resource import Object


def validate_replication_controller(controller: Object) -> list[Cause]:
    spec: Object = controller.get("spec") or {}
    selector = mapping(spec, "selector")
    causes = check_metadata(controller, namespaced=True)
    causes += non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    causes += check_labels(selector, "spec.selector") if selector else [required("spec.selector")]
    causes += non_negative("spec.replicas", spec.get("replicas"))
    template: Object | None = spec.get("template")
    if template is None:
        return [*causes, required("spec.template")]
    labels = mapping(section(template, "metadata"), "labels")
    if not selector.items() <= labels.items():
        why = "`selector` does not match template `labels`"
        causes.append(invalid("spec.template.metadata.labels", labels, why))
    return causes + check_template(template, "spec.template", restart_always="ReplicationController")


def validate_replication_controller_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old)
