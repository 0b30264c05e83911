"""kubectl on StatefulSets, DaemonSets and ReplicationControllers: rollouts, scale, description."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubectl_engine import Kubectl, since


def objects(kind: str, api_version: str = "apps/v1", **spec: Any) -> str:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "web:1"}]},
    }
    return json.dumps(
        {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": "web"},
            "spec": {"template": template, **spec},
        }
    )


SELECTOR = {"matchLabels": {"app": "web"}}


@pytest.mark.parametrize(
    ("kind", "spec", "done"),
    [
        (
            "StatefulSet",
            {"selector": SELECTOR, "serviceName": "web", "replicas": 2},
            "roll out complete: 2 new pods",
        ),
        ("DaemonSet", {"selector": SELECTOR}, 'daemon set "web" successfully rolled out'),
    ],
)
def test_rollout(kubectl: Kubectl, kind: str, spec: dict[str, Any], done: str):
    what, of = f"{kind.lower()}/web", f"{kind.lower()}.apps/web"
    kubectl.ok("apply", "-f", "-", stdin=objects(kind, **spec))
    assert done in kubectl.ok("rollout", "status", what, "--timeout=40s")
    kubectl.ok("set", "image", what, "main=web:2")
    kubectl.ok("rollout", "status", what, "--timeout=60s")
    history = [line.split() for line in kubectl.ok("rollout", "history", what).splitlines()[2:] if line]
    assert [row[0] for row in history] == ["1", "2"]
    assert "web:1" in kubectl.ok("rollout", "history", what, "--revision=1")
    assert kubectl.ok("rollout", "undo", what) == f"{of} rolled back\n"
    assert kubectl.ok("get", what, "-o", "jsonpath={.spec.template.spec.containers[0].image}") == "web:1"
    assert kubectl.ok("rollout", "restart", what) == f"{of} restarted\n"
    kubectl.ok("rollout", "status", what, "--timeout=60s")
    assert "Name:" in kubectl.ok("describe", what)


@since(27)
def test_a_replication_controller_scales(kubectl: Kubectl):
    kubectl.ok("apply", "-f", "-", stdin=objects("ReplicationController", "v1", replicas=1))
    assert kubectl.ok("scale", "rc/web", "--replicas=2") == "replicationcontroller/web scaled\n"
    kubectl.ok("wait", "rc/web", "--for=jsonpath={.status.readyReplicas}=2", "--timeout=30s")
    assert kubectl.ok("get", "rc", "web", "--no-headers").split()[:4] == ["web", "2", "2", "2"]
