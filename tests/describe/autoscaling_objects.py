"""A HorizontalPodAutoscaler with every kind of metric."""

from typing import Any

from ktui.kube import kinds
from ktui.kube.resource import Resource

_SERVICE = {"apiVersion": "v1", "kind": "Service", "name": "shop"}
_HALF = {"type": "Percent", "value": 50, "periodSeconds": 60}


def _named(kind: str, name: str, **target: Any) -> dict[str, Any]:
    described = {"describedObject": _SERVICE} if kind == "Object" else {}
    return {"type": kind, kind.lower(): {"metric": {"name": name}, "target": target, **described}}


AUTOSCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {
        "name": "shop",
        "namespace": "default",
        "uid": "hpa-1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": "shop"},
    },
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "minReplicas": 2,
        "maxReplicas": 9,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
            },
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
            },
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "web",
                    "target": {"type": "Utilization", "averageUtilization": 70},
                },
            },
            _named("Pods", "hits", type="AverageValue", averageValue="500"),
            _named("Object", "requests", type="Value", value="2k"),
            _named("Object", "rate", type="AverageValue", averageValue="100"),
            _named("External", "queue", type="AverageValue", averageValue="30"),
            _named("External", "depth", type="Value", value="30"),
        ],
        "behavior": {
            "scaleUp": {"selectPolicy": "Min", "policies": [_HALF]},
            "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Disabled", "policies": [_HALF]},
        },
    },
    "status": {
        "currentReplicas": 2,
        "desiredReplicas": 3,
        "currentMetrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "current": {"averageUtilization": 81, "averageValue": "162m"}},
            },
            {"type": ""},
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "web",
                    "current": {"averageUtilization": 12, "averageValue": "9m"},
                },
            },
        ],
        "conditions": [
            {
                "type": "AbleToScale",
                "status": "True",
                "reason": "SucceededRescale",
                "message": "rescaled to 3",
            },
            {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "found cpu"},
        ],
    },
}

CASES: list[tuple[Resource, dict[str, Any]]] = [(kinds.HORIZONTAL_POD_AUTOSCALERS, AUTOSCALER)]
