"""HorizontalPodAutoscalers that follow metrics of adapters: of pods, of objects, and from outside the cluster."""

import pytest
from autoscaler_world import autoscaler, deployment, replicas, status, why
from controllers_world import NODE_CONTROLLERS, World

from ktui.kube.errors import StatusError
from ktui.kube.errors import status as status_of
from ktui.kube.kinds import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS


class Adapters:
    """Servers of custom and external metrics."""

    def __init__(self):
        self.values = {}
        self.asked = []

    def versions(self, group):
        return ["v1beta2", "v1beta1"] if group == "custom.metrics.k8s.io" else ["v1beta1"]

    async def read(self, path):
        self.asked.append(path)
        place, _, _ = path.partition("?")
        if place not in self.values:
            raise StatusError(status_of(404, "NotFound", "the metric is unknown"))
        at = "2026-01-01T00:00:00Z"
        return {
            "items": [
                {"describedObject": {"name": name}, "timestamp": at, "value": value}
                for name, value in self.values[place].items()
            ]
        }


@pytest.fixture
async def adapted():
    adapters = Adapters()
    world = World(without=NODE_CONTROLLERS, adapters=adapters)
    await world.start()
    yield world, adapters
    await world.stop()


EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue"
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default"


async def test_an_external_metric_scales_to_none_and_back(adapted, make):
    world, adapters = adapted
    adapters.values[EXTERNAL] = {"a": "4", "b": "5"}
    selector = {"matchLabels": {"queue": "orders"}}
    queue = {
        "metric": {"name": "queue", "selector": selector},
        "target": {"type": "AverageValue", "averageValue": "3"},
    }
    await world.apply(DEPLOYMENTS, deployment(make))
    spec = {"minReplicas": 0, "metrics": [{"type": "External", "external": queue}]}
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler(**spec))
    assert await replicas(world) == 3
    assert adapters.asked[0] == f"{EXTERNAL}?labelSelector=queue%3Dorders"
    name = "external metric queue(&LabelSelector{MatchLabels:map[string]string{queue: orders,},"
    [event] = await world.events("SuccessfulRescale")
    assert event.startswith(f"New size: 3; reason: {name}")
    await world.advance(15)
    [metric] = (await status(world))["currentMetrics"]
    assert metric["external"] == {"metric": queue["metric"], "current": {"averageValue": "3"}}
    adapters.values[EXTERNAL] = {"a": "0"}
    await world.advance(345, step=15)
    assert await replicas(world) == 0
    assert (await why(world, "ScaledToZero"))[:2] == ("True", "ScaledToZero")
    adapters.values[EXTERNAL] = {"a": "5"}
    await world.advance(15)
    assert await replicas(world) == 2
    assert (await why(world, "ScaledToZero"))[:2] == ("False", "NotScaledToZero")


async def test_metrics_of_pods_and_objects_are_asked_of_their_adapter(adapted, make):
    world, adapters = adapted
    await world.apply(DEPLOYMENTS, deployment(make))
    names = [pod["metadata"]["name"] for pod in await world.pods()]
    adapters.values[f"{CUSTOM}/pods/*/hits"] = dict.fromkeys(names, "30")
    adapters.values[f"{CUSTOM}/ingresses.networking.k8s.io/shop/rate"] = {"shop": "6"}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "shop"}
    hits = {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "20"}}
    rate = {"metric": {"name": "rate"}, "describedObject": ingress, "target": {"type": "Value", "value": "3"}}
    metrics = [{"type": "Pods", "pods": hits}, {"type": "Object", "object": rate}]
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler(metrics=metrics))
    assert await replicas(world) == 4
    assert f"{CUSTOM}/pods/*/hits?labelSelector=app%3Dweb" in adapters.asked
    assert (await world.events("SuccessfulRescale")) == [
        "New size: 4; reason: Ingress metric rate above target"
    ]
    shown = [
        {"type": "Pods", "pods": {"metric": {"name": "hits"}, "current": {"averageValue": "30"}}},
        {
            "type": "Object",
            "object": {"metric": {"name": "rate"}, "describedObject": ingress, "current": {"value": "6"}},
        },
    ]
    assert (await status(world))["currentMetrics"] == shown
    del adapters.values[f"{CUSTOM}/ingresses.networking.k8s.io/shop/rate"]
    await world.advance(15)
    assert await world.events("FailedGetObjectMetric") == [
        "unable to get metric rate on Ingress default/shop: unable to fetch metrics from custom metrics API: "
        "the metric is unknown"
    ]
