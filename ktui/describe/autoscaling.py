"""HorizontalPodAutoscalers."""

from __future__ import annotations

from typing import Any, Final

from ktui.describe.fields import metadata_of, write_events, write_names
from ktui.describe.related import Related
from ktui.describe.text import UNSET, Text
from ktui.kube.data import items, section, string
from ktui.kube.quantity import canonical
from ktui.kube.resource import Object

_UNKNOWN: Final = "<unknown>"


def describe_autoscaler(out: Text, obj: Object, related: Related) -> None:
    """Write a HorizontalPodAutoscaler (autoscaling/v2)."""
    spec, status = section(obj, "spec"), section(obj, "status")
    target = section(spec, "scaleTargetRef")
    write_names(out, obj)
    out.field("CreationTimestamp", out.time(metadata_of(obj).get("creationTimestamp")))
    out.field("Reference", f"{string(target, 'kind')}/{string(target, 'name')}")
    out.field("Metrics", "( current / target )")
    current = items(status, "currentMetrics")
    for index, metric in enumerate(items(spec, "metrics")):
        out.line(_metric(metric, current[index] if index < len(current) else {}), level=1)
    least = spec.get("minReplicas")
    out.field("Min replicas", UNSET if least is None else least)
    out.field("Max replicas", spec.get("maxReplicas") or 0)
    if spec.get("behavior") is not None:
        out.line("Behavior:")
        _write_rules(out, "Scale Up", section(spec, "behavior").get("scaleUp"))
        _write_rules(out, "Scale Down", section(spec, "behavior").get("scaleDown"))
    counts = f"{status.get('currentReplicas') or 0} current / {status.get('desiredReplicas') or 0} desired"
    out.field(f"{string(target, 'kind')} pods", counts)
    conditions = items(status, "conditions")
    if conditions:
        out.line("Conditions:")
        out.row("Type", "Status", "Reason", "Message", level=1)
        out.row("----", "------", "------", "-------", level=1)
        for each in conditions:
            out.row(*(string(each, name) for name in ("type", "status", "reason", "message")), level=1)
    write_events(out, related.events)


def _metric(metric: Object, now: Object) -> str:
    """One metric as it is and as it should be, the two behind a tab."""
    match string(metric, "type"):
        case "Resource":
            name = string(section(metric, "resource"), "name")
            return f"resource {name} on pods{_resource(metric, now, 'resource')}"
        case "ContainerResource":
            source = section(metric, "containerResource")
            of = f'resource {string(source, "name")} of container "{string(source, "container")}" on pods'
            return f"{of}{_resource(metric, now, 'containerResource')}"
        case "Pods":
            return f"{_named(metric, 'pods')} on pods:\t{_values(metric, now, 'pods', 'averageValue')}"
        case "External":
            average = section(metric, "external", "target").get("averageValue") is not None
            return f"{_named(metric, 'external')} {_outside(metric, now, 'external', average)}"
        case "Object":
            of = section(metric, "object", "describedObject")
            average = section(metric, "object", "target").get("type") == "AverageValue"
            where = f"{string(of, 'kind')}/{string(of, 'name')}"
            return f"{_named(metric, 'object')} on {where} {_outside(metric, now, 'object', average)}"
        case kind:
            return f'<unknown metric type "{kind}">'


def _named(metric: Object, source: str) -> str:
    return f'"{string(section(metric, source, "metric"), "name")}"'


def _outside(metric: Object, now: Object, source: str, average: bool) -> str:
    if average:
        return f"(target average value):\t{_values(metric, now, source, 'averageValue')}"
    return f"(target value):\t{_values(metric, now, source, 'value')}"


def _values(metric: Object, now: Object, source: str, field: str) -> str:
    wanted = section(metric, source, "target").get(field)
    return f"{_amount(section(now, source, 'current').get(field))} / {_amount(wanted)}"


def _amount(value: Any) -> str:
    return _UNKNOWN if value is None else canonical(value)


def _resource(metric: Object, now: Object, source: str) -> str:
    target, current = section(metric, source, "target"), section(now, source, "current")
    if target.get("averageValue") is not None:
        return f":\t{_values(metric, now, source, 'averageValue')}"
    share, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    shown = _UNKNOWN if share is None else f"{share}% ({_amount(current.get('averageValue'))})"
    return f"  (as a percentage of request):\t{shown} / {'<auto>' if wanted is None else f'{wanted}%'}"


def _write_rules(out: Text, direction: str, rules: Object | None) -> None:
    if rules is None:
        return
    out.line(f"{direction}:", level=1)
    window = rules.get("stabilizationWindowSeconds")
    if window is not None:
        out.line(f"Stabilization Window: {window} seconds", level=2)
    policies = items(rules, "policies")
    if policies:
        out.line(f"Select Policy: {rules.get('selectPolicy') or 'Max'}", level=2)
        out.line("Policies:", level=2)
        for policy in policies:
            value, period = policy.get("value") or 0, policy.get("periodSeconds") or 0
            out.line(
                f"- Type: {string(policy, 'type')}\tValue: {value}\tPeriod: {period} seconds",
                level=3,
            )
