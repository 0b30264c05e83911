"""The scheduler in a control plane: what it writes, and when it tries again."""

from __future__ import annotations

import asyncio

from ktui.client.base import DeleteOptions
from ktui.kube.kinds import NODES, PODS, SCHEDULING_DECISIONS
from ktui.kube.resource import ObjectKey


async def test_a_pod_is_bound_and_the_event_says_where(cluster_api):
    await cluster_api.node("node1")
    await cluster_api.pod("web-1", requests={"cpu": "1"})
    assert await cluster_api.bound("web-1") == "node1"
    assert (await cluster_api.condition("web-1"))["status"] == "True"
    assert await cluster_api.events("web-1") == [
        ("Normal", "Scheduled", "Successfully assigned default/web-1 to node1")
    ]
    decision = cluster_api.scheduler.decision(ObjectKey("default", "web-1"))
    assert (decision.result, decision.placement.node) == ("Scheduled", "node1")


async def test_a_pod_that_fits_nowhere_says_why_until_it_does(cluster_api):
    await cluster_api.node("small", cpu="1")
    await cluster_api.node("tainted", taints=[{"key": "k", "effect": "NoSchedule"}])
    await cluster_api.pod("big", requests={"cpu": "2"})
    condition = await cluster_api.refused("big")
    message = (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    assert (condition["reason"], condition["message"]) == ("Unschedulable", message)
    assert await cluster_api.events("big") == [("Warning", "FailedScheduling", message)]

    recorded = await cluster_api.until(lambda: cluster_api.client.get(SCHEDULING_DECISIONS, "big", "default"))
    pod = await cluster_api.get("big")
    assert recorded["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
    assert (recorded["result"], recorded["message"]) == ("Unschedulable", message)
    assert {(node["name"], node["plugin"], *node["reasons"]) for node in recorded["nodes"]} == {
        ("small", "NodeResourcesFit", "Insufficient cpu"),
        ("tainted", "TaintToleration", "node(s) had untolerated taint(s)"),
    }
    assert {"resource": "nodes", "action": "Add"} in recorded["events"]

    await cluster_api.node("large")
    await cluster_api.clock.advance(1)
    assert await cluster_api.bound("big") == "large"

    async def scheduled():
        found = await cluster_api.client.get(SCHEDULING_DECISIONS, "big", "default")
        return found if found["result"] == "Scheduled" else None

    recorded = await cluster_api.until(scheduled)
    assert recorded["nodeName"] == "large"
    assert recorded["attempts"] == 2


async def test_without_nodes_a_pod_waits_for_one(cluster_api):
    await cluster_api.pod("early")
    assert (await cluster_api.refused("early"))["message"] == "no nodes available to schedule pods"
    await cluster_api.node("node1")
    await cluster_api.clock.advance(1)
    assert await cluster_api.bound("early") == "node1"


async def test_freed_room_goes_to_the_one_who_waited(cluster_api):
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("first", requests={"cpu": "1"})
    await cluster_api.bound("first")
    await cluster_api.pod("second", requests={"cpu": "1"})
    await cluster_api.refused("second")
    await cluster_api.client.delete(PODS, "first", "default", options=DeleteOptions(grace_period_seconds=0))
    await cluster_api.clock.advance(1)
    assert await cluster_api.bound("second") == "node1"


async def test_a_finished_pod_gives_its_room_back(cluster_api):
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("job", requests={"cpu": "1"})
    await cluster_api.bound("job")
    await cluster_api.pod("next", requests={"cpu": "1"})
    await cluster_api.refused("next")
    done = {"status": {"phase": "Succeeded"}}
    await cluster_api.client.patch(PODS, "job", done, "default", subresource="status")
    await cluster_api.clock.advance(1)
    assert await cluster_api.bound("next") == "node1"


async def test_a_gated_pod_is_scheduled_when_its_gates_go(cluster_api):
    await cluster_api.node("node1")
    await cluster_api.pod("gated", schedulingGates=[{"name": "example.com/hold"}])
    condition = await cluster_api.refused("gated")
    assert (condition["reason"], condition["message"]) == (
        "SchedulingGated",
        "Scheduling is blocked due to non-empty scheduling gates",
    )
    await cluster_api.until(lambda: _waiting(cluster_api, "gated", 1))
    await cluster_api.client.patch(PODS, "gated", {"spec": {"schedulingGates": None}}, "default")
    assert await cluster_api.bound("gated") == "node1"


async def test_pods_of_other_schedulers_are_left_alone(cluster_api):
    await cluster_api.node("node1")
    await cluster_api.pod("foreign", schedulerName="other")
    await cluster_api.pod("ours")
    await cluster_api.bound("ours")
    assert await cluster_api.node_of("foreign") == ""


async def test_a_burst_never_overbooks_a_node_whatever_the_informer_has_seen(cluster_api):
    for i in range(3):
        await cluster_api.node(f"node{i}", cpu="2")
    await asyncio.gather(*(cluster_api.pod(f"p{i}", requests={"cpu": "500m"}) for i in range(20)))
    await cluster_api.until(lambda: _count_bound(cluster_api, 12), "12 pods bound")
    await cluster_api.until(lambda: _waiting(cluster_api, "unschedulable", 8), "8 pods wait")
    pods = (await cluster_api.client.list(PODS, "default")).items
    by_node: dict[str, int] = {}
    for pod in pods:
        by_node[pod["spec"].get("nodeName", "")] = by_node.get(pod["spec"].get("nodeName", ""), 0) + 1
    assert by_node == {"node0": 4, "node1": 4, "node2": 4, "": 8}


async def _count_bound(cluster_api, wanted):
    pods = (await cluster_api.client.list(PODS, "default")).items
    return sum(bool(pod["spec"].get("nodeName")) for pod in pods) == wanted


async def _waiting(cluster_api, where, wanted):
    return cluster_api.scheduler.pending[where] == wanted


async def test_an_important_pod_takes_the_place_of_a_lesser_one(cluster_api):
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("lesser", requests={"cpu": "1"}, terminationGracePeriodSeconds=30)
    await cluster_api.bound("lesser")
    await cluster_api.pod("urgent", requests={"cpu": "1"}, priorityClassName="system-cluster-critical")

    async def nominated():
        return (await cluster_api.get("urgent"))["status"].get("nominatedNodeName")

    assert await cluster_api.until(nominated) == "node1"
    condition = await cluster_api.condition("urgent")
    assert condition["message"] == "0/1 nodes are available: 1 Insufficient cpu."
    uid = (await cluster_api.get("urgent"))["metadata"]["uid"]
    marked = await cluster_api.condition("lesser", "DisruptionTarget")
    assert (marked["reason"], marked["message"]) == (
        "PreemptionByScheduler",
        "default-scheduler: preempting to accommodate a higher priority pod",
    )
    lesser = await cluster_api.get("lesser")
    assert lesser["metadata"]["deletionTimestamp"]
    assert ("Normal", "Preempted", f"Preempted by pod {uid} on node node1") in await cluster_api.events(
        "lesser"
    )
    await cluster_api.client.delete(PODS, "lesser", "default", options=DeleteOptions(grace_period_seconds=0))
    await cluster_api.clock.advance(1)
    assert await cluster_api.bound("urgent") == "node1"


async def test_a_pod_deleted_while_it_waits_is_forgotten(cluster_api):
    await cluster_api.pod("gone")
    await cluster_api.refused("gone")
    await cluster_api.client.delete(PODS, "gone", "default", options=DeleteOptions(grace_period_seconds=0))
    await cluster_api.until(lambda: _waiting(cluster_api, "unschedulable", 0))
    assert cluster_api.scheduler.decision(ObjectKey("default", "gone")) is None


async def test_a_node_that_goes_takes_its_room_along_and_brings_it_back(cluster_api):
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("first", requests={"cpu": "1"})
    await cluster_api.bound("first")
    await cluster_api.client.delete(NODES, "node1")
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("second", requests={"cpu": "1"})
    assert "Insufficient cpu" in (await cluster_api.refused("second"))["message"]


async def test_it_can_be_stopped_and_started_again(cluster_api):
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("first", requests={"cpu": "1"})
    await cluster_api.bound("first")
    await cluster_api.pod("waits", requests={"cpu": "1"})
    await cluster_api.refused("waits")
    await cluster_api.stop()
    await cluster_api.client.delete(PODS, "first", "default", options=DeleteOptions(grace_period_seconds=0))
    cluster_api.start()
    await cluster_api.clock.advance(1)
    assert await cluster_api.bound("waits") == "node1"
    await cluster_api.pod("late", requests={"cpu": "1"})
    assert "Insufficient cpu" in (await cluster_api.refused("late"))["message"]
