"""The registry finds a kind by whatever a URL, an object or a person calls it."""

import pytest
from kind_cases import REGISTRY, kind

from ktui.engine.api import schema
from ktui.engine.api.registry import Registry
from ktui.kube.kinds import DEPLOYMENTS, PODS
from ktui.kube.resource import GroupVersionKind


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("pods", "pods"),
        ("pod", "pods"),
        ("po", "pods"),
        ("Pod", "pods"),
        ("PODS", "pods"),
        ("deploy", "deployments"),
        ("deployments.apps", "deployments"),
        ("deployment.v1.apps", "deployments"),
        ("ns", "namespaces"),
        ("cm", "configmaps"),
        ("sa", "serviceaccounts"),
        ("mf", "manifestfiles"),
    ],
)
def test_finds_by_name(name: str, plural: str) -> None:
    assert kind(name).resource.plural == plural


@pytest.mark.parametrize("name", ["", "podz", "pods.apps", "deployments.batch"])
def test_does_not_find_what_is_not_there(name: str) -> None:
    assert REGISTRY.find(name) is None


def test_finds_by_url_and_by_kind() -> None:
    assert REGISTRY.by_resource("apps", "v1", "deployments") is REGISTRY.of(DEPLOYMENTS)
    assert REGISTRY.by_kind(GroupVersionKind("", "v1", "Pod")) is REGISTRY.of(PODS)
    assert REGISTRY.by_resource("apps", "v2", "deployments") is None
    assert {d.resource.plural for d in REGISTRY if "all" in d.resource.categories} == {
        "pods",
        "services",
        "horizontalpodautoscalers",
        "cronjobs",
        "jobs",
        "daemonsets",
        "deployments",
        "replicasets",
        "replicationcontrollers",
        "statefulsets",
    }


def test_kinds_come_and_go() -> None:
    registry = Registry([kind("pods")])
    registry.add(kind("nodes"))
    registry.add(kind("nodes"))
    assert len(registry) == 2
    registry.remove(kind("pods").resource)
    assert [d.resource.plural for d in registry] == ["nodes"]
    assert registry.find("pods") is None


def test_every_kind_has_its_schema() -> None:
    for declaration in REGISTRY:
        assert schema.load().by_kind[declaration.resource.gvk] == declaration.schema


def test_the_schema_knows_merge_keys_and_restores_types() -> None:
    loaded = schema.load()
    containers = loaded.field(loaded.definitions["io.k8s.api.core.v1.PodSpec"], "containers")
    assert containers is not None
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert containers["type"] == "array"
    assert loaded.resolve(containers["items"])["type"] == "object"
    assert loaded.definitions[schema.INT_OR_STRING]["format"] == "int-or-string"
    assert loaded.definitions[schema.QUANTITY]["type"] == "string"
