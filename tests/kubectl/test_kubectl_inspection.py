"""kubectl looking at a cluster as a whole: its dump, its components, what happened in it."""

from __future__ import annotations

import json
from pathlib import Path

from kubectl_engine import Kubectl, since

KINDS = {
    "daemonsets",
    "deployments",
    "events",
    "pods",
    "replicasets",
    "replication-controllers",
    "services",
}


def test_a_dump_has_every_kind_and_the_logs_of_every_pod(web: Kubectl, tmp_path: Path):
    said = web.ok("cluster-info", "dump", f"--output-directory={tmp_path}", f"--namespaces={web.namespace}")
    assert said == f"Cluster info dumped to {tmp_path}\n"
    nodes = json.loads((tmp_path / "nodes.json").read_text())
    assert nodes["kind"] == "NodeList" and len(nodes["items"]) == 1
    folder = tmp_path / web.namespace
    assert {path.stem for path in folder.glob("*.json")} == KINDS
    pods = json.loads((folder / "pods.json").read_text())["items"]
    assert len(pods) == 2
    for pod in pods:
        assert "==== START logs" in (folder / pod["metadata"]["name"] / "logs.txt").read_text()
    assert json.loads((folder / "daemonsets.json").read_text())["items"] in (None, [])


def test_component_statuses(admin: Kubectl):
    result = admin.run("get", "componentstatuses")
    assert [row[:3] for row in result.rows] == [
        ["NAME", "STATUS", "MESSAGE"],
        ["controller-manager", "Healthy", "ok"],
        ["etcd-0", "Healthy", "ok"],
        ["scheduler", "Healthy", "ok"],
    ]
    assert "v1 ComponentStatus is deprecated in v1.19+" in result.err
    assert admin.ok("get", "cs", "scheduler", "-o", "jsonpath={.conditions[0].type}") == "Healthy"


@since(27)
def test_prune_without_an_allowlist_goes_through_every_kind_kubectl_knows(kubectl: Kubectl):
    def config(*names: str) -> str:
        return "---\n".join(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{set: all}}}}\n"
            for name in names
        )

    prune = ("apply", "--prune", "-l", "set=all", "-f", "-")
    kubectl.ok(*prune, stdin=config("kept", "gone"))
    wanted = "configmap/kept unchanged{0}\nconfigmap/gone pruned{0}\n"
    said = kubectl.ok(*prune, "--dry-run=server", stdin=config("kept"))
    assert said == wanted.format(" (server dry run)")
    assert kubectl.ok(*prune, stdin=config("kept")) == wanted.format("")


@since(27)
def test_subresources_are_printed_with_their_columns(web: Kubectl):
    heading, row = web.run("get", "deployment", "web", "--subresource=scale").rows
    assert (heading, row[:3]) == (["NAME", "DESIRED", "AVAILABLE", "AGE"], ["web", "2", "2"])
    heading, row = web.run("get", "deployment", "web", "--subresource=status").rows
    assert (heading[:2], row[:2]) == (["NAME", "READY"], ["web", "2/2"])
