"""HorizontalPodAutoscaler of autoscaling/v1 and v2, one made of the other.

v1 knows a target of CPU utilization and nothing else; what v2 has beyond that travels in annotations, as in
Kubernetes, so that nothing is lost either way. Objects are stored as v2.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ktui.engine.api.documents import with_metadata
from ktui.kube.data import items, mapping, section
from ktui.kube.resource import Object

_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
_METRICS, _BEHAVIOR = f"{_PREFIX}metrics", f"{_PREFIX}behavior"
_CONDITIONS, _CURRENT = f"{_PREFIX}conditions", f"{_PREFIX}current-metrics"
_KEYS: Final = (_METRICS, _BEHAVIOR, _CONDITIONS, _CURRENT)


def to_v2(autoscaler: Object) -> Object:
    """A v1 object as it is stored. Annotations that can't be read are dropped, as Kubernetes drops them."""
    annotations = mapping(section(autoscaler, "metadata"), "annotations")
    said = {key: _read(annotations.get(key)) for key in _KEYS}
    spec = {
        name: value
        for name, value in section(autoscaler, "spec").items()
        if name != "targetCPUUtilizationPercentage"
    }
    share = section(autoscaler, "spec").get("targetCPUUtilizationPercentage")
    metrics = [_moved(each, _SPEC_TO_V2) for each in said[_METRICS] or ()]
    if share is not None:
        metrics.append(_cpu({"target": {"type": "Utilization", "averageUtilization": share}}))
    if metrics:
        spec["metrics"] = metrics
    if said[_BEHAVIOR]:
        spec["behavior"] = said[_BEHAVIOR]
    status = {
        name: value
        for name, value in section(autoscaler, "status").items()
        if name != "currentCPUUtilizationPercentage"
    }
    current = [_moved(each, _STATUS_TO_V2) for each in said[_CURRENT] or ()]
    now = section(autoscaler, "status").get("currentCPUUtilizationPercentage")
    if now is not None and not current:
        current = [_cpu({"current": {"averageUtilization": now}})]
    if current:
        status["currentMetrics"] = current
    if said[_CONDITIONS]:
        status["conditions"] = said[_CONDITIONS]
    kept = {key: value for key, value in annotations.items() if key not in _KEYS}
    return _made(autoscaler, "autoscaling/v2", kept, spec, status)


def to_v1(autoscaler: Object) -> Object:
    """A stored object as v1 shows it."""
    spec = {n: v for n, v in section(autoscaler, "spec").items() if n not in ("metrics", "behavior")}
    annotations = dict(mapping(section(autoscaler, "metadata"), "annotations"))
    others: list[Object] = []
    for metric in items(section(autoscaler, "spec"), "metrics"):
        share = section(metric, "resource", "target").get("averageUtilization")
        if _is_cpu(metric) and share is not None and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = share
        else:
            others.append(_moved(metric, _SPEC_TO_V1))
    status = {
        n: v for n, v in section(autoscaler, "status").items() if n not in ("currentMetrics", "conditions")
    }
    current = items(section(autoscaler, "status"), "currentMetrics")
    for metric in current:
        share = section(metric, "resource", "current").get("averageUtilization")
        if _is_cpu(metric) and share is not None:
            status["currentCPUUtilizationPercentage"] = share
    for key, value in (
        (_METRICS, others),
        (_BEHAVIOR, section(autoscaler, "spec", "behavior")),
        (_CURRENT, [_moved(each, _STATUS_TO_V1) for each in current]),
        (_CONDITIONS, items(section(autoscaler, "status"), "conditions")),
    ):
        if value:
            annotations[key] = msgspec.json.encode(value).decode()
    return _made(autoscaler, "autoscaling/v1", annotations, spec, status)


def shown_as_v1(data: bytes) -> bytes:
    return msgspec.json.encode(to_v1(msgspec.json.decode(data)))


def _made(
    autoscaler: Object, api_version: str, annotations: dict[str, str], spec: Object, status: Object
) -> Object:
    made = with_metadata(autoscaler, annotations=annotations or None)
    made = {**made, "apiVersion": api_version, "spec": spec}
    made.pop("status", None)
    return {**made, "status": status} if status else made


def _read(text: str | None) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.DecodeError:
        return None


def _cpu(fields: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", **fields}}


def _is_cpu(metric: Object) -> bool:
    return metric.get("type") == "Resource" and section(metric, "resource").get("name") == "cpu"


_Paths = dict[str, tuple[tuple[str, str], ...]]

_RESOURCE: Final = (
    ("targetAverageUtilization", "target.averageUtilization"),
    ("targetAverageValue", "target.averageValue"),
)
_SPECS: Final[_Paths] = {
    "resource": _RESOURCE,
    "containerResource": _RESOURCE,
    "pods": (
        ("metricName", "metric.name"),
        ("selector", "metric.selector"),
        ("targetAverageValue", "target.averageValue"),
    ),
    "object": (
        ("target", "describedObject"),
        ("metricName", "metric.name"),
        ("selector", "metric.selector"),
        ("targetValue", "target.value"),
        ("averageValue", "target.averageValue"),
    ),
    "external": (
        ("metricName", "metric.name"),
        ("metricSelector", "metric.selector"),
        ("targetValue", "target.value"),
        ("targetAverageValue", "target.averageValue"),
    ),
}
_STATUSES: Final[_Paths] = {
    source: tuple(
        (
            old if old in ("target", "selector", "averageValue") else old.replace("target", "current"),
            new.replace("target.", "current."),
        )
        for old, new in paths
    )
    for source, paths in _SPECS.items()
}


def _backwards(paths: _Paths) -> _Paths:
    return {source: tuple((new, old) for old, new in pairs) for source, pairs in paths.items()}


_SPEC_TO_V2, _SPEC_TO_V1 = _SPECS, _backwards(_SPECS)
_STATUS_TO_V2, _STATUS_TO_V1 = _STATUSES, _backwards(_STATUSES)


def _moved(metric: Object, paths: _Paths) -> Object:
    """A metric with the fields of its source at their other places."""
    made = dict(metric)
    for source, pairs in paths.items():
        found: Object | None = metric.get(source)
        if found is None:
            continue
        moved: Object = {
            name: found[name] for name in ("name", "container", "describedObject") if name in found
        }
        if any(old == "describedObject" for old, _ in pairs):
            moved.pop("describedObject", None)
        for old, new in pairs:
            value = _at(found, old)
            if value is not None:
                _put(moved, new, value)
        if paths is _SPEC_TO_V2 and "target" in moved:
            moved["target"]["type"] = _target_type(moved["target"])
        made[source] = moved
    return made


def _target_type(target: Object) -> str:
    if "averageUtilization" in target:
        return "Utilization"
    return "AverageValue" if "averageValue" in target else "Value"


def _at(obj: Object, path: str) -> Any:
    *outer, last = path.split(".")
    return section(obj, *outer).get(last) if outer else obj.get(last)


def _put(obj: Object, path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for name in outer:
        obj = obj.setdefault(name, {})
    obj[last] = value
