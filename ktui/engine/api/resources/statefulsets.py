"""StatefulSet: pods with names, order and storage of their own."""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.declaration import Declaration, Scale
from ktui.engine.api.resources.columns import AGE, NAME, WORKLOAD_WIDE, text
from ktui.engine.api.resources.pod_defaults import default_template
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.statefulsets import (
    validate_stateful_set,
    validate_stateful_set_status,
    validate_stateful_set_update,
)
from ktui.kube.data import items, section
from ktui.kube.kinds import STATEFUL_SETS
from ktui.kube.resource import Object

_SPEC: Final[dict[str, Any]] = {
    "replicas": 1,
    "podManagementPolicy": "OrderedReady",
    "revisionHistoryLimit": 10,
}
_ROLLING: Final[dict[str, Any]] = {"partition": 0, "maxUnavailable": 1}
_RETENTION: Final = {"whenDeleted": "Retain", "whenScaled": "Retain"}
_CLAIM: Final = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}


def default(stateful_set: Object) -> Object:
    given = section(stateful_set, "spec")
    spec: Object = {**_SPEC, **given}
    strategy: Object = {**(spec.get("updateStrategy") or {})}
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {**_ROLLING, **(strategy.get("rollingUpdate") or {})}
    spec["updateStrategy"] = strategy
    spec["persistentVolumeClaimRetentionPolicy"] = {
        **_RETENTION,
        **section(given, "persistentVolumeClaimRetentionPolicy"),
    }
    spec["template"] = default_template(spec.get("template") or {})
    if "volumeClaimTemplates" in given:
        spec["volumeClaimTemplates"] = [
            _default_claim(claim) for claim in items(given, "volumeClaimTemplates")
        ]
    return {**stateful_set, "spec": spec}


def _default_claim(claim: Object) -> Object:
    spec = {"volumeMode": "Filesystem", **section(claim, "spec")}
    status = {"phase": "Pending", **section(claim, "status")}
    return {**_CLAIM, **claim, "spec": spec, "status": status}


def prepare_create(stateful_set: Object) -> Object:
    return {**without_status(stateful_set), "status": {"replicas": 0, "availableReplicas": 0}}


def _ready(stateful_set: Object) -> str:
    ready = section(stateful_set, "status").get("readyReplicas") or 0
    return f"{ready}/{section(stateful_set, 'spec').get('replicas') or 0}"


DECLARATIONS = (
    Declaration(
        resource=STATEFUL_SETS,
        schema="io.k8s.api.apps.v1.StatefulSet",
        columns=(
            NAME,
            text("Ready", _ready, "Pods that are ready, of those wanted."),
            AGE,
            *WORKLOAD_WIDE[:2],
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_stateful_set,
        validate_update=validate_stateful_set_update,
        validate_status=validate_stateful_set_status,
        has_status=True,
        has_generation=True,
        scale=Scale(),
    ),
)
