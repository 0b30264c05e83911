"""A tour of kubectl's other commands: what each prints, word for word where that is kubectl's own way."""

from __future__ import annotations

import json
import re

import pytest
from kubectl_engine import Kubectl, since

PRUNED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, labels: {set: p}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone, labels: {set: p}}
"""


@since(26)
@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (("create", "quota", "x", "--hard=pods=9"), "resourcequota/x created"),
        (("create", "priorityclass", "tour", "--value=9"), "priorityclass.scheduling.k8s.io/tour created"),
        (
            ("create", "pdb", "x", "--selector=a=b", "--min-available=1"),
            "poddisruptionbudget.policy/x created",
        ),
        (("create", "secret", "generic", "x", "--from-literal=a=b", "--type=t/u"), "secret/x created"),
        (("create", "service", "clusterip", "x", "--tcp=80:8080"), "service/x created"),
        (("create", "service", "externalname", "x", "--external-name=a.example"), "service/x created"),
        (("create", "ingress", "x", "--rule=a.example/*=x:80"), "ingress.networking.k8s.io/x created"),
        (
            ("create", "role", "x", "--verb=get", "--resource=pods"),
            "role.rbac.authorization.k8s.io/x created",
        ),
        (("run", "x", "--image=i", "--restart=Never", "--env=A=b"), "pod/x created"),
    ],
    ids=lambda value: "-".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_create_on_trial(kubectl: Kubectl, words: tuple[str, ...], printed: str):
    assert kubectl.ok(*words, "--dry-run=server") == f"{printed} (server dry run)\n"


def test_run_brings_output_and_goes(kubectl: Kubectl):
    words = (
        "run",
        "once",
        "--image=i",
        "--rm",
        "--attach",
        "--restart=Never",
        "--command",
        "--",
        "echo",
        "hi",
    )
    out = kubectl.ok(*words)
    assert 'pod "once" deleted' in out
    assert kubectl.ok("get", "pods", "-o", "name") == ""


@since(26)
def test_prune_removes_what_is_no_longer_applied(kubectl: Kubectl):
    allow = ("--prune", "-l", "set=p", "--prune-allowlist=core/v1/ConfigMap")
    kubectl.ok("apply", *allow, "-f", "-", stdin=PRUNED)
    pruned = kubectl.ok("apply", *allow, "-f", "-", stdin=PRUNED.partition("---")[0])
    assert pruned == "configmap/kept unchanged\nconfigmap/gone pruned\n"


@since(27)
def test_an_applyset_removes_what_is_no_longer_in_it(kubectl: Kubectl):
    kubectl.environment["KUBECTL_APPLYSET"] = "true"
    kubectl.ok("apply", "--prune", "--applyset=all", "-f", "-", stdin=PRUNED)
    pruned = kubectl.ok("apply", "--prune", "--applyset=all", "-f", "-", stdin=PRUNED.partition("---")[0])
    assert "configmap/gone pruned\n" in pruned


@since(26)
@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            '[{"op":"test","path":"/spec/replicas","value":9}]',
            "The request is invalid: the server rejected our request due to an error in our request: "
            "testing value /spec/replicas failed",
        ),
        (
            '[{"op":"remove","path":"/spec/none"}]',
            "The request is invalid: the server rejected our request due to an error in our request: "
            "/spec/none: path does not exist",
        ),
    ],
)
def test_a_json_patch_that_does_not_fit(web: Kubectl, patch: str, message: str):
    assert web.fails("patch", "deploy", "web", "--type=json", "-p", patch).strip() == message


@since(31)
def test_debug_adds_a_container_copies_a_pod_and_visits_a_node(kubectl: Kubectl):
    kubectl.ok("run", "app", "--image=i")
    kubectl.ok("wait", "--for=condition=Ready", "pod/app", "--timeout=30s")
    words = ("--image=tools:1", "--profile=general", "--", "sleep", "1000")
    kubectl.ok("debug", "app", "-c", "debugger", "--target=app", *words)
    path = "jsonpath={.status.ephemeralContainerStatuses[0].state.running}"
    kubectl.ok("wait", "pod/app", f"--for={path}", "--timeout=30s")
    assert "Ephemeral Containers:\n  debugger:\n" in kubectl.ok("describe", "pod", "app")
    assert "sim: tools:1 started" in kubectl.ok("logs", "app", "-c", "debugger")
    kubectl.ok("debug", "app", "--copy-to=copy", "--set-image=*=j", *words[:2])
    assert kubectl.ok("get", "pod", "copy", "-o", "jsonpath={.spec.containers[0].image}") == "j"
    node = kubectl.ok("get", "nodes", "-o", "name").strip()
    made = kubectl.ok("debug", node, *words)
    assert re.fullmatch(
        r"Creating debugging pod (node-debugger-\S+) with container debugger on node \S+\.\n", made
    )


@since(32)
def test_a_running_pod_is_resized(kubectl: Kubectl):
    container = {"name": "app", "image": "i", "resources": {"requests": {"cpu": "10m"}}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app"},
        "spec": {"containers": [container]},
    }
    kubectl.ok("apply", "-f", "-", stdin=json.dumps(pod))
    kubectl.ok("wait", "--for=condition=Ready", "pod/app", "--timeout=30s")

    def resize(cpu: str) -> tuple[str, ...]:
        wanted = {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": cpu}}}]}}
        return ("patch", "pod", "app", "--subresource=resize", "-p", json.dumps(wanted))

    assert kubectl.ok(*resize("20m")) == "pod/app patched\n"
    kubectl.ok(
        "wait",
        "pod/app",
        "--for=jsonpath={.status.containerStatuses[0].resources.requests.cpu}=20m",
        "--timeout=30s",
    )
    kubectl.ok(*resize("900"))
    kubectl.ok("wait", "pod/app", "--for=condition=PodResizePending", "--timeout=30s")
    assert "PodResizePending" in kubectl.ok("describe", "pod", "app")


@since(24)
def test_pods_services_and_nodes_through_the_api(web: Kubectl):
    base = f"/api/v1/namespaces/{web.namespace}"
    pod = web.ok("get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
    assert web.ok("get", "--raw", f"{base}/pods/{pod}:80/proxy/x") == "sim\n"
    web.ok("expose", "deployment", "web", "--port=81", "--target-port=80")
    web.ok(
        "wait",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
        "--for=jsonpath={.endpoints[0].conditions.ready}=true",
        "--timeout=30s",
    )
    assert web.ok("get", "--raw", f"{base}/services/web:81/proxy/") == "sim\n"
    assert "no service port 9 found" in web.fails("get", "--raw", f"{base}/services/web:9/proxy/")
    node = web.ok("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    summary = json.loads(web.ok("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    assert pod in [each["podRef"]["name"] for each in summary["pods"]]
    assert web.ok("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz") == "ok"


@since(24)
def test_the_cluster_tells_of_itself(admin: Kubectl):
    assert "Kubernetes control plane is running at https://127.0.0.1:" in re.sub(
        r"\x1b\[[\d;]*m", "", admin.ok("cluster-info")
    )
    assert {"v1", "apps/v1", "policy/v1"} <= set(admin.ok("api-versions").split())
    assert "deployments.apps" in admin.ok("api-resources", "--api-group=apps", "-o", "name").split()
    assert "Server Version" in admin.ok("version")
    kinds = admin.ok("api-resources", "--categories=all", "-o", "name").split()
    assert {"pods", "services", "deployments.apps"} <= set(kinds)


@since(24)
def test_every_kind_of_output(web: Kubectl):
    name = web.ok("get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
    assert f"pod/{name}\n" in web.ok("get", "pods", "-o", "name")
    assert web.ok("get", "pod", name, "-o", "go-template={{.metadata.name}}") == name
    columns = web.ok("get", "pod", name, "-o", "custom-columns=N:.metadata.name,I:.spec.containers[*].image")
    assert [line.split() for line in columns.splitlines()] == [["N", "I"], [name, "web:1"]]
    assert web.ok("get", "pod", name, "-o", "yaml").startswith("apiVersion: v1\nkind: Pod\n")
    wide = web.ok("get", "pod", name, "-o", "wide", "--show-labels").splitlines()[0].split()
    assert wide == [
        "NAME",
        "READY",
        "STATUS",
        "RESTARTS",
        "AGE",
        "IP",
        "NODE",
        "NOMINATED",
        "NODE",
        "READINESS",
        "GATES",
        "LABELS",
    ]
    plain = web.ok("get", "pods", "--server-print=false", "--sort-by=.metadata.name").splitlines()
    assert plain[0].split() == ["NAME", "AGE"]
    assert web.ok("get", "pods", "nope", "--ignore-not-found") == ""
    assert "metadata:" in web.ok("get", "pods", "--show-managed-fields", "-o", "yaml")
    assert json.loads(web.ok("get", "pods", "--chunk-size=1", "-o", "json"))["kind"] == "List"


@since(27)
def test_the_conditions_of_a_pod_read_as_usual(web: Kubectl):
    described = web.ok("describe", "pods", "-l", "app=web")
    conditions = re.search(r"Conditions:\n((?:  .*\n)+)", described)
    assert conditions is not None
    assert [line.split()[0] for line in conditions[1].splitlines()] == [
        "Type",
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
