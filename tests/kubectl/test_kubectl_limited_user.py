"""`ktui kubeconfig --user … --role …` makes a kubeconfig with which kubectl may do that much, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kubectl_engine import Kubectl


def kubeconfig(kubectl: Kubectl, *words: str) -> subprocess.CompletedProcess[str]:
    data_dir = str(kubectl.kubeconfig.parent)
    command = [sys.executable, "-m", "ktui", "--data-dir", data_dir, "kubeconfig", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def user(kubectl: Kubectl, folder: Path, *words: str) -> tuple[Kubectl, str]:
    """kubectl as the kubeconfig says, and what ktui told."""
    done = kubeconfig(kubectl, *words)
    assert done.returncode == 0, done.stderr
    path = folder / "limited"
    path.write_text(done.stdout)
    return Kubectl(path, kubectl.namespace), done.stderr


def test_a_role_in_one_namespace(kubectl: Kubectl, tmp_path: Path):
    words = ("--user", "viewer", "--role", "view", "-n", kubectl.namespace)
    viewer, told = user(kubectl, tmp_path, *words)
    assert told == (
        "rolebinding.rbac.authorization.k8s.io/ktui:view:viewer: viewer may do what ClusterRole view allows "
        f"in namespace {kubectl.namespace}\n"
    )
    assert "kube-root-ca.crt" in viewer.ok("get", "configmaps", "-o", "name")
    assert viewer.ok("config", "view", "--minify", "-o", "jsonpath={..namespace}") == kubectl.namespace
    for refused in (
        ("get", "secrets"),
        ("create", "configmap", "c"),
        ("get", "configmaps", "-n", "default"),
        ("get", "nodes"),
    ):
        assert "(Forbidden)" in viewer.fails(*refused) or "forbidden" in viewer.fails(*refused), refused
    assert user(kubectl, tmp_path, *words)[1] == told, "once more is no mistake"
    editor, _ = user(kubectl, tmp_path, "--user", "viewer", "--role", "edit", "-n", kubectl.namespace)
    assert editor.ok("create", "configmap", "c") == "configmap/c created\n"


def test_a_role_everywhere(kubectl: Kubectl, tmp_path: Path):
    words = ("--user", "reader", "--role", "view", "--role", "system:node-reader")
    kubectl.ok("create", "clusterrole", "system:node-reader", "--verb=get,list", "--resource=nodes")
    try:
        reader, told = user(kubectl, tmp_path, *words)
        assert told.splitlines()[1] == (
            "clusterrolebinding.rbac.authorization.k8s.io/ktui:system:node-reader:reader: reader may do what "
            "ClusterRole system:node-reader allows in every namespace"
        )
        assert "configmap/" in reader.ok("get", "configmaps", "-A", "-o", "name")
        assert reader.ok("get", "nodes", "-o", "name").startswith("node/")
        assert "orbidden" in reader.fails("get", "secrets")
    finally:
        kubectl.ok("delete", "clusterrolebinding", "ktui:system:node-reader:reader", "ktui:view:reader")
        kubectl.ok("delete", "clusterrole", "system:node-reader")


def test_a_namespaces_own_role_goes_first(kubectl: Kubectl, tmp_path: Path):
    kubectl.ok("create", "role", "edit", "--verb=get", "--resource=pods")
    helper, told = user(kubectl, tmp_path, "--user", "helper", "--role", "edit", "-n", kubectl.namespace)
    assert "may do what Role edit allows in namespace" in told
    assert "orbidden" in helper.fails("get", "configmaps")
    assert helper.fails("get", "pod", "x") == 'Error from server (NotFound): pods "x" not found\n'


def test_what_can_not_be_granted(kubectl: Kubectl):
    for words, message in (
        (("--role", "view"), "error: --role says what --user may do; name the user"),
        (
            ("--user", "x", "--role", "nope"),
            "error: there is no ClusterRole nope; `ktui get clusterroles` lists what there is",
        ),
        (
            ("--user", "x", "--role", "nope", "-n", "default"),
            "error: there is no ClusterRole nope, and namespace default has no Role of that name; "
            "`ktui get clusterroles` lists what there is",
        ),
        (("--user", "x", "--role", "view", "-n", "nowhere"), 'namespaces "nowhere" not found'),
    ):
        done = kubeconfig(kubectl, *words)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert message in done.stderr, words
    assert kubectl.ok("get", "rolebindings", "-A", "-o", "name").count("ktui:view:x") == 0
