"""HorizontalPodAutoscalers at work: deployments and custom resources follow what their pods use."""

import asyncio

import pytest
from autoscaler_world import autoscaler, deployment, replicas, status, why

from ktui.kube.clock import rfc3339
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    PODS,
    REPLICATION_CONTROLLERS,
)
from ktui.kube.resource import Resource


async def test_a_deployment_grows_with_its_load_and_shrinks_five_minutes_after_it(world, make, agent):
    await world.apply(DEPLOYMENTS, deployment(make))
    await world.advance(60, step=30)
    agent.cpu = "200m"
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler())
    assert await replicas(world) == 4
    found = await status(world)
    assert (found["currentReplicas"], found["desiredReplicas"], found["observedGeneration"]) == (2, 4, 1)
    assert found["lastScaleTime"] == rfc3339(world.clock.now())
    current = {"name": "cpu", "current": {"averageUtilization": 100, "averageValue": "200m"}}
    assert found["currentMetrics"] == [{"type": "Resource", "resource": current}]
    assert await why(world, "AbleToScale") == (
        "True",
        "SucceededRescale",
        "the HPA controller was able to update the target scale to 4",
    )
    name = "cpu resource utilization (percentage of request)"
    assert await why(world, "ScalingActive") == (
        "True",
        "ValidMetricFound",
        f"the HPA was able to successfully calculate a replica count from {name}",
    )
    assert (await why(world, "ScalingLimited"))[:2] == ("False", "DesiredWithinRange")
    assert await world.events("SuccessfulRescale") == [f"New size: 4; reason: {name} above target"]
    agent.cpu = "100m"
    await world.advance(30, step=15)
    assert (await why(world, "AbleToScale"))[:2] == ("True", "ReadyForNewScale")
    agent.cpu = "25m"
    await world.advance(270, step=15)
    assert (await why(world, "AbleToScale"))[:2] == ("True", "ScaleDownStabilized")
    assert await replicas(world) == 4
    await world.advance(60, step=15)
    assert await replicas(world) == 1
    assert "New size: 1; reason: All metrics below target" in await world.events("SuccessfulRescale")
    table = await world.client.table(HORIZONTAL_POD_AUTOSCALERS, "default")
    assert table["rows"][0]["cells"][:6] == ["web", "Deployment/web", "cpu: 12%/50%", "1", "10", 1]


async def test_bounds_hold_without_metrics_and_the_rate_is_limited(world, make, agent):
    agent.silent = True
    await world.apply(DEPLOYMENTS, deployment(make, replicas=1))
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler(minReplicas=2, maxReplicas=9))
    assert await replicas(world) == 2
    assert await world.events("SuccessfulRescale") == [
        "New size: 2; reason: Current number of replicas below Spec.MinReplicas"
    ]
    await world.merge(HORIZONTAL_POD_AUTOSCALERS, "web", {"spec": {"minReplicas": 1, "maxReplicas": 1}})
    assert await replicas(world) == 1
    assert (await status(world))["observedGeneration"] == 2
    agent.silent, agent.cpu = False, "2"
    await world.advance(15)
    await world.merge(HORIZONTAL_POD_AUTOSCALERS, "web", {"spec": {"maxReplicas": 9}})
    assert await replicas(world) == 4
    assert await why(world, "ScalingLimited") == (
        "True",
        "ScaleUpLimit",
        "the desired replica count is increasing faster than the maximum scale rate",
    )
    await world.advance(60, step=15)
    assert await replicas(world) == 9
    assert (await why(world, "ScalingLimited"))[:2] == ("True", "TooManyReplicas")


async def test_the_largest_of_several_metrics_counts_and_a_broken_one_keeps_it_from_shrinking(
    world, make, agent
):
    memory = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "32Mi"}}
    queue = {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "3"}}
    container = {
        "name": "cpu",
        "container": "web",
        "target": {"type": "Utilization", "averageUtilization": 90},
    }
    metrics = [
        {"type": "ContainerResource", "containerResource": container},
        {"type": "Resource", "resource": memory},
        {"type": "External", "external": queue},
    ]
    await world.apply(DEPLOYMENTS, deployment(make, replicas=3))
    await world.advance(60, step=30)
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler(metrics=metrics))
    assert await replicas(world) == 6
    names = [each["type"] for each in (await status(world))["currentMetrics"]]
    assert names == ["ContainerResource", "Resource", ""]
    memory_now = (await status(world))["currentMetrics"][1]["resource"]["current"]
    assert memory_now == {"averageValue": "64Mi"}
    absent = (
        "unable to get external metric default/queue/nil: unable to fetch metrics from external metrics API: "
        "the server could not find the requested resource (get queue.external.metrics.k8s.io)"
    )
    assert absent in await world.events("FailedGetExternalMetric")
    agent.cpu, agent.memory = "1m", "1Mi"
    await world.advance(360, step=15)
    assert await replicas(world) == 6
    assert await why(world, "ScalingActive") == (
        "False",
        "FailedGetExternalMetric",
        f"the HPA was unable to compute the replica count: {absent}",
    )
    [message] = set(await world.events("FailedComputeMetricsReplicas"))
    assert message.startswith("invalid metrics (1 invalid out of 3), first error is: failed to get queue")


@pytest.mark.parametrize(
    ("metric", "reason", "message"),
    [
        (
            {
                "type": "Pods",
                "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": 1}},
            },
            "FailedGetPodsMetric",
            "unable to get metric hits: ",
        ),
        (
            {
                "type": "Object",
                "object": {
                    "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
                    "metric": {"name": "hits"},
                    "target": {"type": "Value", "value": "1"},
                },
            },
            "FailedGetObjectMetric",
            "unable to get metric hits on Service default/web: ",
        ),
    ],
)
async def test_metrics_that_nobody_serves_are_named(world, make, agent, metric, reason, message):
    await world.apply(DEPLOYMENTS, deployment(make))
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler(metrics=[metric]))
    absent = (
        f"{message}unable to fetch metrics from custom metrics API: no custom metrics API "
        "(custom.metrics.k8s.io) registered"
    )
    assert await why(world, "ScalingActive") == (
        "False",
        reason,
        f"the HPA was unable to compute the replica count: {absent}",
    )
    assert await world.events(reason) == [absent]
    assert await replicas(world) == 2


async def test_what_keeps_resource_metrics_from_being_read_is_said(world, make, agent):
    agent.silent = True
    await world.apply(DEPLOYMENTS, deployment(make))
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler())
    none = "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    assert await world.events("FailedGetResourceMetric") == [f"failed to get cpu utilization: {none}"]
    assert await world.events("FailedComputeMetricsReplicas") == [
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: "
        f"failed to get cpu utilization: {none}"
    ]
    assert (await status(world))["desiredReplicas"] == 0
    agent.silent = False
    await world.merge(
        DEPLOYMENTS,
        "web",
        {
            "spec": {
                "template": {"spec": {"containers": [{"name": "web", "image": "web:1", "resources": None}]}}
            }
        },
    )
    await world.advance(45, step=15)
    reason, message = (await why(world, "ScalingActive"))[1:]
    assert reason == "FailedGetResourceMetric"
    assert "missing request for cpu in container web of Pod web-" in message


async def test_no_replicas_means_that_somebody_switched_scaling_off(world, make, agent):
    await world.apply(DEPLOYMENTS, deployment(make, replicas=0))
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler())
    assert await why(world, "ScalingActive") == (
        "False",
        "ScalingDisabled",
        "scaling is disabled since the replica count of the target is zero",
    )
    assert await replicas(world) == 0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "Nothing"}, 'no matches for kind "Nothing" in group "apps"'),
        ({}, 'deployments.apps "web" not found'),
        ({"kind": "DaemonSet"}, "the server could not find the requested resource"),
    ],
)
async def test_a_target_that_cannot_be_scaled_is_named(world, spec, message):
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler(**spec))
    assert await why(world, "AbleToScale") == (
        "False",
        "FailedGetScale",
        f"the HPA controller was unable to get the target's current scale: {message}",
    )
    assert await world.events("FailedGetScale") == [message]


async def test_two_autoscalers_of_the_same_pods_scale_nothing(world, make, agent):
    agent.cpu = "200m"
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler())
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler("web2"))
    await world.apply(DEPLOYMENTS, deployment(make))
    await world.advance(30, step=15)
    before = await replicas(world)
    await world.advance(15)
    assert await replicas(world) == before
    assert await why(world, "ScalingActive") == (
        "False",
        "AmbiguousSelector",
        "pods by selector app=web are controlled by more than one HPA (e.g. [{web default} {web2 default}])",
    )
    await world.client.delete(HORIZONTAL_POD_AUTOSCALERS, "web2", "default")
    await world.advance(30, step=15)
    assert (await why(world, "ScalingActive"))[1] == "ValidMetricFound"


@pytest.fixture
async def serving(world):
    """The API server follows definitions of custom resources."""
    task = asyncio.create_task(world.server.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_custom_resource_with_a_scale_is_scaled(world, serving, make, agent):
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "farms.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "farms", "singular": "farm", "kind": "Farm"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": spec}}
                    },
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                }
            ],
        },
    }
    await world.apply(CUSTOM_RESOURCE_DEFINITIONS, definition)
    farms = Resource("example.com", "v1", "farms", "Farm", True)
    farm = {
        "apiVersion": "example.com/v1",
        "kind": "Farm",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 1},
    }
    await world.apply(farms, farm)
    await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler(kind="Farm", version="example.com/v1"))
    assert await why(world, "ScalingActive") == (
        "False",
        "InvalidSelector",
        "the HPA target's scale is missing a selector",
    )
    await world.merge(farms, "web", {"status": {"replicas": 1, "selector": "app=web"}}, subresource="status")
    pod = make.pod("cow", {"app": "web"})
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    await world.apply(PODS, pod)
    agent.cpu = "120m"
    await world.advance(75, step=15)
    assert (await world.get(farms, "web"))["spec"]["replicas"] == 3


async def test_replication_controllers_are_scaled_through_v1_too(world, make, agent):
    made = deployment(make)
    template, labels = made["spec"]["template"], {"app": "web"}
    await world.apply(
        REPLICATION_CONTROLLERS,
        {
            "apiVersion": "v1",
            "kind": "ReplicationController",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": 2, "selector": labels, "template": template},
        },
    )
    await world.advance(60, step=30)
    agent.cpu = "200m"
    v1 = Resource("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True)
    target = {"apiVersion": "v1", "kind": "ReplicationController", "name": "web"}
    old = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50},
    }
    await world.apply(v1, old)
    assert (await world.get(REPLICATION_CONTROLLERS, "web"))["spec"]["replicas"] == 3
    shown = await world.client.get(v1, "web", "default")
    assert shown["status"]["currentCPUUtilizationPercentage"] == 100
    assert shown["spec"] == {**old["spec"], "minReplicas": 1}
    assert (
        '"type":"ScalingLimited"'
        in shown["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/conditions"]
    )


async def test_only_outside_metrics_allow_no_replicas_at_all(world):
    with pytest.raises(StatusError) as caught:
        await world.apply(HORIZONTAL_POD_AUTOSCALERS, autoscaler(minReplicas=0))
    [cause] = caught.value.causes
    assert (cause.field, cause.message) == (
        "spec.metrics",
        "Forbidden: must specify at least one Object or External metric to support scaling to zero replicas",
    )
    queue = {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "3"}}
    await world.apply(
        HORIZONTAL_POD_AUTOSCALERS,
        autoscaler(minReplicas=0, metrics=[{"type": "External", "external": queue}]),
    )
