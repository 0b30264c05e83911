"""HorizontalPodAutoscaler: as many replicas of a workload as its load needs, in autoscaling/v2 and v1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ktui.engine.api.declaration import Converted, Declaration
from ktui.engine.api.resources.autoscaling_v1 import shown_as_v1, to_v2
from ktui.engine.api.resources.columns import AGE, NAME, UNKNOWN, number, text
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.horizontalpodautoscalers import (
    validate_autoscaler,
    validate_autoscaler_status,
    validate_autoscaler_update,
)
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import HORIZONTAL_POD_AUTOSCALERS
from ktui.kube.quantity import canonical
from ktui.kube.resource import Object

UNSET: Final = "<unset>"
_SHOWN: Final = 2
_CPU: Final[Object] = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
_SCALE_UP: Final[Object] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN: Final[Object] = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def default(autoscaler: Object) -> Object:
    """At least one replica, 80% of the CPU asked for, and both directions of a behavior once one is said."""
    spec: Object = {"minReplicas": 1, **section(autoscaler, "spec")}
    if not spec.get("metrics"):
        spec["metrics"] = [_CPU]
    if spec.get("behavior") is not None:
        behavior = section(spec, "behavior")
        spec["behavior"] = {
            **behavior,
            "scaleUp": _filled(section(behavior, "scaleUp"), _SCALE_UP),
            "scaleDown": _filled(section(behavior, "scaleDown"), _SCALE_DOWN),
        }
    return {**autoscaler, "spec": spec}


def _filled(rules: Object, defaults: Object) -> Object:
    given = {name: value for name, value in rules.items() if value is not None}
    return {**defaults, **given}


def _default_v1(autoscaler: Object) -> Object:
    spec: Object = {"minReplicas": 1, **section(autoscaler, "spec")}
    if not section(to_v2(autoscaler), "spec").get("metrics"):
        spec["targetCPUUtilizationPercentage"] = _CPU["resource"]["target"]["averageUtilization"]
    return {**autoscaler, "spec": spec}


def _reference(autoscaler: Object) -> str:
    target = section(autoscaler, "spec", "scaleTargetRef")
    return f"{string(target, 'kind')}/{string(target, 'name')}"


def _least(autoscaler: Object) -> str:
    least = section(autoscaler, "spec").get("minReplicas")
    return UNSET if least is None else str(least)


def _targets(autoscaler: Object) -> str:
    """Each metric as it is and as it is wanted: `cpu: 10%/80%`."""
    metrics = items(section(autoscaler, "spec"), "metrics")
    if not metrics:
        return "<none>"
    current = items(section(autoscaler, "status"), "currentMetrics")
    shown = [
        _target(metric, current[index] if index < len(current) else {})
        for index, metric in enumerate(metrics[:_SHOWN])
    ]
    more = f" + {len(metrics) - _SHOWN} more..." if len(metrics) > _SHOWN else ""
    return ", ".join(shown) + more


_SOURCE: Final = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


def _target(metric: Object, status: Object) -> str:
    kind = string(metric, "type")
    source = _SOURCE.get(kind)
    if source is None:
        return "<unknown type>"
    wanted, now = section(metric, source, "target"), section(status, source, "current")
    if kind in ("Resource", "ContainerResource"):
        name = string(section(metric, source), "name")
        if wanted.get("averageValue") is not None:
            return f"{name}: {_amount(now, 'averageValue')}/{_amount(wanted, 'averageValue')}"
        return f"{name}: {_share(now)}/{_share(wanted)}"
    if kind == "Pods" or (wanted.get("averageValue") is not None and kind in ("External", "Object")):
        mark = "" if kind == "Pods" else " (avg)"
        return f"{_amount(now, 'averageValue')}/{_amount(wanted, 'averageValue')}{mark}"
    return f"{_amount(now, 'value')}/{_amount(wanted, 'value')}"


def _amount(values: Object, field: str) -> str:
    amount: Any = values.get(field)
    return UNKNOWN if amount is None else canonical(amount)


def _share(values: Object) -> str:
    share = values.get("averageUtilization")
    return UNKNOWN if share is None else f"{share}%"


_V2: Final = Declaration(
    resource=HORIZONTAL_POD_AUTOSCALERS,
    schema="io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    columns=(
        NAME,
        text("Reference", _reference, "What it scales."),
        text("Targets", _targets, "Metrics as they are and as they are wanted."),
        text("MinPods", _least, "Never fewer than this."),
        text(
            "MaxPods",
            lambda found: str(section(found, "spec").get("maxReplicas") or 0),
            "Never more than this.",
        ),
        number(
            "Replicas", lambda found: section(found, "status").get("currentReplicas"), "How many there are."
        ),
        AGE,
    ),
    default=default,
    prepare_create=without_status,
    prepare_update=keep_status,
    prepare_status=status_and_metadata,
    validate_create=validate_autoscaler,
    validate_update=validate_autoscaler_update,
    validate_status=validate_autoscaler_status,
    has_status=True,
    has_generation=True,
)


def _stored(autoscaler: Object) -> Object:
    return default(to_v2(autoscaler))


def _validate_v1(autoscaler: Object) -> list[Cause]:
    return validate_autoscaler(_stored(autoscaler))


_V1: Final = replace(
    _V2,
    resource=replace(HORIZONTAL_POD_AUTOSCALERS, version="v1"),
    schema="io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
    columns=tuple(
        column if column.name != "Targets" else text("Targets", lambda found: _targets(to_v2(found)), "")
        for column in _V2.columns
    ),
    default=_default_v1,
    validate_create=_validate_v1,
    converted=Converted(shown_as_v1, _stored),
)

DECLARATIONS = (_V2, _V1)
