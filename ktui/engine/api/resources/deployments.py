"""Deployment: a ReplicaSet for each template, replaced step by step."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.declaration import Declaration, Scale
from ktui.engine.api.documents import with_metadata
from ktui.engine.api.resources.columns import AGE, NAME, WORKLOAD_WIDE, number, text
from ktui.engine.api.resources.pod_defaults import default_template
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.workloads import validate_deployment, validate_deployment_update
from ktui.kube.data import section
from ktui.kube.kinds import DEPLOYMENTS
from ktui.kube.resource import Object

_SPEC: Final[dict[str, Any]] = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
_ROLLING: Final = {"maxUnavailable": "25%", "maxSurge": "25%"}


def default(deployment: Object) -> Object:
    spec: Object = {**_SPEC, **section(deployment, "spec")}
    strategy: Object = {**(spec.get("strategy") or {})}
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {**_ROLLING, **(strategy.get("rollingUpdate") or {})}
    spec["strategy"] = strategy
    spec["template"] = default_template(spec.get("template") or {})
    return {**deployment, "spec": spec}


def prepare_create(deployment: Object) -> Object:
    return {**without_status(deployment), "status": {}}


def prepare_status(new: Object, old: Object) -> Object:
    """Labels stay, other metadata goes with the status."""
    labels = section(old, "metadata").get("labels")
    return with_metadata(status_and_metadata(new, old), labels=labels)


def _ready(deployment: Object) -> str:
    ready = section(deployment, "status").get("readyReplicas") or 0
    return f"{ready}/{section(deployment, 'spec').get('replicas') or 0}"


DECLARATIONS = (
    Declaration(
        resource=DEPLOYMENTS,
        schema="io.k8s.api.apps.v1.Deployment",
        columns=(
            NAME,
            text("Ready", _ready, "Pods that are ready, of those wanted."),
            number(
                "Up-to-date",
                lambda d: section(d, "status").get("updatedReplicas"),
                "Pods of the new template.",
            ),
            number(
                "Available",
                lambda d: section(d, "status").get("availableReplicas"),
                "Pods ready for long enough.",
            ),
            AGE,
            *WORKLOAD_WIDE,
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=keep_status,
        prepare_status=prepare_status,
        validate_create=validate_deployment,
        validate_update=validate_deployment_update,
        has_status=True,
        has_generation=True,
        scale=Scale(),
    ),
)
