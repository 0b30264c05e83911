"""Claims on real containers: what a pod wrote is there for the pod after it."""

from __future__ import annotations

import pytest
from cluster import Cluster, container, is_ready, pod

pytestmark = pytest.mark.podman


def test_what_is_written_outlives_the_pod(cluster: Cluster) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}
    counts = (
        'echo "$(cat /data/runs 2>/dev/null)x" > /data/runs; trap "exit 0" TERM; while :; do sleep 1; done'
    )
    writer = pod(
        "writer",
        container(
            command=["sh", "-c", counts],
            volumeMounts=[
                {"name": "data", "mountPath": "/data"},
                {"name": "scratch", "mountPath": "/scratch"},
            ],
        ),
        volumes=[
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}},
        ],
    )
    cluster.write("claim.yaml", claim, writer)
    first = cluster.ready("writer")
    cluster.until_says("x", "exec", "writer", "--", "cat", "/data/runs")
    cluster.ok("exec", "writer", "--", "touch", "/scratch/gone-with-the-pod")
    cluster.ok("delete", "pod", "writer")
    cluster.until_pod("writer", lambda p: is_ready(p) and p["metadata"]["uid"] != first["metadata"]["uid"])
    cluster.until_says("xx", "exec", "writer", "--", "cat", "/data/runs")
    cluster.ok("exec", "writer", "--", "sh", "-c", 'test -z "$(ls /scratch)"')
    claims = cluster.call("GET", "/api/v1/namespaces/default/persistentvolumeclaims")["items"]
    assert [(claim["metadata"]["name"], claim["status"]["phase"]) for claim in claims] == [
        ("data", "Bound"),
        ("writer-scratch", "Bound"),
    ]
