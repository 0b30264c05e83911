"""Rules about other pods: affinity, anti-affinity, topology spread."""

from __future__ import annotations

import pytest
from builders import cluster, node, pod, refusals, schedule

from ktui.engine.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from ktui.engine.scheduler.plugins.topology_spread import PodTopologySpread

AFFINITY = ("node(s) didn't match pod affinity rules",)
ANTI = ("node(s) didn't match pod anti-affinity rules",)
EXISTING = ("node(s) didn't satisfy existing pods anti-affinity rules",)
UNEVEN = ("node(s) didn't match pod topology spread constraints",)
NO_LABEL = ("node(s) didn't match pod topology spread constraints (missing required label)",)
HOST = "kubernetes.io/hostname"


def term(labels, key="zone", **fields):
    return {"topologyKey": key, "labelSelector": {"matchLabels": labels}, **fields}


def near(*terms):
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def far(*terms):
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def zoned(name, zone, *running, **fields):
    return node(name, *running, labels={"zone": zone}, **fields)


CACHE = {"app": "cache"}


def test_affinity_wants_the_same_zone_not_the_same_node():
    nodes = [zoned("a1", "a", pod("c", labels=CACHE)), zoned("a2", "a"), zoned("b1", "b"), node("none")]
    found = refusals(pod(affinity=near(term(CACHE))), *nodes)
    assert found == {"a1": (), "a2": (), "b1": AFFINITY, "none": AFFINITY}


def test_the_first_of_a_group_may_go_anywhere_with_the_label():
    wanted = pod(labels=CACHE, affinity=near(term(CACHE)))
    assert refusals(wanted, zoned("a", "a"), node("none")) == {"a": (), "none": AFFINITY}
    assert refusals(pod(affinity=near(term(CACHE))), zoned("a", "a")) == {"a": AFFINITY}


def test_all_affinity_terms_must_be_met_by_the_same_pods():
    wanted = pod(affinity=near(term({"app": "x"}), term({"tier": "y"})))
    halves = [zoned("a", "a", pod("x", labels={"app": "x"}), pod("y", labels={"tier": "y"}))]
    assert refusals(wanted, *halves) == {"a": AFFINITY}
    assert refusals(wanted, zoned("a", "a", pod("xy", labels={"app": "x", "tier": "y"}))) == {"a": ()}


def test_anti_affinity_works_both_ways():
    loner = pod("loner", labels={"app": "loner"}, affinity=far(term(CACHE)))
    there = pod("c", labels=CACHE)
    assert refusals(loner, zoned("a1", "a", there), zoned("a2", "a"), zoned("b", "b")) == {
        "a1": ANTI,
        "a2": ANTI,
        "b": (),
    }
    assert refusals(there, zoned("a1", "a", loner), zoned("a2", "a"), zoned("b", "b"), node("none")) == {
        "a1": EXISTING,
        "a2": EXISTING,
        "b": (),
        "none": (),
    }


def test_anti_affinity_is_within_the_pods_own_namespace_unless_it_says_otherwise():
    there = pod("c", namespace="other", labels=CACHE)
    nodes = [zoned("a", "a", there)]
    assert refusals(pod(affinity=far(term(CACHE))), *nodes) == {"a": ()}
    assert refusals(pod(affinity=far(term(CACHE, namespaces=["other"]))), *nodes) == {"a": ANTI}
    by_label = far(term(CACHE, namespaceSelector={"matchLabels": {"team": "x"}}))
    namespaces = {"default": {}, "other": {"team": "x"}}
    assert refusals(pod(affinity=by_label), *nodes, namespaces=namespaces) == {"a": ANTI}
    assert refusals(pod(affinity=by_label), *nodes, namespaces={"default": {}, "other": {}}) == {"a": ()}
    assert refusals(pod(affinity=far(term(CACHE, namespaceSelector={}))), *nodes) == {"a": ANTI}


def test_match_label_keys_narrow_a_term_to_the_pods_own_revision():
    old = pod("old", labels={"app": "web", "rev": "1"})
    wanted = pod(
        labels={"app": "web", "rev": "2"}, affinity=far(term({"app": "web"}, matchLabelKeys=["rev"]))
    )
    assert refusals(wanted, zoned("a", "a", old)) == {"a": ()}
    other = far(term({"app": "web"}, mismatchLabelKeys=["rev"]))
    assert refusals(pod(labels={"app": "web", "rev": "2"}, affinity=other), zoned("a", "a", old)) == {
        "a": ANTI
    }


def test_preferred_terms_of_both_sides_rank_nodes():
    weighted = [{"weight": 10, "podAffinityTerm": term(CACHE)}]
    preferring = {"preferredDuringSchedulingIgnoredDuringExecution": weighted}
    nodes = [zoned("a", "a", pod("c", labels=CACHE)), zoned("b", "b")]
    plugin = InterPodAffinity()
    assert plugin.score(pod(affinity={"podAffinity": preferring}), nodes, cluster(*nodes)) == [100, 0]
    assert plugin.score(pod(affinity={"podAntiAffinity": preferring}), nodes, cluster(*nodes)) == [0, 100]
    assert plugin.score(pod(), nodes, cluster(*nodes)) is None
    wanting = pod("w", labels={"app": "w"}, affinity=near(term(CACHE)))
    nodes = [zoned("a", "a", wanting), zoned("b", "b")]
    assert plugin.score(pod(labels=CACHE), nodes, cluster(*nodes)) == [100, 0]


def spread(skew=1, key="zone", when="DoNotSchedule", **fields):
    return [
        {
            "maxSkew": skew,
            "topologyKey": key,
            "whenUnsatisfiable": when,
            "labelSelector": {"matchLabels": {"app": "web"}},
            **fields,
        }
    ]


def webs(count, prefix="w", **fields):
    return [pod(f"{prefix}{i}", labels={"app": "web"}, **fields) for i in range(count)]


@pytest.mark.parametrize(
    ("skew", "in_a", "in_b", "expected"),
    [
        (1, 0, 0, {"a": (), "b": ()}),
        (1, 1, 0, {"a": UNEVEN, "b": ()}),
        (2, 1, 0, {"a": (), "b": ()}),
        (2, 3, 1, {"a": UNEVEN, "b": ()}),
        (1, 2, 2, {"a": (), "b": ()}),
    ],
)
def test_spread_keeps_the_skew(skew, in_a, in_b, expected):
    wanted = pod(labels={"app": "web"}, topologySpreadConstraints=spread(skew))
    nodes = [zoned("a", "a", *webs(in_a, "a")), zoned("b", "b", *webs(in_b, "b"))]
    assert refusals(wanted, *nodes) == expected


def test_spread_needs_the_label():
    wanted = pod(labels={"app": "web"}, topologySpreadConstraints=spread())
    assert refusals(wanted, node("none"), zoned("a", "a")) == {"none": NO_LABEL, "a": ()}


def test_spread_counts_domains_up_to_min_domains():
    nodes = [zoned("a", "a", *webs(1, "a")), zoned("b", "b", *webs(1, "b"))]
    two = pod(labels={"app": "web"}, topologySpreadConstraints=spread(minDomains=2))
    three = pod(labels={"app": "web"}, topologySpreadConstraints=spread(minDomains=3))
    assert refusals(two, *nodes) == {"a": (), "b": ()}
    assert refusals(three, *nodes) == {"a": UNEVEN, "b": UNEVEN}


def test_spread_ignores_pods_of_other_namespaces_and_those_on_their_way_out():
    leaving = webs(1, "l", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    foreign = webs(1, "f", namespace="other")
    wanted = pod(labels={"app": "web"}, topologySpreadConstraints=spread())
    assert refusals(wanted, zoned("a", "a", *leaving, *foreign), zoned("b", "b")) == {"a": (), "b": ()}


def test_spread_policies_say_which_nodes_count():
    tainted = {"taints": [{"key": "k", "effect": "NoSchedule"}]}
    nodes = [zoned("a", "a", *webs(1, "a")), zoned("b", "b", **tainted)]
    ignoring = pod(labels={"app": "web"}, topologySpreadConstraints=spread())
    honoring = pod(labels={"app": "web"}, topologySpreadConstraints=spread(nodeTaintsPolicy="Honor"))
    assert refusals(ignoring, *nodes)["a"] == UNEVEN
    assert refusals(honoring, *nodes)["a"] == ()
    picky = {"nodeSelector": {"zone": "a"}}
    assert (
        refusals(pod(labels={"app": "web"}, topologySpreadConstraints=spread(), **picky), *nodes)["a"] == ()
    )
    counting = spread(nodeAffinityPolicy="Ignore")
    assert (
        refusals(pod(labels={"app": "web"}, topologySpreadConstraints=counting, **picky), *nodes)["a"]
        == UNEVEN
    )


def test_spread_by_match_label_keys_counts_one_revision():
    old = pod("old", labels={"app": "web", "rev": "1"})
    wanted = pod(labels={"app": "web", "rev": "2"}, topologySpreadConstraints=spread(matchLabelKeys=["rev"]))
    assert refusals(wanted, zoned("a", "a", old), zoned("b", "b")) == {"a": (), "b": ()}


def test_soft_spread_prefers_the_emptier_zone():
    wanted = pod(labels={"app": "web"}, topologySpreadConstraints=spread(when="ScheduleAnyway"))
    nodes = [zoned("a", "a", *webs(4, "a")), zoned("b", "b", *webs(2, "b")), zoned("c", "c"), node("none")]
    scores = PodTopologySpread().score(wanted, nodes, cluster(*nodes))
    assert scores[2] == 100
    assert scores[0] < scores[1] < scores[2]
    assert scores[3] == 0


def test_pods_of_one_controller_spread_by_default():
    owner = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "rs-1", "controller": True}]
    owned = {"metadata": {"ownerReferences": owner}}
    nodes = [node("a", pod("one", **owned)), node("b")]
    plugin = PodTopologySpread()
    assert plugin.score(pod(**owned), nodes, cluster(*nodes)) == [66, 100]
    assert plugin.score(pod(), nodes, cluster(*nodes)) is None
    assert schedule(pod("two", **owned), *nodes).node == "b"
