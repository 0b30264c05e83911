"""From documents to what is applied: kinds, namespaces, order, duplicates."""

import pytest

from ktui.engine.manifests.plan import (
    KindIndex,
    Wanted,
    changed_fields,
    in_apply_order,
    in_prune_order,
    split_duplicates,
    want,
)
from ktui.engine.manifests.record import Brought, Identity, record_name
from ktui.kube import kinds
from ktui.kube.manifest import Position, parse
from ktui.kube.manifest_problem import Problem

KINDS = KindIndex([kinds.PODS, kinds.NAMESPACES, kinds.CONFIG_MAPS, kinds.DEPLOYMENTS, kinds.NODES])


def read(text: str, path: str = "a.yaml") -> Wanted | Problem:
    return want(path, parse(text.encode())[0], KINDS, "default")


def wanted(text: str, path: str = "a.yaml") -> Wanted:
    item = read(text, path)
    assert isinstance(item, Wanted)
    return item


def test_a_namespace_is_filled_in_only_where_there_is_one() -> None:
    pod = wanted("{apiVersion: v1, kind: Pod, metadata: {name: a}}")
    assert pod.identity == Identity("", "Pod", "default", "a")
    assert pod.object["metadata"]["namespace"] == "default"
    node = wanted("{apiVersion: v1, kind: Node, metadata: {name: a, namespace: x}}")
    assert node.identity.namespace == ""


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("kind: Pod", "apiVersion", "needs an apiVersion and a kind"),
        ("apiVersion: v1\nkind: 5", "kind", "needs an apiVersion and a kind"),
        ("apiVersion: v1\nkind: Pod", "metadata", "needs metadata"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}", "metadata.name", "name is required"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}", "metadata.name", "generateName"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: 1}", "metadata.namespace", "string"),
        ("apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: a}", "kind", "did you mean kind Deployment"),
        ("apiVersion: v1\nkind: Deployment\nmetadata: {name: a}", "kind", "did you mean apiVersion apps/v1"),
        ("apiVersion: x/v1\nkind: Zebra\nmetadata: {name: a}", "kind", 'no matches for kind "Zebra" in version "x/v1"'),
    ],
)  # fmt: skip
def test_what_can_not_be_an_object_is_a_problem_with_a_place(text: str, field: str, message: str) -> None:
    problem = read(text)
    assert isinstance(problem, Problem)
    assert problem.field == field
    assert message in problem.message


def test_the_problem_points_at_the_line() -> None:
    problem = read("apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: a}")
    assert isinstance(problem, Problem)
    assert problem.position == Position(2, 1)
    assert problem.at("dir/a.yaml").startswith("dir/a.yaml:2:1: kind: no matches")


def test_an_impossible_namespace_is_invalid_at_its_line() -> None:
    problem = read("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  namespace: ../x\n")
    assert isinstance(problem, Problem)
    assert (problem.position, problem.field) == (Position(5, 3), "metadata.namespace")
    assert problem.message.startswith('Invalid value: "../x": a lowercase RFC 1123 label')


def test_duplicates_are_refused_and_both_files_named() -> None:
    first = wanted("{apiVersion: v1, kind: Pod, metadata: {name: a}}", "one.yaml")
    second = wanted("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: default}}", "two.yaml")
    other = wanted("{apiVersion: v1, kind: Pod, metadata: {name: b}}", "two.yaml")
    unique, problems = split_duplicates([first, second, other])
    assert unique == [other]
    assert "two.yaml:1" in problems["one.yaml"][0].message
    assert "one.yaml:1" in problems["two.yaml"][0].message


def test_namespaces_come_first_and_go_last() -> None:
    pod = wanted("{apiVersion: v1, kind: Pod, metadata: {name: a}}")
    config = wanted("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}")
    namespace = wanted("{apiVersion: v1, kind: Namespace, metadata: {name: a}}")
    batches = in_apply_order([pod, config, namespace])
    assert [[item.identity.kind for item in batch] for batch in batches] == [
        ["Namespace"],
        ["ConfigMap"],
        ["Pod"],
    ]
    brought = [Brought(item.identity, "v1", "u", "d") for item in (namespace, config, pod)]
    assert [item.identity.kind for item in in_prune_order(brought)] == ["Pod", "ConfigMap", "Namespace"]


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    left = wanted("{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {x: y, a: b}}}")
    right = wanted("{kind: Pod, metadata: {labels: {a: b, x: y}, name: a}, apiVersion: v1}")
    assert left.digest == right.digest


def test_changed_fields_name_what_a_hand_has_changed() -> None:
    before = {"metadata": {"name": "a", "resourceVersion": "1"}, "spec": {"replicas": 3, "x": [{"a": 1}]}}
    after = {"metadata": {"name": "a", "resourceVersion": "2"}, "spec": {"replicas": 5, "x": [{"a": 2}]}}
    assert changed_fields(before, after) == ["spec.replicas", "spec.x[0].a"]
    assert changed_fields(before, before) == []
    assert changed_fields({"spec": dict.fromkeys("abcdef", 1)}, {"spec": {}})[-1] == "…"


def test_record_names_are_readable_and_unique() -> None:
    assert record_name("/m", "web.yaml").startswith("web-yaml-")
    assert record_name("/m", "a/b.yaml") != record_name("/m", "a-b.yaml")
    assert record_name("/m", "web.yaml") != record_name("/n", "web.yaml")
    assert record_name("/m", "ÄÖ/…").startswith("file-")
