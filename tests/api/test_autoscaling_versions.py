"""HorizontalPodAutoscalers in autoscaling/v1 and v2: what one version can't say survives in it all the same."""

import json

import pytest

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.resources.autoscaling_v1 import to_v1, to_v2
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.kinds import HORIZONTAL_POD_AUTOSCALERS as V2
from ktui.kube.resource import Resource

V1 = Resource("autoscaling", "v1", V2.plural, V2.kind, True)
SERVICE = {"apiVersion": "v1", "kind": "Service", "name": "web"}
SELECTOR = {"matchLabels": {"queue": "a"}}
CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
}


def amount(kind, value):
    return {"type": kind, kind[0].lower() + kind[1:]: value}


OTHERS = [
    {"type": "Resource", "resource": {"name": "memory", "target": amount("AverageValue", "1Gi")}},
    {
        "type": "ContainerResource",
        "containerResource": {
            "name": "cpu",
            "container": "web",
            "target": {"type": "Utilization", "averageUtilization": 7},
        },
    },
    {
        "type": "Pods",
        "pods": {"metric": {"name": "hits", "selector": SELECTOR}, "target": amount("AverageValue", "5")},
    },
    {
        "type": "Object",
        "object": {"describedObject": SERVICE, "metric": {"name": "hits"}, "target": amount("Value", "5")},
    },
    {"type": "External", "external": {"metric": {"name": "queue"}, "target": amount("AverageValue", "30")}},
    {"type": "External", "external": {"metric": {"name": "depth"}, "target": amount("Value", "30")}},
]
BEHAVIOR = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "tolerance": "200m",
        "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}],
    },
    "scaleDown": {
        "selectPolicy": "Disabled",
        "policies": [{"type": "Percent", "value": 1, "periodSeconds": 15}],
    },
}
STATUS = {
    "currentReplicas": 2,
    "desiredReplicas": 3,
    "observedGeneration": 1,
    "currentMetrics": [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "current": {"averageUtilization": 5, "averageValue": "10m"}},
        },
        {
            "type": "Object",
            "object": {"describedObject": SERVICE, "metric": {"name": "hits"}, "current": {"value": "1"}},
        },
        {"type": ""},
    ],
    "conditions": [
        {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "ok"},
    ],
}


def autoscaler(metrics, **more):
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default", "annotations": {"mine": "yes"}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 4,
            "metrics": metrics,
            **more,
        },
    }


@pytest.mark.parametrize("metrics", [[CPU], OTHERS, [*OTHERS, CPU]], ids=["cpu", "others", "all"])
def test_everything_survives_the_way_to_v1_and_back(metrics):
    before = {**autoscaler(metrics, behavior=BEHAVIOR), "status": STATUS}
    old = to_v1(before)
    assert old["spec"].keys() <= {
        "scaleTargetRef",
        "minReplicas",
        "maxReplicas",
        "targetCPUUtilizationPercentage",
    }
    assert old["status"].keys() == {
        "currentReplicas",
        "desiredReplicas",
        "observedGeneration",
        "currentCPUUtilizationPercentage",
    }
    assert to_v2(old) == before


def test_annotations_of_v1_are_the_ones_kubernetes_writes():
    old = to_v1(autoscaler([*OTHERS, CPU]))
    assert old["spec"]["targetCPUUtilizationPercentage"] == 60
    assert old["metadata"]["annotations"].keys() == {"mine", "autoscaling.alpha.kubernetes.io/metrics"}
    found = json.loads(old["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"])
    assert [each["type"] for each in found] == [each["type"] for each in OTHERS]
    assert found[0]["resource"] == {"name": "memory", "targetAverageValue": "1Gi"}
    assert found[1]["containerResource"] == {"name": "cpu", "container": "web", "targetAverageUtilization": 7}
    assert found[2]["pods"] == {"metricName": "hits", "selector": SELECTOR, "targetAverageValue": "5"}
    assert found[3]["object"] == {"target": SERVICE, "metricName": "hits", "targetValue": "5"}
    assert found[4]["external"] == {"metricName": "queue", "targetAverageValue": "30"}


def test_annotations_that_cannot_be_read_are_dropped():
    old = to_v1(autoscaler([CPU]))
    old["metadata"]["annotations"] |= {
        "autoscaling.alpha.kubernetes.io/metrics": "{",
        "autoscaling.alpha.kubernetes.io/behavior": "",
    }
    assert to_v2(old) == autoscaler([CPU])


async def served():
    server = ApiServer(open_store(None), default_registry())
    await server.start()
    return LocalClient(server)


async def test_a_change_through_v1_keeps_what_only_v2_says():
    client = await served()
    created = await client.create(V2, autoscaler([*OTHERS, CPU], behavior=BEHAVIOR))
    await client.update(V2, {**created, "status": STATUS}, subresource="status")
    old = await client.get(V1, "web", "default")
    assert (old["spec"]["targetCPUUtilizationPercentage"], old["metadata"]["generation"]) == (60, 1)
    await client.update(V1, old)
    same = await client.get(V2, "web", "default")
    assert (same["spec"], same["status"], same["metadata"]["generation"]) == (created["spec"], STATUS, 1)
    spec = {"maxReplicas": 9, "targetCPUUtilizationPercentage": 70}
    await client.patch(V1, "web", {"spec": spec}, "default")
    found = await client.get(V2, "web", "default")
    assert (found["spec"]["maxReplicas"], found["metadata"]["generation"]) == (9, 2)
    assert found["spec"]["metrics"][-1]["resource"]["target"]["averageUtilization"] == 70
    assert found["spec"]["metrics"][:-1] == OTHERS
    assert (found["spec"]["behavior"], found["status"]) == (BEHAVIOR, STATUS)


async def test_v1_without_a_target_means_eighty_percent():
    client = await served()
    made = to_v1(autoscaler([]))
    await client.create(V1, made)
    assert (await client.get(V1, "web", "default"))["spec"]["targetCPUUtilizationPercentage"] == 80
    [metric] = (await client.get(V2, "web", "default"))["spec"]["metrics"]
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
