"""Rules for HorizontalPodAutoscalers (autoscaling/v2): bounds, metrics with their targets, behavior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ktui.engine.api.validation.fields import each_invalid, forbidden, invalid, required, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import items, section, string
from ktui.kube.errors import Cause
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object

_LONGEST_WINDOW: Final = 3600
_LONGEST_PERIOD: Final = 1800
_POLICIES: Final = ("Pods", "Percent")
_SELECTS: Final = ("Max", "Min", "Disabled")


def validate_autoscaler(autoscaler: Object) -> list[Cause]:
    return check_metadata(autoscaler, namespaced=True) + _spec(section(autoscaler, "spec"))


def validate_autoscaler_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old)


def validate_autoscaler_status(new: Object, old: Object) -> list[Cause]:
    status = section(new, "status")
    return check_metadata_update(new, old) + [
        invalid(f"status.{field}", status[field], names.NON_NEGATIVE)
        for field in ("currentReplicas", "desiredReplicas")
        if (status.get(field) or 0) < 0
    ]


def _spec(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 0:
        causes.append(invalid("spec.minReplicas", least, "must be greater than or equal to 0"))
    if most == 0:
        causes.append(required("spec.maxReplicas", "must be set and greater than 0"))
    elif most < 0:
        causes.append(invalid("spec.maxReplicas", most, "must be greater than or equal to 1"))
    if least is not None and most < least:
        causes.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    causes += _reference(section(spec, "scaleTargetRef"), "spec.scaleTargetRef")
    for index, metric in enumerate(items(spec, "metrics")):
        causes += _metric(metric, f"spec.metrics[{index}]")
    if least == 0 and not any(
        metric.get("type") in ("Object", "External") for metric in items(spec, "metrics")
    ):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.append(forbidden("spec.metrics", why))
    for direction in ("scaleUp", "scaleDown"):
        if rules := section(spec, "behavior", direction):
            causes += _rules(rules, f"spec.behavior.{direction}")
    return causes


def _reference(reference: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("kind", "name"):
        value = string(reference, field)
        causes += (
            each_invalid(f"{path}.{field}", value, names.path_segment(value))
            if value
            else [required(f"{path}.{field}")]
        )
    return causes


def _metric(metric: Object, path: str) -> list[Cause]:
    kind = string(metric, "type")
    if not kind:
        return [required(f"{path}.type", "must specify a metric source type")]
    if kind not in _SOURCES:
        return [unsupported(f"{path}.type", kind, sorted(_SOURCES))]
    wanted, check = _SOURCES[kind]
    causes = [
        forbidden(f"{path}.{field}", "must populate the given metric source only")
        for field, _ in _SOURCES.values()
        if field != wanted and metric.get(field) is not None
    ]
    if metric.get(wanted) is None:
        return [
            *causes,
            required(f"{path}.{wanted}", "must populate information for the given metric source"),
        ]
    return causes + check(metric[wanted], f"{path}.{wanted}")


def _target(target: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    kind = string(target, "type")
    if not kind:
        causes.append(required(f"{path}.type", "must specify a metric target type"))
    elif kind not in ("Utilization", "Value", "AverageValue"):
        why = "must be either Utilization, Value, or AverageValue"
        causes.append(invalid(f"{path}.type", kind, why))
    for field in ("value", "averageValue"):
        amount = target.get(field)
        if amount is not None and parse_quantity(amount).nanos <= 0:
            causes.append(invalid(f"{path}.{field}", amount, "must be positive"))
    utilization = target.get("averageUtilization")
    if utilization is not None and utilization < 1:
        causes.append(invalid(f"{path}.averageUtilization", utilization, "must be greater than 0"))
    return causes


def _resource(source: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    target = section(source, "target")
    if not source.get("name"):
        causes.append(required(f"{path}.name", "must specify a resource name"))
    causes += _target(target, f"{path}.target")
    raw, share = target.get("averageValue"), target.get("averageUtilization")
    if raw is None and share is None:
        why = "must set either a target raw value or a target utilization"
        causes.append(required(f"{path}.target.averageUtilization", why))
    if raw is not None and share is not None:
        why = "may not set both a target raw value and a target utilization"
        causes.append(forbidden(f"{path}.target.averageValue", why))
    if target.get("value") is not None:
        why = "must specify a target.averageValue or target.averageUtilization, not target.value"
        causes.append(forbidden(f"{path}.target.value", why))
    return causes


def _container_resource(source: Object, path: str) -> list[Cause]:
    causes = [] if source.get("container") else [required(f"{path}.container", "must specify a container")]
    return causes + _resource(source, path)


def _identifier(metric: Object, path: str) -> list[Cause]:
    name = string(metric, "name")
    causes = check_label_selector(metric.get("selector"), f"{path}.selector")
    if not name:
        return [required(f"{path}.name", "must specify a metric name"), *causes]
    return each_invalid(f"{path}.name", name, names.path_segment(name)) + causes


def _pods(source: Object, path: str) -> list[Cause]:
    causes = _identifier(section(source, "metric"), f"{path}.metric")
    causes += _target(section(source, "target"), f"{path}.target")
    if section(source, "target").get("averageValue") is None:
        causes.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return causes


def _value_or_average(source: Object, path: str) -> list[Cause]:
    target = section(source, "target")
    causes = _target(target, f"{path}.target")
    if target.get("value") is None and target.get("averageValue") is None:
        why = "must set either a target value for metric or a per-pod target"
        causes.append(required(f"{path}.target.averageValue", why))
    return causes


def _object(source: Object, path: str) -> list[Cause]:
    causes = _reference(section(source, "describedObject"), f"{path}.describedObject")
    return causes + _identifier(section(source, "metric"), f"{path}.metric") + _value_or_average(source, path)


def _external(source: Object, path: str) -> list[Cause]:
    causes = _identifier(section(source, "metric"), f"{path}.metric") + _value_or_average(source, path)
    target = section(source, "target")
    if target.get("value") is not None and target.get("averageValue") is not None:
        why = "may not set both a target value for metric and a per-pod target"
        causes.append(forbidden(f"{path}.target.value", why))
    return causes


_SOURCES: Final[dict[str, tuple[str, Callable[[Object, str], list[Cause]]]]] = {
    "ContainerResource": ("containerResource", _container_resource),
    "External": ("external", _external),
    "Object": ("object", _object),
    "Pods": ("pods", _pods),
    "Resource": ("resource", _resource),
}


def _rules(rules: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    window, at = rules.get("stabilizationWindowSeconds"), f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        causes.append(invalid(at, window, "must be greater than or equal to zero"))
    if window is not None and window > _LONGEST_WINDOW:
        causes.append(invalid(at, window, f"must be less than or equal to {_LONGEST_WINDOW}"))
    select = rules.get("selectPolicy")
    if select is not None and select not in _SELECTS:
        causes.append(unsupported(f"{path}.selectPolicy", select, _SELECTS))
    tolerance = rules.get("tolerance")
    if tolerance is not None and parse_quantity(tolerance).nanos < 0:
        causes.append(invalid(f"{path}.tolerance", tolerance, "must be greater than or equal to zero"))
    policies = items(rules, "policies")
    if not policies:
        causes.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        causes += _policy(policy, f"{path}.policies[{index}]")
    return causes


def _policy(policy: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    kind = string(policy, "type")
    if kind not in _POLICIES:
        causes.append(unsupported(f"{path}.type", kind, _POLICIES))
    for field in ("value", "periodSeconds"):
        if (policy.get(field) or 0) <= 0:
            causes.append(invalid(f"{path}.{field}", policy.get(field) or 0, "must be greater than zero"))
    if (policy.get("periodSeconds") or 0) > _LONGEST_PERIOD:
        why = f"must be less than or equal to {_LONGEST_PERIOD}"
        causes.append(invalid(f"{path}.periodSeconds", policy["periodSeconds"], why))
    return causes
