"""Patches as functions: the RFCs' vectors, strategic merges by the schema, and what holds for any patch."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.engine.api.patching import json_patch, merge_patch, strategic
from ktui.engine.api.patching.shape import shape_of

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab~/", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


# RFC 6902, appendix A, and the public json-patch-tests
JSON_PATCHES: list[tuple[Any, list[dict[str, Any]], Any]] = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"g": {}}}],
        {"foo": "bar", "child": {"g": {}}},
    ),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
        {"foo": "bar", "baz": "qux"},
    ),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
    ({"foo": 1}, [{"op": "replace", "path": "", "value": {"baz": "qux"}}], {"baz": "qux"}),
    ({"": 0}, [{"op": "add", "path": "/", "value": 1}], {"": 1}),
    ({"foo": None}, [{"op": "replace", "path": "/foo", "value": "x"}], {"foo": "x"}),
    ({"a": [{"b": 1}]}, [{"op": "copy", "from": "/a/0", "path": "/a/-"}], {"a": [{"b": 1}, {"b": 1}]}),
    ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
    ({"a": 1.0}, [{"op": "test", "path": "/a", "value": 1}], {"a": 1.0}),
    ({}, [{"op": "test", "path": "/gone", "value": None}], {}),
]


@pytest.mark.parametrize(("document", "patch", "expected"), JSON_PATCHES)
def test_json_patch_vectors(document: Any, patch: Any, expected: Any):
    assert json_patch.apply(document, patch) == expected


@pytest.mark.parametrize(
    ("document", "operation", "malformed"),
    [
        ({"baz": "qux"}, {"op": "test", "path": "/baz", "value": "bar"}, False),
        ({"foo": "bar"}, {"op": "add", "path": "/baz/bat", "value": "qux"}, False),
        ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": "10"}, False),
        ({"foo": ["bar"]}, {"op": "add", "path": "/foo/2", "value": 1}, False),
        ({"foo": ["bar"]}, {"op": "add", "path": "/foo/01", "value": 1}, False),
        ({"foo": ["bar"]}, {"op": "remove", "path": "/foo/-"}, False),
        ({"foo": ["bar"]}, {"op": "replace", "path": "/foo/1", "value": 1}, False),
        ({"foo": ["bar"]}, {"op": "add", "path": "/foo/x", "value": 1}, False),
        ({"foo": 1}, {"op": "replace", "path": "/bar", "value": 1}, False),
        ({"foo": 1}, {"op": "remove", "path": "/foo/bar"}, False),
        ({"foo": {"a": 1}}, {"op": "move", "from": "/foo", "path": "/foo/a"}, False),
        ({"foo": 1}, {"op": "copy", "from": "/bar", "path": "/baz"}, False),
        ({"foo": True}, {"op": "test", "path": "/foo", "value": 1}, False),
        ({"foo": 1}, {"op": "spam", "path": "/foo"}, True),
        ({"foo": 1}, {"op": "add", "path": "/foo"}, True),
        ({"foo": 1}, {"op": "add", "path": "foo", "value": 1}, True),
        ({"foo": 1}, {"op": "add", "value": 1}, True),
        ({"foo": 1}, {"op": "move", "path": "/foo"}, True),
        ({"foo": 1}, "remove /foo", True),
    ],
)
def test_json_patches_that_do_not_apply(document: Any, operation: Any, malformed: bool):
    with pytest.raises(json_patch.PatchError) as refused:
        json_patch.apply(document, [operation])
    assert refused.value.malformed == malformed


@given(
    json_values,
    st.lists(
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
                "path": st.text("/ab01-~", max_size=5),
                "from": st.text("/ab01-~", max_size=5),
                "value": json_values,
            }
        ),
        max_size=4,
    ),
)
@settings(max_examples=150, deadline=None)
def test_json_patch_applies_or_says_why_and_changes_nothing_in_place(document: Any, patch: Any):
    before = repr(document)
    with contextlib.suppress(json_patch.PatchError):
        json_patch.apply(document, patch)
    assert repr(document) == before


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_vectors(target: Any, patch: Any, expected: Any):
    assert merge_patch.merge(target, patch) == expected


@given(json_values, json_values)
@settings(max_examples=150, deadline=None)
def test_merging_twice_is_merging_once(target: Any, patch: Any):
    once = merge_patch.merge(target, patch)
    assert merge_patch.merge(once, patch) == once


POD = "io.k8s.api.core.v1.Pod"


def patched(target: Any, patch: Any, definition: str = POD) -> Any:
    return strategic.merge(shape_of(definition), target, patch)


def containers(*items: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(items)}}


A, B, C, D = ({"name": name, "image": "1"} for name in "abcd")


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        (
            containers(A, B),
            containers({"name": "b", "image": "2"}),
            containers(A, {"name": "b", "image": "2"}),
        ),
        (containers(A), containers(B), containers(B, A)),
        (containers(A, B), containers(C, B), containers(C, A, B)),
        (containers(A, B, C), containers(D, B), containers(D, A, B, C)),
        (containers(A, B), containers({"name": "a", "$patch": "delete"}), containers(B)),
        (containers(A, B), containers({"$patch": "replace"}, C), containers(C)),
        (containers(A), containers({"name": "a", "image": None}), containers({"name": "a"})),
        (containers(A), {"spec": {"containers": None}}, {"spec": {}}),
        (containers(A, B), {"spec": {"$patch": "replace", "nodeName": "n"}}, {"spec": {"nodeName": "n"}}),
        (containers(A, B), {"spec": {"$patch": "delete"}}, {"spec": {}}),
        (
            containers(A, B),
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
                    "containers": [C],
                }
            },
            containers(C, B, A),
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
            {"metadata": {"finalizers": ["a", "b", "c"]}},
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
            {"metadata": {"finalizers": ["b"]}},
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {
                "metadata": {
                    "$setElementOrder/finalizers": ["c", "b"],
                    "$deleteFromPrimitiveList/finalizers": ["a"],
                    "finalizers": ["c"],
                }
            },
            {"metadata": {"finalizers": ["c", "b"]}},
        ),
        (
            {"spec": {"containers": [{"name": "a", "command": ["x", "y"]}]}},
            {"spec": {"containers": [{"name": "a", "command": ["z"]}]}},
            {"spec": {"containers": [{"name": "a", "command": ["z"]}]}},
        ),
        (
            {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
            {
                "spec": {
                    "volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]
                }
            },
            {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}},
        ),
        (
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
            {"metadata": {"labels": {"a": None, "c": "3"}}},
            {"metadata": {"labels": {"b": "2", "c": "3"}}},
        ),
        (
            {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            {
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}, {"type": "New", "status": "True"}]
                }
            },
            {
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}, {"type": "New", "status": "True"}]
                }
            },
        ),
    ],
)
def test_strategic_merges(target: Any, patch: Any, expected: Any):
    assert patched(target, patch) == expected


def test_the_strategy_of_a_rollout_retains_keys():
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert patched(target, patch, "io.k8s.api.apps.v1.Deployment") == {
        "spec": {"strategy": {"type": "Recreate"}}
    }


@pytest.mark.parametrize(
    "patch",
    [
        containers({"image": "x"}),
        {"spec": {"containers": ["x"]}},
        {"spec": {"$patch": "explode"}},
        {"spec": {"$retainKeys": "x"}},
        {"spec": {"$retainKeys": [], "nodeName": "x"}},
        {"spec": {"$setElementOrder/containers": "x"}},
        {"spec": {"$unheard": []}},
    ],
)
def test_strategic_patches_that_make_no_sense(patch: Any):
    with pytest.raises(strategic.StrategicPatchError):
        patched(containers(A), patch)


pods = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3),
                "finalizers": st.lists(st.sampled_from("abc"), unique=True, max_size=3),
            },
        ),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "nodeName": st.sampled_from("xy"),
                "containers": st.lists(
                    st.fixed_dictionaries(
                        {"name": st.sampled_from("abc")},
                        optional={
                            "image": st.sampled_from("xy"),
                            "command": st.lists(st.sampled_from("xy"), max_size=2),
                            "env": st.lists(
                                st.fixed_dictionaries(
                                    {"name": st.sampled_from("EF"), "value": st.sampled_from("12")}
                                ),
                                unique_by=lambda e: e["name"],
                                max_size=2,
                            ),
                        },
                    ),
                    unique_by=lambda c: c["name"],
                    max_size=3,
                ),
            },
        ),
    },
)


@given(pods, pods)
@settings(max_examples=150, deadline=None)
def test_a_strategic_patch_twice_is_once_and_leaves_the_target_alone(target: Any, patch: Any):
    before = repr(target)
    once = patched(target, patch)
    assert patched(once, patch) == once
    assert repr(target) == before


@given(pods, json_values)
@settings(max_examples=150, deadline=None)
def test_any_strategic_patch_applies_or_says_why(target: Any, patch: Any):
    if isinstance(patch, dict):
        with contextlib.suppress(strategic.StrategicPatchError):
            patched(target, {"spec": patch, "metadata": patch})
