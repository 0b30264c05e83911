"""When the API says no, or not now."""

from __future__ import annotations

import asyncio

import pytest
from builders import pod

from ktui.client.base import DeleteOptions
from ktui.engine.scheduler.decisions import Decision, Decisions
from ktui.kube.clock import FakeClock, settle
from ktui.kube.errors import already_exists, conflict, not_found, unavailable
from ktui.kube.kinds import EVENTS, NODES, PODS, SCHEDULING_DECISIONS
from ktui.kube.resource import ObjectKey


def refuse_bindings(cluster_api, *errors):
    """The first bindings fail with these errors."""
    create = cluster_api.client.create
    left = list(errors)

    async def refusing(resource, obj, namespace="", **options):
        if options.get("subresource") == "binding" and left:
            raise left.pop(0)
        return await create(resource, obj, namespace, **options)

    cluster_api.client.create = refusing


@pytest.mark.parametrize(
    "error", [unavailable("overloaded"), ConnectionResetError("reset"), conflict(PODS, "web", "changed")]
)
async def test_a_failed_binding_is_tried_again_after_its_backoff(cluster_api, error):
    refuse_bindings(cluster_api, error)
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("web", requests={"cpu": "1"})
    await cluster_api.until(lambda: _backing_off(cluster_api), "a failed binding")
    await cluster_api.clock.advance(1)
    assert await cluster_api.bound("web") == "node1"
    assert cluster_api.scheduler.decision(ObjectKey("default", "web")).attempts == 2


async def test_a_binding_that_fails_says_so(cluster_api):
    refuse_bindings(cluster_api, unavailable("overloaded"))
    await cluster_api.node("node1")
    await cluster_api.pod("web")
    condition = await cluster_api.refused("web")
    assert (condition["reason"], condition["message"]) == ("SchedulerError", "binding rejected: overloaded")
    assert ("Warning", "FailedScheduling", "binding rejected: overloaded") in await cluster_api.events("web")


async def test_the_room_of_a_failed_binding_goes_to_whom_it_may(cluster_api):
    refuse_bindings(cluster_api, not_found(PODS, "first"))
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("first", requests={"cpu": "1"})
    await cluster_api.until(lambda: _backing_off(cluster_api))
    await cluster_api.client.delete(PODS, "first", "default", options=DeleteOptions(grace_period_seconds=0))
    await cluster_api.pod("second", requests={"cpu": "1"})
    assert await cluster_api.bound("second") == "node1"


async def _backing_off(cluster_api):
    return cluster_api.scheduler.pending["backoff"] == 1


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ({"labels": {"disk": "hdd"}}, {"metadata": {"labels": {"disk": "ssd"}}}),
        ({"labels": {"disk": "ssd"}, "cpu": "1"}, {"status": {"allocatable": {"cpu": "4"}}}),
        ({"labels": {"disk": "ssd"}, "unschedulable": True}, {"spec": {"unschedulable": None}}),
        (
            {"labels": {"disk": "ssd"}, "taints": [{"key": "k", "effect": "NoSchedule"}]},
            {"spec": {"taints": None}},
        ),
    ],
    ids=["labels", "allocatable", "uncordon", "taints"],
)
async def test_a_change_of_the_node_wakes_the_pods_it_refused(cluster_api, before, change):
    await cluster_api.node("node1", **before)
    await cluster_api.pod("web", requests={"cpu": "2"}, nodeSelector={"disk": "ssd"})
    await cluster_api.refused("web")
    subresource = "status" if "status" in change else ""
    await cluster_api.client.patch(NODES, "node1", change, subresource=subresource)
    await cluster_api.clock.advance(1)
    assert await cluster_api.bound("web") == "node1"


async def test_a_pod_that_makes_the_scheduler_stumble_does_not_stop_it(cluster_api):
    await cluster_api.node("node1")
    schedule = cluster_api.scheduler._algorithm.schedule

    def stumbling(info, *rest):
        if info.key.name == "bad":
            raise RuntimeError("plugin broke")
        return schedule(info, *rest)

    cluster_api.scheduler._algorithm.schedule = stumbling
    await cluster_api.pod("bad")
    await cluster_api.pod("good")
    assert await cluster_api.bound("good") == "node1"
    condition = await cluster_api.refused("bad")
    assert (condition["reason"], condition["message"]) == ("SchedulerError", "RuntimeError: plugin broke")


async def test_nobody_is_evicted_for_a_pod_that_is_gone(cluster_api):
    make_room = cluster_api.scheduler._preemption.make_room

    async def slow(info, *rest):
        room = await make_room(info, *rest)
        await cluster_api.client.delete(
            PODS, info.key.name, "default", options=DeleteOptions(grace_period_seconds=0)
        )
        await settle()
        return room

    cluster_api.scheduler._preemption.make_room = slow
    await cluster_api.node("node1", cpu="1")
    await cluster_api.pod("lesser", requests={"cpu": "1"})
    await cluster_api.bound("lesser")
    await cluster_api.pod("urgent", requests={"cpu": "1"}, priorityClassName="system-cluster-critical")
    await cluster_api.until(lambda: _gone(cluster_api, "urgent"))
    await settle()
    assert "deletionTimestamp" not in (await cluster_api.get("lesser"))["metadata"]


async def _gone(cluster_api, name):
    pods = (await cluster_api.client.list(PODS, "default")).items
    return name not in [pod["metadata"]["name"] for pod in pods]


class Recording:
    """A client that keeps decisions, with errors to come."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.written = []

    async def _write(self, verb, obj):
        if self.errors and (error := self.errors.pop(0)):
            raise error
        self.written.append((verb, obj["metadata"]["name"], obj["result"]))

    async def create(self, resource, obj, namespace="", **_):
        await self._write("create", obj)

    async def update(self, resource, obj, **_):
        await self._write("update", obj)


def decision(result, message="m", name="web"):
    return Decision(pod(name), result, message, FakeClock().now(), 1, 0.001)


async def record(client, *decisions):
    kept = Decisions(client)
    task = asyncio.create_task(kept.run())
    for each in decisions:
        kept.record(each)
        await settle()
    task.cancel()
    return kept


async def test_only_failures_are_written_and_what_becomes_of_them():
    client = Recording()
    kept = await record(
        client,
        decision("Scheduled", name="easy"),
        decision("Unschedulable"),
        decision("Unschedulable"),
        decision("Unschedulable", "other"),
        decision("Scheduled"),
    )
    assert client.written == [
        ("create", "web", "Unschedulable"),
        ("update", "web", "Unschedulable"),
        ("update", "web", "Scheduled"),
    ]
    assert kept.get(ObjectKey("default", "easy")).result == "Scheduled"


async def test_a_decision_left_by_an_earlier_run_is_replaced():
    client = Recording(already_exists(SCHEDULING_DECISIONS, "web"))
    await record(client, decision("Unschedulable"))
    assert client.written == [("update", "web", "Unschedulable")]


async def test_a_decision_that_could_not_be_written_is_written_next_time():
    client = Recording(unavailable("no"))
    await record(client, decision("Unschedulable"), decision("Unschedulable"))
    assert client.written == [("create", "web", "Unschedulable")]


async def test_old_decisions_make_room():
    kept = Decisions(Recording())
    for i in range(600):
        kept.record(decision("Scheduled", name=f"p{i}"))
    assert kept.get(ObjectKey("default", "p0")) is None
    assert kept.get(ObjectKey("default", "p599")) is not None


async def test_events_are_optional(cluster_api):
    cluster_api.scheduler._recorder = None
    await cluster_api.node("node1")
    await cluster_api.pod("quiet")
    await cluster_api.bound("quiet")
    assert (await cluster_api.client.list(EVENTS, "default")).items == []
