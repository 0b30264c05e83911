"""ReplicaSet: a number of equal pods."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration, Scale
from ktui.engine.api.resources.columns import AGE, NAME, WORKLOAD_WIDE, number
from ktui.engine.api.resources.pod_defaults import default_template
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.workloads import validate_replica_set, validate_replica_set_update
from ktui.kube.data import section
from ktui.kube.kinds import REPLICA_SETS
from ktui.kube.resource import Object


def default(replica_set: Object) -> Object:
    spec: Object = {"replicas": 1, **section(replica_set, "spec")}
    spec["template"] = default_template(spec.get("template") or {})
    return {**replica_set, "spec": spec}


def prepare_create(replica_set: Object) -> Object:
    return {**without_status(replica_set), "status": {"replicas": 0}}


def _replicas(replica_set: Object) -> str:
    return str(section(replica_set, "status").get("replicas") or 0)


DECLARATIONS = (
    Declaration(
        resource=REPLICA_SETS,
        schema="io.k8s.api.apps.v1.ReplicaSet",
        columns=(
            NAME,
            number("Desired", lambda rs: section(rs, "spec").get("replicas"), "Pods wanted."),
            number("Current", lambda rs: section(rs, "status").get("replicas"), "Pods there are."),
            number("Ready", lambda rs: section(rs, "status").get("readyReplicas"), "Pods that are ready."),
            AGE,
            *WORKLOAD_WIDE,
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_replica_set,
        validate_update=validate_replica_set_update,
        has_status=True,
        has_generation=True,
        scale=Scale(),
        selectable_fields={"status.replicas": _replicas},
    ),
)
