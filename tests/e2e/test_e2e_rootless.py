"""An ordinary user's ktui: pods with rootless Podman, found again after a restart."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from cluster import Cluster, container, is_ready, pod, status_of
from ordinary_user import OrdinaryUser, UsersCluster

pytestmark = pytest.mark.podman


@pytest.fixture
def users_cluster() -> Iterator[Cluster]:
    if os.geteuid() != 0:
        # Then whoever runs the tests is the ordinary user.
        cluster = Cluster()
        yield cluster
        cluster.close()
        return
    user = OrdinaryUser()
    cluster = UsersCluster(user)
    archive = os.memfd_create("sample", 0)
    subprocess.run(["podman", "save", "localhost/ktui-sample:1"], stdout=archive, check=True)
    os.lseek(archive, 0, os.SEEK_SET)
    try:
        user.run("podman", "load", "--quiet", stdin=archive)
        yield cluster
    finally:
        os.close(archive)
        cluster.close()
        user.close()


def _reached_from_outside(cluster: Cluster) -> None:
    """Node ports and Ingresses work for an ordinary user too, on the loopback address."""
    port = {"port": 80, "targetPort": 8080}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "probed"}}
    service["spec"] = {"type": "NodePort", "selector": {"app": "probed"}, "ports": [port]}
    backend = {"service": {"name": "probed", "port": {"number": 80}}}
    rule = {
        "host": "probed.test",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "probed"}}
    cluster.write("service.yaml", service, {**ingress, "spec": {"rules": [rule]}})
    cluster.ok("get", "events", "--field-selector", "reason=NetworkLimited")
    served = cluster.until_all(
        "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
        lambda items: bool(items) and bool((items[0].get("status") or {}).get("loadBalancer")),
    )
    found = cluster.call("GET", "/api/v1/namespaces/default/services/probed")
    http_port = served[0]["status"]["loadBalancer"]["ingress"][0]["ports"][0]["port"]
    for number, host in ((found["spec"]["ports"][0]["nodePort"], ""), (http_port, "probed.test")):
        assert _healthy(number, host)


def _healthy(port: int, host: str) -> bool:
    """Whether the pod answers there, within a while: its endpoint may have come a moment ago."""
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz", headers={"Host": host} if host else {})
            if connection.getresponse().read().strip() == b"ok":
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    return False


def test_an_ordinary_user_runs_pods_that_survive_a_restart(users_cluster: Cluster):
    cluster = users_cluster
    cluster.write("two.yaml", pod("two", container("web", command=["serve"]), container("client")))
    cluster.start(90)
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
    probed = pod("probed", container(command=["serve"], readinessProbe=probe))
    probed["metadata"]["labels"] = {"app": "probed"}
    cluster.write("probed.yaml", probed)
    before = {name: cluster.ready(name) for name in ("two", "probed")}
    script = "id -u; wget -q -O- http://127.0.0.1:8080/healthz; exit 3"
    result = cluster.run("exec", "two", "-c", "client", "--", "sh", "-c", script)
    assert (result.code, result.out.splitlines()) == (3, ["0", "ok"])
    cluster.until_says("response:200", "logs", "two", "-c", "web")

    cluster.restart(signal.SIGTERM)
    for name in before:
        after = cluster.ready(name)
        assert after["metadata"]["uid"] == before[name]["metadata"]["uid"]
        assert [(s["containerID"], s["restartCount"]) for s in after["status"]["containerStatuses"]] == [
            (s["containerID"], 0) for s in before[name]["status"]["containerStatuses"]
        ]
    assert "response:200" in cluster.ok("logs", "two", "-c", "web").out
    _reached_from_outside(cluster)
    cluster.kill()
    cluster.start(90)
    again = cluster.until_pod("two", is_ready)
    assert status_of(again, "web")["containerID"] == status_of(before["two"], "web")["containerID"]
    for name in ("two", "probed"):
        (cluster.manifests / f"{name}.yaml").unlink()
        cluster.gone(name)
