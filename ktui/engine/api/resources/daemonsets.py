"""DaemonSet: one pod on every node that its template allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ktui.engine.api.declaration import Cell, Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, WORKLOAD_WIDE, number, text
from ktui.engine.api.resources.pod_defaults import default_template
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.daemonsets import validate_daemon_set, validate_daemon_set_update
from ktui.kube.data import mapping, section
from ktui.kube.kinds import DAEMON_SETS
from ktui.kube.resource import Object

GENERATION: Final = "deprecated.daemonset.template.generation"
"""The annotation in which apps/v1 keeps the number of times that the template changed."""
_ROLLING: Final[dict[str, Any]] = {"maxUnavailable": 1, "maxSurge": 0}
_NOTHING: Final = {
    "currentNumberScheduled": 0,
    "desiredNumberScheduled": 0,
    "numberMisscheduled": 0,
    "numberReady": 0,
}


def default(daemon_set: Object) -> Object:
    spec: Object = {"revisionHistoryLimit": 10, **section(daemon_set, "spec")}
    strategy: Object = {**(spec.get("updateStrategy") or {})}
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {**_ROLLING, **(strategy.get("rollingUpdate") or {})}
    spec["updateStrategy"] = strategy
    spec["template"] = default_template(spec.get("template") or {})
    return {**daemon_set, "spec": spec}


def prepare_create(daemon_set: Object) -> Object:
    return _with_generation({**without_status(daemon_set), "status": _NOTHING}, 1)


def prepare_update(new: Object, old: Object) -> Object:
    """Keep status and count changes of the template."""
    text = mapping(section(old, "metadata"), "annotations").get(GENERATION, "")
    generation = int(text) if text.isascii() and text.isdigit() else 1
    changed = section(new, "spec").get("template") != section(old, "spec").get("template")
    return _with_generation(keep_status(new, old), generation + changed)


def _with_generation(daemon_set: Object, generation: int) -> Object:
    metadata = section(daemon_set, "metadata")
    annotations = {**mapping(metadata, "annotations"), GENERATION: str(generation)}
    return {**daemon_set, "metadata": {**metadata, "annotations": annotations}}


def _node_selector(daemon_set: Object) -> Cell:
    labels = mapping(section(daemon_set, "spec", "template", "spec"), "nodeSelector")
    return ",".join(f"{name}={labels[name]}" for name in sorted(labels)) or NONE


def _status(field: str) -> Callable[[Object], Any]:
    return lambda daemon_set: section(daemon_set, "status").get(field)


DECLARATIONS = (
    Declaration(
        resource=DAEMON_SETS,
        schema="io.k8s.api.apps.v1.DaemonSet",
        columns=(
            NAME,
            number("Desired", _status("desiredNumberScheduled"), "Nodes that should run a pod."),
            number("Current", _status("currentNumberScheduled"), "Nodes that should and do."),
            number("Ready", _status("numberReady"), "Nodes whose pod is ready."),
            number("Up-to-date", _status("updatedNumberScheduled"), "Nodes with a pod of the new template."),
            number("Available", _status("numberAvailable"), "Nodes whose pod is ready for long enough."),
            text("Node Selector", _node_selector, "The labels that a node must have."),
            AGE,
            *WORKLOAD_WIDE,
        ),
        default=default,
        prepare_create=prepare_create,
        prepare_update=prepare_update,
        prepare_status=status_and_metadata,
        validate_create=validate_daemon_set,
        validate_update=validate_daemon_set_update,
        has_status=True,
        has_generation=True,
    ),
)
