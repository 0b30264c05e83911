"""Descriptions of StatefulSets, DaemonSets and ReplicationControllers, as kubectl words them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ktui.describe.related import Related
from ktui.describe.sets import (
    describe_daemon_set,
    describe_replication_controller,
    describe_stateful_set,
)
from ktui.describe.text import Text

TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "main", "image": "web:1"}]},
}
RELATED = Related(events=[], pods=[{"status": {"phase": "Running"}}])


def lines(write: Any, spec: dict[str, Any], **status: Any) -> list[str]:
    out = Text(datetime(2026, 1, 1, tzinfo=UTC))
    metadata = {"name": "web", "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"}
    write(out, {"metadata": metadata, "spec": {"template": TEMPLATE, **spec}, "status": status}, RELATED)
    return [" ".join(line.split()) for line in str(out).splitlines()]


def test_a_stateful_set():
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1, "maxUnavailable": 1}},
        "volumeClaimTemplates": [claim],
    }
    found = lines(describe_stateful_set, spec, replicas=1)
    for line in (
        "Replicas: 2 desired | 1 total",
        "Update Strategy: RollingUpdate",
        "Partition: 1",
        "Pods Status: 1 Running / 0 Waiting / 0 Succeeded / 0 Failed",
    ):
        assert line in found
    claims = found[found.index("Volume Claims:") + 1 :]
    assert claims[:6] == [
        "Name: data", "StorageClass:", "Labels: <none>", "Annotations: <none>", "Capacity: 1Gi",
        "Access Modes: [ReadWriteOnce]",
    ]  # fmt: skip
    assert "Volume Claims: <none>" in lines(describe_stateful_set, {"updateStrategy": {"type": "OnDelete"}})


def test_a_daemon_set():
    found = lines(
        describe_daemon_set,
        {"selector": {"matchLabels": {"app": "web"}}},
        desiredNumberScheduled=3,
        currentNumberScheduled=2,
    )
    for line in (
        "Selector: app=web",
        "Desired Number of Nodes Scheduled: 3",
        "Current Number of Nodes Scheduled: 2",
        "Number of Nodes Misscheduled: 0",
        "Pods Status: 1 Running / 0 Waiting / 0 Succeeded / 0 Failed",
    ):
        assert line in found
    assert any(line.startswith("Node-Selector") for line in found)


def test_a_replication_controller():
    found = lines(describe_replication_controller, {"replicas": 3, "selector": {"app": "web"}}, replicas=2)
    assert found[2] == "Selector: app=web"
    assert "Replicas: 2 current / 3 desired" in found
