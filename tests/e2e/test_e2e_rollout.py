"""A Deployment's rollout on real containers: nobody is left without a server."""

from __future__ import annotations

import json
import threading

import pytest
from cluster import JSON, Cluster, deployment, http_get, is_ready, waiting_reason

pytestmark = pytest.mark.podman

PODS = "/api/v1/namespaces/default/pods"
REPLICA_SETS = "/apis/apps/v1/namespaces/default/replicasets"


def site(name: str, version: str, replicas: int) -> JSON:
    server = {
        "name": "main",
        "image": f"localhost/ktui-sample:{version}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
    }
    return deployment(
        name,
        replicas,
        server,
        strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
        minReadySeconds=1,
        progressDeadlineSeconds=60,
    )


def of(name: str, items: list[JSON]) -> list[JSON]:
    return [item for item in items if item["metadata"].get("labels", {}).get("app") == name]


def rolled_out(cluster: Cluster, name: str, version: str, replicas: int) -> list[JSON]:
    """The pods, once all are ready and of that version."""

    def check(items: list[JSON]) -> bool:
        pods = of(name, items)
        images = {pod["spec"]["containers"][0]["image"] for pod in pods}
        return (
            len(pods) == replicas
            and all(map(is_ready, pods))
            and images == {f"localhost/ktui-sample:{version}"}
        )

    return of(name, cluster.until_all(PODS, check, 60))


class Census(threading.Thread):
    """Counts the ready pods of a Deployment after every change, as long as it lasts."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self._name = name
        self._over = threading.Event()
        self.counts: list[int] = []
        self.start()

    def run(self) -> None:
        for items in self._cluster.states(PODS, 90):
            self.counts.append(sum(map(is_ready, of(self._name, list(items.values())))))
            if self._over.is_set():
                return

    def end(self) -> None:
        self._over.set()


def test_a_rolling_update_keeps_serving_and_a_bad_image_stops_it(cluster: Cluster):
    file = cluster.write("site.yaml", site("site", "1", 4))
    rolled_out(cluster, "site", "1", 4)
    census = Census(cluster, "site")
    cluster.write("site.yaml", site("site", "2", 4))
    pods = rolled_out(cluster, "site", "2", 4)
    cluster.ok("rollout", "status", "deploy/site")
    assert "version 2" in http_get(pods[0]["status"]["podIP"])
    sets = of("site", cluster.call("GET", REPLICA_SETS)["items"])
    assert sorted(item["spec"]["replicas"] for item in sets) == [0, 4]

    cluster.write("site.yaml", site("site", "nope", 4))
    reasons = {"ErrImagePull", "ImagePullBackOff"}
    bad = cluster.until_pod("site-*", lambda pod: waiting_reason(pod) in reasons)
    event = cluster.until_event("Failed", bad["metadata"]["name"])
    assert event["type"] == "Warning"
    cluster.until_pod("site-*", lambda pod: waiting_reason(pod) == "ImagePullBackOff")
    ready = [pod for pod in of("site", cluster.call("GET", PODS)["items"]) if is_ready(pod)]
    assert len(ready) == 3
    assert all("version 2" in http_get(pod["status"]["podIP"]) for pod in ready)
    cluster.write("site.yaml", site("site", "2", 4))
    rolled_out(cluster, "site", "2", 4)
    census.end()
    assert min(census.counts) == 3, census.counts
    assert max(census.counts) <= 5
    file.unlink()
    cluster.until_all(PODS, lambda items: not of("site", items))
    assert cluster.containers() == []


def test_undo_goes_back_to_the_revision_before(cluster: Cluster):
    for version in ("1", "2"):
        cluster.ok("apply", "-f", "-", stdin=json.dumps(site("shop", version, 2)))
        rolled_out(cluster, "shop", version, 2)
    cluster.ok("rollout", "undo", "deploy/shop")
    (pod, _) = rolled_out(cluster, "shop", "1", 2)
    assert "version 1" in http_get(pod["status"]["podIP"])
    history = cluster.ok("rollout", "history", "deploy/shop").lines
    assert [line.split()[0] for line in history if line[:1].isdigit()] == ["2", "3"]
    cluster.ok("delete", "deploy", "shop")
    cluster.until_all(PODS, lambda items: not of("shop", items))
