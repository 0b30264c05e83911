"""Rules about the node alone: name, cordon, taints, node affinity, host ports, images."""

from __future__ import annotations

import pytest
from builders import cluster, node, pod, refusals, schedule

from ktui.engine.scheduler.plugins.image_locality import ImageLocality
from ktui.engine.scheduler.plugins.node_affinity import NodeAffinity
from ktui.engine.scheduler.plugins.taint_toleration import TaintToleration

NO_MATCH = ("node(s) didn't match Pod's node affinity/selector",)
TAINTED = ("node(s) had untolerated taint(s)",)


def required(*terms):
    return {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}
            }
        }
    }


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def field(operator, *values):
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": list(values)}]}


LABELS = {"zone": "a", "cores": "8"}


@pytest.mark.parametrize(
    ("spec", "fits"),
    [
        ({"nodeSelector": {"zone": "a"}}, True),
        ({"nodeSelector": {"zone": "b"}}, False),
        ({"nodeSelector": {"zone": "a", "gpu": "yes"}}, False),
        (required(expression("zone", "In", "a", "b")), True),
        (required(expression("zone", "NotIn", "a")), False),
        (required(expression("gpu", "NotIn", "a")), True),
        (required(expression("zone", "Exists")), True),
        (required(expression("gpu", "Exists")), False),
        (required(expression("gpu", "DoesNotExist")), True),
        (required(expression("cores", "Gt", "7")), True),
        (required(expression("cores", "Gt", "8")), False),
        (required(expression("cores", "Lt", "9")), True),
        (required(expression("zone", "Lt", "9")), False),
        (required(expression("gpu", "Gt", "1")), False),
        (required(field("In", "n")), True),
        (required(field("NotIn", "n")), False),
        (required(expression("gpu", "Exists"), field("In", "n")), True),
        (required({**expression("zone", "Exists"), **field("In", "other")}), False),
        (required({}), False),
        (required(), False),
        ({"nodeSelector": {"zone": "b"}, **required(expression("zone", "Exists"))}, False),
    ],
)
def test_node_selector_and_affinity(spec, fits):
    assert refusals(pod(**spec), node("n", labels=LABELS)) == {"n": () if fits else NO_MATCH}


def test_preferred_affinity_ranks_by_weight():
    wanted = pod(
        affinity={
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 10, "preference": expression("disk", "In", "ssd")},
                    {"weight": 30, "preference": expression("zone", "In", "a")},
                    {"weight": 50, "preference": {}},
                ]
            }
        }
    )
    nodes = [
        node("both", labels={"disk": "ssd", "zone": "a"}),
        node("disk", labels={"disk": "ssd"}),
        node("none"),
    ]
    assert NodeAffinity().score(wanted, nodes, cluster(*nodes)) == [100, 25, 0]
    assert NodeAffinity().score(pod(), nodes, cluster(*nodes)) is None


def test_a_named_node_is_the_only_one():
    wanted = pod(nodeName="b")
    assert refusals(wanted, node("a"), node("b")) == {
        "a": ("node(s) didn't match the requested node name",),
        "b": (),
    }


def test_a_cordoned_node_takes_only_pods_that_tolerate_it():
    cordoned = node("n", unschedulable=True)
    assert refusals(pod(), cordoned) == {"n": ("node(s) were unschedulable",)}
    tolerant = pod(tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}])
    assert refusals(tolerant, cordoned) == {"n": ()}


@pytest.mark.parametrize(
    ("taint", "toleration", "fits"),
    [
        ({"key": "k", "effect": "PreferNoSchedule"}, {}, True),
        ({"key": "k", "effect": "NoSchedule"}, None, False),
        ({"key": "k", "effect": "NoExecute"}, None, False),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, {"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, {"key": "k", "value": "w"}, False),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, {"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, {"operator": "Exists"}, True),
        ({"key": "k", "effect": "NoSchedule"}, {"operator": "Exists", "effect": "NoExecute"}, False),
        (
            {"key": "k", "effect": "NoExecute"},
            {"key": "k", "operator": "Exists", "effect": "NoExecute"},
            True,
        ),
        ({"key": "k", "effect": "NoSchedule"}, {"key": "k"}, True),
        (
            {"key": "k", "value": "5", "effect": "NoSchedule"},
            {"key": "k", "operator": "Gt", "value": "3"},
            True,
        ),
        (
            {"key": "k", "value": "5", "effect": "NoSchedule"},
            {"key": "k", "operator": "Lt", "value": "3"},
            False,
        ),
        (
            {"key": "k", "value": "x", "effect": "NoSchedule"},
            {"key": "k", "operator": "Gt", "value": "3"},
            False,
        ),
    ],
)
def test_taints_and_tolerations(taint, toleration, fits):
    wanted = pod(tolerations=[toleration] if toleration else [])
    assert refusals(wanted, node("n", taints=[taint])) == {"n": () if fits else TAINTED}


def test_soft_taints_cost_score():
    nodes = [
        node("clean"),
        node("one", taints=[{"key": "a", "effect": "PreferNoSchedule"}]),
        node("two", taints=[{"key": k, "effect": "PreferNoSchedule"} for k in "ab"]),
    ]
    plugin = TaintToleration()
    assert plugin.score(pod(), nodes, cluster(*nodes)) == [100, 50, 0]
    tolerant = pod(tolerations=[{"key": "b", "operator": "Exists", "effect": "PreferNoSchedule"}])
    assert plugin.score(tolerant, nodes, cluster(*nodes)) == [100, 0, 0]


@pytest.mark.parametrize(
    ("taken", "wanted", "fits"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, False),
        ({"hostPort": 80}, {"hostPort": 81}, True),
        ({"hostPort": 80, "protocol": "UDP"}, {"hostPort": 80}, True),
        ({"hostPort": 80, "hostIP": "127.0.0.1"}, {"hostPort": 80}, False),
        ({"hostPort": 80, "hostIP": "127.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.1"}, True),
        ({"containerPort": 80}, {"hostPort": 80}, True),
    ],
)
def test_host_ports(taken, wanted, fits):
    there = pod("there", ports=[{"containerPort": 1, **taken}])
    expected = () if fits else ("node(s) didn't have free ports for the requested pod ports",)
    asks = pod(ports=[{"containerPort": 1, **wanted}])
    assert refusals(asks, node("n", there)) == {"n": expected}


def test_a_sidecars_host_port_counts():
    sidecar = {
        "name": "s",
        "restartPolicy": "Always",
        "ports": [{"containerPort": 80, "hostPort": 80}],
    }
    there = pod("there", initContainers=[sidecar])
    assert refusals(pod(ports=[{"containerPort": 80, "hostPort": 80}]), node("n", there))["n"]


def test_a_large_image_draws_the_pod_weighted_by_how_many_nodes_have_it():
    half = 500 * 1024 * 1024
    nodes = [node("has", images={"shop:latest": half}), node("has-not")]
    assert ImageLocality().score(pod(image="shop"), nodes, cluster(*nodes)) == [23, 0]
    assert ImageLocality().score(pod(image="other"), nodes, cluster(*nodes)) is None
    assert schedule(pod(image="shop"), *nodes).node == "has"


def test_a_pod_that_claims_devices_has_no_node():
    assert refusals(pod(), node()) == {"node1": ()}
    claiming = pod(resourceClaims=[{"name": "gpu", "resourceClaimName": "gpu"}])
    assert refusals(claiming, node()) == {"node1": ("cannot allocate all claims",)}
