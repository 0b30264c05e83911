"""The scheduler's picture of the cluster: assumed pods, late nodes, waiting preemptors."""

from __future__ import annotations

from builders import node, pod

from ktui.engine.scheduler.cache import Cache
from ktui.engine.scheduler.nominations import Nominations


def used(cache: Cache, name: str = "n") -> int:
    return cache.snapshot().nodes[name].requested.get("cpu", 0)


def cache_with_node(name: str = "n") -> Cache:
    cache = Cache()
    cache.set_node(name, node(name).node)
    return cache


WEB = pod("web", requests={"cpu": "1"})


def test_an_assumed_pod_counts_until_it_is_forgotten():
    cache = cache_with_node()
    cache.assume(WEB, "n")
    assert used(cache) == 1000
    assert cache.is_assumed(WEB.key, WEB.uid)
    cache.forget(WEB)
    assert used(cache) == 0
    assert not cache.is_assumed(WEB.key, WEB.uid)


def test_a_confirmed_pod_is_not_forgotten():
    cache = cache_with_node()
    cache.assume(WEB, "n")
    cache.set_pod(WEB, "n")
    cache.forget(WEB)
    assert used(cache) == 1000


def test_forgetting_spares_a_pod_made_anew_under_the_same_name():
    cache = cache_with_node()
    again = pod("web", uid="again", requests={"cpu": "2"})
    cache.assume(WEB, "n")
    cache.assume(again, "n")
    cache.forget(WEB)
    assert used(cache) == 2000


def test_confirming_takes_only_the_pod_that_was_assumed_there():
    cache = cache_with_node()
    cache.assume(WEB, "n")
    assert not cache.confirm(WEB.key, WEB.uid, "other")
    assert not cache.confirm(WEB.key, "other", "n")
    assert cache.confirm(WEB.key, WEB.uid, "n")
    assert not cache.confirm(WEB.key, WEB.uid, "n")
    assert used(cache) == 1000


def test_pods_bound_elsewhere_than_assumed_count_where_they_are():
    cache = cache_with_node()
    cache.set_node("m", node("m").node)
    cache.assume(WEB, "n")
    cache.set_pod(WEB, "m")
    assert (used(cache), used(cache, "m")) == (0, 1000)


def test_pods_are_counted_when_their_node_comes_later():
    cache = Cache()
    cache.set_pod(WEB, "n")
    gone = pod("gone", requests={"cpu": "1"})
    cache.set_pod(gone, "n")
    assert cache.remove_pod(gone.key)
    cache.set_node("n", node("n").node)
    assert used(cache) == 1000
    cache.remove_node("n")
    assert "n" not in cache.snapshot().nodes
    cache.set_node("n", node("n").node)
    assert used(cache) == 1000


def test_a_changed_node_keeps_its_pods():
    cache = cache_with_node()
    cache.set_pod(WEB, "n")
    cache.set_node("n", node("n", cpu="8").node)
    info = cache.snapshot().nodes["n"]
    assert (info.allocatable["cpu"], info.requested["cpu"]) == (8000, 1000)


def test_namespaces_come_and_go():
    cache = Cache()
    cache.set_namespace("team", {"a": "b"})
    assert cache.snapshot().namespaces["team"] == {"a": "b"}
    cache.set_namespace("team", None)
    assert "team" not in cache.snapshot().namespaces


def test_a_pod_is_nominated_to_one_node_at_a_time():
    nominations = Nominations()
    nominations.nominate(WEB, "a")
    nominations.nominate(WEB, "b")
    assert dict(nominations) == {"b": (WEB,)}
    assert nominations.node_of(WEB.key) == "b"
    nominations.nominate(WEB, "")
    assert (len(nominations), nominations.node_of(WEB.key)) == (0, "")


def test_remembered_numbers_are_forgotten_with_every_change():
    info = node("n")
    answers = iter(range(100))

    def ask() -> int:
        return info.remembered("key", lambda: next(answers))

    assert [ask(), ask()] == [0, 0]
    info.add(WEB)
    assert [ask(), ask()] == [1, 1]
    info.remove(WEB.key)
    assert ask() == 2
    info.set_node(info.node)
    assert ask() == 3
