"""Which pod of a workload and which container of a pod a verb takes when none is named."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from ktui.client.base import Client, ObjectList
from ktui.client.podsof import pods_of
from ktui.commands.default_container import DEFAULT_CONTAINER_ANNOTATION, default_container
from ktui.kube.kinds import DEPLOYMENTS


def pod(name: str, *, node: str = "n", phase: str = "Running", ready: str = "", restarts: int = 0) -> Any:
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}] if ready else []
    status = {
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": [{"restartCount": restarts}],
    }
    return {"metadata": {"name": name}, "spec": {"nodeName": node}, "status": status}


class Pods:
    """Answers as the API does about a workload and its pods."""

    def __init__(self, *pods: Any) -> None:
        self.pods = pods

    async def get(self, *_: Any, **__: Any) -> Any:
        return {"spec": {"selector": {"matchLabels": {"app": "web"}}}}

    async def list(self, *_: Any, **__: Any) -> ObjectList:
        return ObjectList([json.dumps(item).encode() for item in self.pods], "1")


async def test_the_pod_most_likely_meant_comes_first() -> None:
    ordered = [
        pod("ready-long", ready="2026-01-01T00:00:00Z"),
        pod("ready-steady", ready="2026-01-02T00:00:00Z"),
        pod("ready-shaky", ready="2026-01-02T00:00:00Z", restarts=3),
        pod("running"),
        pod("pending", phase="Pending"),
        pod("unassigned", node="", phase="Pending"),
    ]
    found = await pods_of(cast(Client, Pods(*reversed(ordered))), DEPLOYMENTS, "web", "default")
    assert [item["metadata"]["name"] for item in found] == [item["metadata"]["name"] for item in ordered]


def of_containers(*names: str, wished: str = "") -> Any:
    annotations = {DEFAULT_CONTAINER_ANNOTATION: wished} if wished else {}
    spec = {"containers": [{"name": name} for name in names]}
    return {"metadata": {"name": "p", "annotations": annotations}, "spec": spec}


def test_the_container_meant_is_found_and_a_guess_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert default_container(of_containers("only")) == "only"
    assert default_container(of_containers("a", "b", wished="b")) == "b"
    assert capsys.readouterr().err == ""
    assert default_container(of_containers("a", "b")) == "a"
    assert capsys.readouterr().err == 'Defaulted container "a" out of: a, b\n'
