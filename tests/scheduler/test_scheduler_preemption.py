"""Who has to go so that a more important pod can run."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from builders import cluster, node, pod
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.models.policy_v1 import (
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
)

from ktui.engine.scheduler.algorithm import Algorithm, Unfit
from ktui.engine.scheduler.budgets import Budgets
from ktui.engine.scheduler.plugins import default_profile
from ktui.engine.scheduler.preemption import Preemption


async def room(wanted, *nodes, nominated="", nominations=None, budgets=()):
    algorithm = Algorithm(default_profile(), random.Random(0))
    snapshot = cluster(*nodes)
    unfit = algorithm.schedule(wanted, snapshot, nominations or {})
    assert isinstance(unfit, Unfit)
    preemption = Preemption(algorithm, lambda _: None, lambda: Budgets(budgets))
    return await preemption.make_room(wanted, unfit, snapshot, nominations or {}, nominated)


def running(name, cpu, priority=0, started=""):
    status = {"startTime": started} if started else {}
    return pod(name, requests={"cpu": cpu}, priority=priority, status=status)


def budget(allowed, disrupted=(), **labels):
    return PodDisruptionBudget(
        metadata=ObjectMeta(name="b", namespace="default"),
        spec=PodDisruptionBudgetSpec(selector=LabelSelector(matchLabels=labels)),
        status=PodDisruptionBudgetStatus(
            currentHealthy=1,
            desiredHealthy=1,
            disruptionsAllowed=allowed,
            disruptedPods=dict.fromkeys(disrupted, datetime.now(UTC)),
            expectedPods=1,
        ),
    )


def names(found):
    return (found.node, sorted(victim.key.name for victim in found.victims))


IMPORTANT = {"requests": {"cpu": "2"}, "priority": 100}


async def test_the_fewest_and_least_important_go():
    found = await room(
        pod(**IMPORTANT), node("n", running("a", "2", 1), running("b", "1", 2), running("c", "1", 3))
    )
    assert names(found) == ("n", ["a"])


async def test_the_longer_running_of_equals_stays():
    old = running("old", "2", started="2026-01-01T00:00:00Z")
    new = running("new", "2", started="2026-01-02T00:00:00Z")
    assert names(await room(pod(**IMPORTANT), node("n", old, new))) == ("n", ["new"])


async def test_what_a_budget_protects_stays_if_another_can_go():
    kept = pod("kept", requests={"cpu": "2"}, priority=1, labels={"app": "db"})
    other = running("other", "2", 5)
    full = node("n", kept, other)
    assert names(await room(pod(**IMPORTANT), full)) == ("n", ["kept"])
    assert names(await room(pod(**IMPORTANT), full, budgets=[budget(0, app="db")])) == ("n", ["other"])
    assert names(await room(pod(**IMPORTANT), full, budgets=[budget(1, app="db")])) == ("n", ["kept"])
    counted = budget(0, ["kept"], app="db")
    assert names(await room(pod(**IMPORTANT), full, budgets=[counted])) == ("n", ["kept"])
    assert names(await room(pod(**IMPORTANT), full, budgets=[budget(0)])) == ("n", ["kept"])
    alone = node("n", pod("kept", requests={"cpu": "4"}, labels={"app": "db"}))
    assert names(await room(pod(**IMPORTANT), alone, budgets=[budget(0, app="db")])) == ("n", ["kept"])


async def test_the_node_where_no_budget_is_broken_is_chosen():
    protected = pod("a", requests={"cpu": "4"}, priority=1, labels={"app": "db"})
    one, two = node("one", protected), node("two", running("b", "4", 50))
    found = await room(pod(**IMPORTANT), one, two, budgets=[budget(0, app="db")])
    assert names(found) == ("two", ["b"])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([running("a", "4", 5)], [running("b", "4", 3)], "two"),
        ([running("a", "4", 5)], [running("b", "2", 5), running("c", "2", 5)], "one"),
        (
            [running("a", "4", 5, "2026-01-01T00:00:00Z")],
            [running("b", "4", 5, "2026-01-02T00:00:00Z")],
            "two",
        ),
    ],
    ids=["lowest-priority", "smallest-sum", "latest-started"],
)
async def test_the_node_that_loses_least_is_chosen(one, other, expected):
    wanted = pod(requests={"cpu": "4"}, priority=100)
    assert (await room(wanted, node("one", *one), node("two", *other))).node == expected


async def test_equals_are_no_victims():
    found = await room(pod(requests={"cpu": "2"}, priority=5), node("n", running("a", "4", 5)))
    assert (found.node, found.message) == (
        "",
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    )


async def test_where_eviction_can_not_help_it_says_so():
    found = await room(
        pod(**IMPORTANT),
        node("tainted", running("a", "4"), taints=[{"key": "k", "effect": "NoSchedule"}]),
        node("small", running("a", "1"), cpu="1"),
        node("full", running("a", "1"), pod("b", requests={"cpu": "3"}, priority=1000)),
    )
    assert found.message == (
        "preemption: 0/3 nodes are available: 1 Insufficient cpu, 2 Preemption is not helpful for scheduling."
    )


async def test_a_pod_that_never_preempts():
    found = await room(pod(preemptionPolicy="Never", **IMPORTANT), node("n", running("a", "4")))
    assert found.message == "preemption: not eligible due to preemptionPolicy=Never."


async def test_a_preemptor_waits_while_its_victims_terminate():
    leaving = pod("a", requests={"cpu": "4"}, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    found = await room(pod(**IMPORTANT), node("n", leaving), node("m", running("b", "4")), nominated="n")
    assert found.message == "preemption: not eligible due to a terminating pod on the nominated node."
    assert found.keeps_nomination


async def test_room_made_for_a_nominated_pod_is_not_taken_by_a_lesser_one():
    waiting = pod("waiting", requests={"cpu": "4"}, priority=1000)
    found = await room(pod(**IMPORTANT), node("n", running("a", "1")), nominations={"n": [waiting]})
    assert not found.node


async def test_anti_affinity_of_a_lesser_pod_is_won_by_evicting_it():
    hermit = pod(
        "hermit",
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}
                ]
            }
        },
    )
    assert names(await room(pod(priority=1), node("n", hermit, running("b", "1")))) == ("n", ["hermit"])


def test_a_nominated_pod_takes_its_node_even_if_another_would_be_better():
    algorithm = Algorithm(default_profile(), random.Random(0))
    snapshot = cluster(node("kept", running("a", "2")), node("idle"))
    wanted = pod(requests={"cpu": "1"})
    assert algorithm.schedule(wanted, snapshot, {}).node == "idle"
    assert algorithm.schedule(wanted, snapshot, {"kept": [wanted]}, "kept").node == "kept"
    full = pod(requests={"cpu": "3"})
    assert algorithm.schedule(full, snapshot, {"kept": [full]}, "kept").node == "idle"
