"""A pod reaches the API as client libraries do: by its environment, its token and the cluster's authority."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cluster import Cluster, pod, podman

pytestmark = pytest.mark.podman

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
ASK = """
import http.client, json, ssl, sys
host, name, authority, token = json.load(sys.stdin)
context = ssl.create_default_context(cadata=authority)
connection = http.client.HTTPSConnection(host, 443, context=context, timeout=10)
if name:
    connection.sock = context.wrap_socket(__import__("socket").create_connection((host, 443), 10), server_hostname=name)
connection.request("GET", "/api/v1/namespaces/default/pods", headers={"Authorization": f"Bearer {token}"})
answer = connection.getresponse()
print(json.dumps([answer.status, json.load(answer)]))
"""
"""Asks for the namespace's pods; the sample image has no TLS client that checks certificates."""


@pytest.fixture(scope="module")
def caller(cluster: Cluster) -> Cluster:
    """A cluster with a pod that may list the pods of its namespace."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    account = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "view", "namespace": "default"},
        "roleRef": role,
        "subjects": [account],
    }
    cluster.write("p.yaml", binding, pod("caller"))
    cluster.ready("caller")
    return cluster


def run(cluster: Cluster, *command: str) -> str:
    done = cluster.run("exec", "caller", "--", *command)
    assert done.code == 0, done
    return done.out


def variables(cluster: Cluster) -> dict[str, str]:
    """The container's environment."""
    return dict(line.split("=", 1) for line in run(cluster, "env").splitlines() if "=" in line)


@pytest.mark.parametrize("name", ["", "kubernetes.default.svc"])
def test_a_pod_lists_pods(caller: Cluster, name: str):
    host = variables(caller)["KUBERNETES_SERVICE_HOST"]
    assert variables(caller)["KUBERNETES_SERVICE_PORT"] == "443"
    authority, token = (run(caller, "cat", f"{FOLDER}/{file}") for file in ("ca.crt", "token"))
    process = podman("inspect", "--format", "{{.State.Pid}}", caller.containers_of("caller")[0]).strip()
    done = subprocess.run(
        ["nsenter", f"--net=/proc/{process}/ns/net", sys.executable, "-c", ASK],
        input=json.dumps([host, name, authority, token]),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    status, answer = json.loads(done.stdout)
    assert status == 200, answer
    assert [item["metadata"]["name"] for item in answer["items"]] == ["caller"]


def test_the_name_of_the_api_resolves(caller: Cluster):
    host = variables(caller)["KUBERNETES_SERVICE_HOST"]
    assert f"Address: {host}" in run(caller, "nslookup", "kubernetes.default.svc.cluster.local")
