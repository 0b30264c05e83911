"""Node: cluster-scoped; its agent reports status, its taints and `unschedulable` steer the scheduler."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, UNKNOWN, text
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata
from ktui.engine.api.validation.nodes import validate_node, validate_node_update
from ktui.kube.data import section
from ktui.kube.kinds import NODES
from ktui.kube.resource import Object

_ROLE_PREFIX: Final = "node-role.kubernetes.io/"
_ROLE: Final = "kubernetes.io/role"


def default(node: Object) -> Object:
    """What can be allocated is all there is, unless the agent says otherwise."""
    status = section(node, "status")
    if "capacity" not in status or "allocatable" in status:
        return node
    return {**node, "status": {**status, "allocatable": status["capacity"]}}


def _status(node: Object) -> str:
    conditions: list[Object] = section(node, "status").get("conditions") or []
    ready = [
        "Ready" if condition.get("status") == "True" else "NotReady"
        for condition in conditions
        if condition.get("type") == "Ready"
    ]
    cordoned = ["SchedulingDisabled"] if section(node, "spec").get("unschedulable") else []
    return ",".join([*(ready or ["Unknown"]), *cordoned])


def _roles(node: Object) -> str:
    labels: dict[str, str] = section(node, "metadata").get("labels") or {}
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)} - {""}
    if labels.get(_ROLE):
        roles.add(labels[_ROLE])
    return ",".join(sorted(roles)) or NONE


def _info(node: Object, field: str) -> str:
    info: Object = section(node, "status").get("nodeInfo") or {}
    return str(info.get(field) or "")


def _address(node: Object, kind: str) -> str:
    addresses: list[Object] = section(node, "status").get("addresses") or []
    return next((str(a.get("address")) for a in addresses if a.get("type") == kind), NONE)


def _unschedulable(node: Object) -> str:
    return "true" if section(node, "spec").get("unschedulable") else "false"


DECLARATIONS = (
    Declaration(
        resource=NODES,
        schema="io.k8s.api.core.v1.Node",
        columns=(
            NAME,
            text("Status", _status, "Whether its agent reports it ready, and whether it takes pods."),
            text("Roles", _roles, "From its labels."),
            AGE,
            text("Version", lambda node: _info(node, "kubeletVersion"), "The version of its agent."),
            text("Internal-IP", lambda node: _address(node, "InternalIP"), priority=1),
            text("External-IP", lambda node: _address(node, "ExternalIP"), priority=1),
            text("OS-Image", lambda node: _info(node, "osImage") or UNKNOWN, priority=1),
            text("Kernel-Version", lambda node: _info(node, "kernelVersion") or UNKNOWN, priority=1),
            text(
                "Container-Runtime",
                lambda node: _info(node, "containerRuntimeVersion") or UNKNOWN,
                priority=1,
            ),
        ),
        default=default,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_node,
        validate_update=validate_node_update,
        has_status=True,
        selectable_fields={"spec.unschedulable": _unschedulable},
    ),
)
