"""ReplicationController: what ReplicaSets grew out of, with a plain map as its selector."""

from __future__ import annotations

from ktui.engine.api.declaration import Cell, Declaration, Scale
from ktui.engine.api.resources.columns import AGE, NAME, NONE, WORKLOAD_WIDE, number, text
from ktui.engine.api.resources.pod_defaults import default_template
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.replicationcontrollers import (
    validate_replication_controller,
    validate_replication_controller_update,
)
from ktui.kube.data import mapping, section
from ktui.kube.kinds import REPLICATION_CONTROLLERS
from ktui.kube.resource import Object
from ktui.kube.selector import Selector


def default(controller: Object) -> Object:
    spec: Object = {"replicas": 1, **section(controller, "spec")}
    metadata = section(controller, "metadata")
    if "template" in spec:
        spec["template"] = default_template(spec["template"] or {})
        labels = mapping(section(spec, "template", "metadata"), "labels")
        if labels:
            spec["selector"] = spec.get("selector") or labels
            metadata = {**metadata, "labels": metadata.get("labels") or labels}
    return {**controller, "metadata": metadata, "spec": spec}


def prepare_create(controller: Object) -> Object:
    return {**without_status(controller), "status": {"replicas": 0}}


def _replicas(controller: Object) -> str:
    return str(section(controller, "status").get("replicas") or 0)


def _selector(controller: Object) -> Cell:
    return str(Selector.of_labels(mapping(section(controller, "spec"), "selector"))) or NONE


DECLARATIONS = (
    Declaration(
        resource=REPLICATION_CONTROLLERS,
        schema="io.k8s.api.core.v1.ReplicationController",
        columns=(
            NAME,
            number("Desired", lambda rc: section(rc, "spec").get("replicas"), "Pods wanted."),
            number("Current", lambda rc: section(rc, "status").get("replicas"), "Pods there are."),
            number("Ready", lambda rc: section(rc, "status").get("readyReplicas"), "Pods that are ready."),
            AGE,
            *WORKLOAD_WIDE[:2],
            text("Selector", _selector, "Label selector of the pods.", priority=1),
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_replication_controller,
        validate_update=validate_replication_controller_update,
        has_status=True,
        has_generation=True,
        scale=Scale(),
        selectable_fields={"status.replicas": _replicas},
        orphans_by_default=True,
    ),
)
