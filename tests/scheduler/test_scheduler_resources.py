"""What a pod requests, and whether it fits."""

from __future__ import annotations

import pytest
from builders import node, pod, refusals, schedule

from ktui.engine.scheduler.algorithm import Placement, Unfit
from ktui.engine.scheduler.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from ktui.engine.scheduler.plugins.node_resources_fit import NodeResourcesFit


def container(name: str, cpu: str = "", memory: str = "", **fields):
    requests = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    return {"name": name, "resources": {"requests": requests}, **fields}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [container("a", "100m"), container("b", "1")]}, {"cpu": 1100}),
        ({"containers": [container("a")]}, {}),
        (
            {"containers": [container("a", "100m", "1Gi")], "initContainers": [container("i", "2")]},
            {"cpu": 2000, "memory": 1 << 30},
        ),
        (
            {
                "containers": [container("a", "100m")],
                "initContainers": [container("s", "200m", restartPolicy="Always"), container("i", "250m")],
            },
            {"cpu": 450},
        ),
        (
            {
                "containers": [container("a", "100m")],
                "initContainers": [container("i", "250m"), container("s", "200m", restartPolicy="Always")],
            },
            {"cpu": 300},
        ),
        (
            {"containers": [container("a", "100m")], "overhead": {"cpu": "50m", "memory": "1Ki"}},
            {"cpu": 150, "memory": 1024},
        ),
        ({"containers": [container("a", "100m")], "resources": {"requests": {"cpu": "1"}}}, {"cpu": 1000}),
        ({"containers": [container("a", "0")]}, {}),
    ],
    ids=[
        "sum",
        "none",
        "init",
        "sidecar-before-init",
        "init-before-sidecar",
        "overhead",
        "pod-level",
        "zero",
    ],
)
def test_a_pod_requests_what_it_needs_at_its_hungriest(spec, expected):
    assert pod(**spec).requests == expected


@pytest.mark.parametrize(
    ("requests", "running", "fields", "expected"),
    [
        ({"cpu": "4"}, [], {}, ()),
        ({"cpu": "4001m"}, [], {}, ("Insufficient cpu",)),
        ({"cpu": "2", "memory": "1Gi"}, [{"cpu": "3"}], {}, ("Insufficient cpu",)),
        (
            {"cpu": "2", "memory": "8Gi"},
            [{"cpu": "3", "memory": "1"}],
            {},
            ("Insufficient cpu", "Insufficient memory"),
        ),
        ({"nvidia.com/gpu": "1"}, [], {}, ("Insufficient nvidia.com/gpu",)),
        ({"nvidia.com/gpu": "1"}, [], {"allocatable": {"nvidia.com/gpu": "1"}}, ()),
        ({"ephemeral-storage": "1Gi"}, [], {}, ("Insufficient ephemeral-storage",)),
        ({}, [{}, {}], {"pods": "2"}, ("Too many pods",)),
        ({"cpu": "5"}, [{}], {"pods": "1"}, ("Too many pods", "Insufficient cpu")),
        ({}, [{"cpu": "10"}], {}, ()),
    ],
)
def test_a_node_must_have_room(requests, running, fields, expected):
    there = [pod(f"p{i}", requests=r) for i, r in enumerate(running)]
    assert refusals(pod(requests=requests), node("n", *there, **fields)) == {"n": expected}


def test_asking_for_more_than_a_node_has_is_not_won_by_preemption():
    fit = NodeResourcesFit()
    full = node("n", pod("p", requests={"cpu": "4"}))
    assert fit.filter(None, pod(requests={"cpu": "1"}), full).resolvable
    assert not fit.filter(None, pod(requests={"cpu": "5"}), full).resolvable


def test_the_emptier_node_is_chosen():
    outcome = schedule(
        pod(requests={"cpu": "1"}), node("busy", pod("p", requests={"cpu": "2"})), node("idle")
    )
    assert isinstance(outcome, Placement)
    assert outcome.node == "idle"


def test_least_allocated_scores_the_free_share():
    nodes = [node("idle"), node("half", pod("p", requests={"cpu": "2", "memory": "4Gi"}))]
    wanted = pod(requests={"cpu": "1", "memory": "2Gi"})
    assert NodeResourcesFit().score(wanted, nodes, None) == [75, 25]


def test_balanced_allocation_prefers_what_evens_a_node_out():
    lopsided = node("lopsided", pod("p", requests={"cpu": "2"}))
    plugin = NodeResourcesBalancedAllocation()
    wanted = pod(requests={"memory": "4Gi"})
    assert plugin.score(wanted, [lopsided, node("idle")], None) == [87, 62]
    assert plugin.score(pod(), [lopsided], None) is None


def test_the_message_counts_the_reasons():
    outcome = schedule(
        pod(requests={"cpu": "2"}),
        node("a", cpu="1"),
        node("b", taints=[{"key": "k", "effect": "NoSchedule"}]),
        node("c", taints=[{"key": "k", "value": "v", "effect": "NoExecute"}]),
    )
    assert isinstance(outcome, Unfit)
    assert (
        outcome.message()
        == "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s)."
    )
    assert outcome.plugins == {"NodeResourcesFit", "TaintToleration"}


def test_without_nodes_it_says_so():
    outcome = schedule(pod())
    assert isinstance(outcome, Unfit)
    assert outcome.message() == "no nodes available to schedule pods"
