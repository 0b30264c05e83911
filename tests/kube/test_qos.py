"""A pod's quality of service follows from requests and limits."""

from typing import Any

import pytest

from ktui.kube.qos import qos_class

FULL = {"cpu": "1", "memory": "1Gi"}


def resources(requests: dict[str, Any] | None = None, limits: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}}


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([{}], "BestEffort"),
        ([resources()], "BestEffort"),
        ([resources({"example.com/gpu": "1"}, {"example.com/gpu": "1"})], "BestEffort"),
        ([resources({"cpu": "0"})], "BestEffort"),
        ([resources(FULL, FULL)], "Guaranteed"),
        ([resources({}, FULL)], "Guaranteed"),
        ([resources(FULL, FULL), {}], "Burstable"),
        ([resources({"cpu": "500m"}, FULL)], "Burstable"),
        ([resources({"cpu": "500m"})], "Burstable"),
        ([resources({"cpu": "1000m", "memory": "1024Mi"}, FULL)], "Guaranteed"),
    ],
)
def test_class(containers, expected) -> None:
    assert qos_class({"spec": {"containers": containers}}) == expected


def test_init_containers_count_too() -> None:
    spec = {"containers": [resources(FULL, FULL)], "initContainers": [{}]}
    assert qos_class({"spec": spec}) == "Burstable"


def test_pod_level_resources_decide_alone() -> None:
    assert qos_class({"spec": {**resources(FULL, FULL), "containers": [{}]}}) == "Guaranteed"
