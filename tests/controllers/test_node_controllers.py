"""Node life cycle, taint eviction and pod GC: quiet nodes, their taints, and what becomes of their pods."""

import pytest

from ktui.client.base import DeleteOptions
from ktui.kube.kinds import NODES, PODS

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


@pytest.fixture
def world(world_with_nodes):
    return world_with_nodes


async def ready_condition(world, name="node-1"):
    found = await world.get(NODES, name)
    (condition,) = [each for each in found["status"]["conditions"] if each["type"] == "Ready"]
    return condition


def tolerant(make, name, seconds, key=UNREACHABLE):
    """A pod that stays on an unreachable node for so many seconds (None: for ever)."""
    pod = make.pod(name)
    toleration = {"key": key, "operator": "Exists", "effect": "NoExecute"}
    if seconds is not None:
        toleration["tolerationSeconds"] = seconds
    pod["spec"]["tolerations"] = [toleration]
    return pod


async def test_a_node_that_renews_its_lease_stays_ready(world):
    await world.node("node-1")
    await world.live(120, "node-1")
    assert (await ready_condition(world))["status"] == "True"
    assert await world.taints() == []


async def test_a_quiet_node_becomes_unknown_and_unreachable(world, make):
    await world.node("node-1")
    await world.node("node-2")
    await world.apply(PODS, tolerant(make, "stays", None))
    assert (await world.get(PODS, "stays"))["spec"]["nodeName"] == "node-1"
    await world.live(40, "node-1", "node-2")
    await world.live(25, "node-2")
    assert (await ready_condition(world))["status"] == "True"
    await world.live(20, "node-2")
    condition = await ready_condition(world)
    assert (condition["status"], condition["reason"], condition["message"]) == (
        "Unknown",
        "NodeStatusUnknown",
        "Kubelet stopped posting node status.",
    )
    found = await world.get(NODES, "node-1")
    assert {each["type"]: each["reason"] for each in found["status"]["conditions"]} == {
        "Ready": "NodeStatusUnknown",
        "MemoryPressure": "NodeStatusNeverUpdated",
        "DiskPressure": "NodeStatusNeverUpdated",
        "PIDPressure": "NodeStatusNeverUpdated",
    }
    assert await world.taints() == [(UNREACHABLE, "NoExecute"), (UNREACHABLE, "NoSchedule")]
    assert await world.taints("node-2") == []
    assert "Node node-1 status is now: NodeNotReady" in await world.events("NodeNotReady")
    assert "Node is not ready" in await world.events("NodeNotReady")


async def test_a_node_that_comes_back_loses_its_taints(world):
    await world.node("node-1", ready="False")
    await world.node("node-2")
    assert await world.taints() == [(NOT_READY, "NoExecute"), (NOT_READY, "NoSchedule")]
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ok"}
    await world.client.patch(NODES, "node-1", {"status": {"conditions": [condition]}}, subresource="status")
    await world.settle()
    assert await world.taints() == []


async def test_when_no_node_is_ready_nobody_is_evicted(world, make):
    await world.node("node-1")
    await world.apply(PODS, make.pod("only"))
    await world.advance(100, step=10)
    assert (await ready_condition(world))["status"] == "Unknown"
    assert await world.taints() == [(UNREACHABLE, "NoSchedule")]
    assert await world.exists(PODS, "only")
    pod = await world.get(PODS, "only")
    assert not pod["metadata"].get("deletionTimestamp")


async def test_a_cordoned_node_is_tainted_and_other_taints_stay(world):
    mine = {"key": "example.com/mine", "effect": "NoSchedule"}
    await world.node("node-1", taints=[mine])
    await world.client.patch(NODES, "node-1", {"spec": {"unschedulable": True}})
    await world.settle()
    assert await world.taints() == [
        ("example.com/mine", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ]
    await world.client.patch(NODES, "node-1", {"spec": {"unschedulable": None}})
    await world.settle()
    assert await world.taints() == [("example.com/mine", "NoSchedule")]


async def test_pressure_taints_for_scheduling_only(world):
    await world.node("node-1")
    conditions = [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]
    await world.client.patch(NODES, "node-1", {"status": {"conditions": conditions}}, subresource="status")
    await world.settle()
    assert await world.taints() == [("node.kubernetes.io/disk-pressure", "NoSchedule")]


async def test_registration_and_removal_are_events(world):
    await world.node("node-1")
    assert "Node node-1 event: Registered Node node-1 in Controller" in await world.events("RegisteredNode")
    await world.client.delete(NODES, "node-1")
    await world.settle()
    assert "Node node-1 event: Removing Node node-1 from Controller" in await world.events("RemovingNode")


async def taint(world, *taints):
    await world.client.patch(NODES, "node-1", {"spec": {"taints": list(taints) or None}})
    await world.settle()


MAINTENANCE = {"key": "maintenance", "value": "yes", "effect": "NoExecute"}


async def test_a_no_execute_taint_evicts_at_once_or_when_the_toleration_ends(world, make):
    await world.node("node-1")
    await world.apply(PODS, make.pod("at-once"))
    await world.apply(PODS, tolerant(make, "later", 30, "maintenance"))
    await world.apply(PODS, tolerant(make, "never", None, "maintenance"))
    await taint(world, MAINTENANCE)
    assert await world.names(PODS) == ["later", "never"]
    await world.live(20, "node-1")
    assert await world.names(PODS) == ["later", "never"]
    await world.live(15, "node-1")
    assert await world.names(PODS) == ["never"]
    assert await world.events("TaintManagerEviction") == [
        "Marking for deletion Pod default/at-once",
        "Marking for deletion Pod default/later",
    ]


async def test_an_eviction_is_called_off_when_the_taint_goes(world, make):
    await world.node("node-1")
    await world.apply(PODS, tolerant(make, "later", 30, "maintenance"))
    await taint(world, MAINTENANCE)
    await world.live(10, "node-1")
    await taint(world)
    await world.live(60, "node-1")
    assert await world.names(PODS) == ["later"]
    assert await world.events("TaintManagerEviction") == ["Cancelling deletion of Pod default/later"]


async def test_an_evicted_pod_says_why(world, make):
    world.kubelet.removes = False
    await world.node("node-1")
    await world.apply(PODS, make.pod("at-once"))
    await taint(world, MAINTENANCE)
    pod = await world.get(PODS, "at-once")
    (condition,) = [each for each in pod["status"]["conditions"] if each["type"] == "DisruptionTarget"]
    assert condition["reason"] == "DeletionByTaintManager"
    assert condition["message"] == "Taint manager: deleting due to NoExecute taint"


async def test_pods_of_a_node_that_is_gone_are_cleared_away(world, make):
    world.kubelet.removes = False
    await world.node("node-1")
    await world.node("node-2")
    await world.apply(PODS, make.pod("lost"))
    world.kubelet.node = "node-2"
    await world.apply(PODS, make.pod("fine"))
    await world.client.delete(NODES, "node-1")
    await world.live(30, "node-2")
    assert await world.names(PODS) == ["fine", "lost"]
    await world.live(40, "node-2")
    assert await world.names(PODS) == ["fine"]


async def test_pods_that_leave_a_node_which_is_out_of_service_are_not_waited_for(world_with_nodes, make):
    world = world_with_nodes
    world.kubelet.removes = False
    await world.node("node-1", taints=[])
    stuck = make.pod("stuck")
    stuck["metadata"]["finalizers"] = ["example.com/hold"]
    await world.apply(PODS, stuck)
    await world.client.delete(PODS, "stuck", "default")
    await world.advance(25, step=5)
    assert (await world.get(PODS, "stuck"))["status"]["phase"] == "Running"
    taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
    await world.merge(NODES, "node-1", {"spec": {"taints": [taint]}})
    condition = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "down"}
    await world.merge(NODES, "node-1", {"status": {"conditions": [condition]}}, subresource="status")
    await world.advance(25, step=5)
    assert (await world.get(PODS, "stuck"))["status"]["phase"] == "Failed"


async def test_a_pod_deleted_before_it_was_scheduled_is_cleared_away(world, make):
    world.kubelet.starts = world.kubelet.removes = False
    pod = make.pod("unscheduled", finalizers=["example.com/hold"])
    await world.apply(PODS, pod)
    await world.client.delete(PODS, "unscheduled", "default", options=DeleteOptions(grace_period_seconds=30))
    await world.merge(PODS, "unscheduled", {"metadata": {"finalizers": None}})
    await world.advance(25, step=5)
    assert await world.names(PODS) == []


async def test_finished_pods_are_kept(world, make):
    await world.node("node-1")
    await world.apply(PODS, make.pod("done"))
    await world.set_pod("done", "default", "Succeeded", "False")
    await world.live(60, "node-1")
    assert await world.names(PODS) == ["done"]
