"""What rules allow, and when some rules give all that others give."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.engine.api.rbac.covering import atoms, compact, shown, uncovered
from ktui.engine.api.rbac.rules import Grants, Rule


def rule(verbs="", groups="", resources="", names=(), urls=()):
    return Rule(
        tuple(verbs.split()),
        () if urls else tuple(groups.split(",")),
        tuple(resources.split()),
        tuple(names),
        tuple(urls),
    )


CASES = [
    # rule, (verb, group, resource, subresource, name), allowed
    (rule("get", "", "pods"), ("get", "", "pods", "", "a"), True),
    (rule("get", "", "pods"), ("list", "", "pods", "", ""), False),
    (rule("get", "", "pods"), ("get", "apps", "pods", "", "a"), False),
    (rule("get", "", "pods"), ("get", "", "pods", "log", "a"), False),
    (rule("get", "", "pods/log"), ("get", "", "pods", "log", "a"), True),
    (rule("get", "", "pods/log"), ("get", "", "pods", "", "a"), False),
    (rule("get", "", "*"), ("get", "", "pods", "log", "a"), True),
    (rule("get", "", "*/log"), ("get", "", "pods", "log", "a"), True),
    (rule("get", "", "*/log"), ("get", "", "pods", "", "a"), False),
    (rule("get", "", "pods/*"), ("get", "", "pods", "log", "a"), False),
    (rule("*", "*", "*"), ("escalate", "x.io", "y", "", ""), True),
    (rule("get", "", "secrets", ["a"]), ("get", "", "secrets", "", "a"), True),
    (rule("get", "", "secrets", ["a"]), ("get", "", "secrets", "", "b"), False),
    (rule("list", "", "secrets", ["a"]), ("list", "", "secrets", "", ""), False),
    (rule("", "", "pods"), ("get", "", "pods", "", ""), False),
]


@pytest.mark.parametrize(("given_rule", "asked", "allowed"), CASES)
def test_a_rule_allows_what_it_names(given_rule, asked, allowed):
    assert given_rule.allows(*asked) is allowed
    assert Grants([given_rule]).allows(*asked) is allowed


@pytest.mark.parametrize(
    ("url", "path", "allowed"),
    [
        ("/healthz", "/healthz", True),
        ("/healthz", "/healthz/ping", False),
        ("/healthz/*", "/healthz/ping", True),
        ("/healthz/*", "/healthz", False),
        ("/api*", "/apis/apps", True),
        ("*", "/anything", True),
    ],
)
def test_urls_may_end_with_a_star(url, path, allowed):
    given_rule = rule("get", urls=[url])
    assert given_rule.allows_path("get", path) is allowed
    assert Grants([given_rule]).allows_path("get", path) is allowed
    assert not given_rule.allows_path("post", path)


WORDS = st.lists(st.sampled_from(["*", "get", "list", "create"]), max_size=3).map(tuple)
GROUPS = st.lists(st.sampled_from(["*", "", "apps"]), max_size=2).map(tuple)
RESOURCES = st.lists(
    st.sampled_from(["*", "pods", "pods/log", "*/log", "*/scale", "deployments"]), max_size=3
).map(tuple)
NAMES = st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple)
RULES = st.lists(
    st.builds(Rule, verbs=WORDS, groups=GROUPS, resources=RESOURCES, names=NAMES, urls=st.just(())),
    max_size=4,
)
ASKED = st.tuples(
    st.sampled_from(["get", "list", "create", "delete"]),
    st.sampled_from(["", "apps", "batch"]),
    st.sampled_from(["pods", "deployments", "jobs"]),
    st.sampled_from(["", "log", "scale"]),
    st.sampled_from(["", "a", "b", "c"]),
)


@settings(max_examples=300, deadline=None)
@given(RULES, RULES, ASKED)
def test_more_rules_never_allow_less_and_the_index_agrees_with_the_rules(some, more, asked):
    expected = any(each.allows(*asked) for each in some)
    assert Grants(some).allows(*asked) is expected
    if expected:
        assert Grants(some + more).allows(*asked)


@settings(max_examples=300, deadline=None)
@given(RULES, RULES, ASKED)
def test_who_holds_all_of_some_rules_may_all_that_they_allow(held, wanted, asked):
    if not uncovered(held, wanted) and Grants(wanted).allows(*asked):
        assert Grants(held).allows(*asked)


@settings(max_examples=100, deadline=None)
@given(RULES, RULES)
def test_rules_cover_themselves_and_what_is_missing_makes_up_for_it(held, wanted):
    assert uncovered(wanted, wanted) == []
    assert uncovered([*held, *uncovered(held, wanted)], wanted) == []


@settings(max_examples=100, deadline=None)
@given(RULES, ASKED)
def test_taken_apart_and_put_together_rules_mean_the_same(rules, asked):
    parts = [part for each in rules for part in atoms(each)]
    assert Grants(parts).allows(*asked) is Grants(rules).allows(*asked)
    assert Grants(compact(parts)).allows(*asked) is Grants(rules).allows(*asked)


def test_rules_are_shown_as_kube_apiserver_shows_them():
    assert shown(rule("get list", "", "pods")) == '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}'
    assert shown(rule("get", urls=["/metrics"])) == '{NonResourceURLs:["/metrics"], Verbs:["get"]}'
    missing = uncovered(
        [rule("get", "", "pods")], [rule("get list watch", "", "pods"), rule("*", "apps", "*", ["x"])]
    )
    assert sorted(shown(each) for each in compact(missing)) == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}',
        '{APIGroups:["apps"], Resources:["*"], ResourceNames:["x"], Verbs:["*"]}',
    ]
