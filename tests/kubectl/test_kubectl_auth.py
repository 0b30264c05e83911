"""kubectl on access: `auth can-i`, `auth whoami`, roles and bindings, tokens, acting as somebody else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kubectl_engine import Kubectl, since


@pytest.fixture
def alice(kubectl: Kubectl, tmp_path: Path) -> Kubectl:
    """Someone without rights, in the test's namespace."""
    data_dir = kubectl.kubeconfig.parent
    words = [sys.executable, "-m", "ktui", "--data-dir", str(data_dir), "kubeconfig", "--user", "alice"]
    done = subprocess.run(words, capture_output=True, check=True)
    (tmp_path / "alice").write_bytes(done.stdout)
    return Kubectl(tmp_path / "alice", kubectl.namespace)


@since(27)
def test_who_am_i(kubectl: Kubectl, alice: Kubectl):
    rows = [line.split(maxsplit=1) for line in alice.ok("auth", "whoami").splitlines()]
    assert rows == [
        ["ATTRIBUTE", "VALUE"],
        ["Username", "alice"],
        ["Groups", "[system:authenticated]"],
    ]
    assert "system:masters" in kubectl.ok("auth", "whoami")


def test_a_role_made_with_kubectl_is_what_one_may(kubectl: Kubectl, alice: Kubectl):
    denied = (
        'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" '
        f'in the namespace "{kubectl.namespace}"\n'
    )
    assert alice.fails("get", "pods") == denied
    assert alice.run("auth", "can-i", "list", "pods").out == "no\n"
    created = kubectl.ok("create", "role", "reader", "--verb=get,list,watch", "--resource=pods,pods/log")
    assert created == "role.rbac.authorization.k8s.io/reader created\n"
    created = kubectl.ok("create", "rolebinding", "alice", "--role=reader", "--user=alice")
    assert created == "rolebinding.rbac.authorization.k8s.io/alice created\n"
    assert alice.ok("auth", "can-i", "list", "pods") == "yes\n"
    assert alice.ok("auth", "can-i", "get", "pods", "--subresource=log") == "yes\n"
    assert alice.run("auth", "can-i", "delete", "pods").out == "no\n"
    alice.ok("get", "pods")
    listed = [line.split() for line in alice.ok("auth", "can-i", "--list").splitlines()]
    assert ["pods", "[]", "[]", "[get", "list", "watch]"] in listed
    assert ["[/version]", "[]", "[get]"] in listed
    shown = kubectl.ok("get", "rolebinding", "alice", "-o", "wide").splitlines()
    assert shown[0].split() == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert shown[1].split()[:2] == ["alice", "Role/reader"]
    assert "Kind:  Role" in kubectl.ok("describe", "rolebinding", "alice")
    kubectl.ok("delete", "rolebinding", "alice")
    assert alice.fails("get", "pods") == denied


def test_aggregated_roles_and_their_limits(kubectl: Kubectl, alice: Kubectl):
    kubectl.ok("create", "rolebinding", "alice", "--clusterrole=edit", "--user=alice")
    alice.ok("create", "configmap", "c")
    alice.ok("get", "secrets")
    assert 'cannot create resource "rolebindings"' in alice.fails(
        "create", "rolebinding", "more", "--clusterrole=admin", "--user=alice"
    )
    kubectl.ok("create", "rolebinding", "alice-admin", "--clusterrole=admin", "--user=alice")
    alice.ok("create", "rolebinding", "bob", "--clusterrole=view", "--user=bob")
    error = alice.fails("create", "rolebinding", "bob2", "--clusterrole=cluster-admin", "--user=bob")
    assert (
        'user "alice" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not' in error
    )
    assert '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}' in error


@since(27)
def test_acting_as_somebody_else(kubectl: Kubectl, alice: Kubectl):
    assert kubectl.run("auth", "can-i", "list", "pods", "--as=bob").out == "no\n"
    assert kubectl.ok("auth", "can-i", "list", "pods", "--as=bob", "--as-group=system:masters") == "yes\n"
    assert "bob" in kubectl.ok("auth", "whoami", "--as=bob")
    assert 'users "bob" is forbidden: User "alice" cannot impersonate resource "users"' in alice.fails(
        "auth", "can-i", "list", "pods", "--as=bob"
    )


@since(27)
def test_a_token_is_a_login(kubectl: Kubectl, tmp_path: Path):
    kubectl.ok("create", "serviceaccount", "bot")
    token = kubectl.ok("create", "token", "bot").strip()
    kubeconfig = json.loads(kubectl.ok("config", "view", "--raw", "-o", "json"))
    kubeconfig["users"] = [{"name": kubeconfig["users"][0]["name"], "user": {"token": token}}]
    (tmp_path / "bot").write_text(json.dumps(kubeconfig))
    bot = Kubectl(tmp_path / "bot", kubectl.namespace)
    name = f"system:serviceaccount:{kubectl.namespace}:bot"
    assert name in bot.ok("auth", "whoami")
    assert f'User "{name}" cannot list resource "pods"' in bot.fails("get", "pods")
    account = f"{kubectl.namespace}:bot"
    kubectl.ok("create", "rolebinding", "bot", "--clusterrole=view", f"--serviceaccount={account}")
    bot.ok("get", "pods")
    kubectl.ok("delete", "serviceaccount", "bot")
    assert "Unauthorized" in bot.fails("get", "pods")


@since(27)
def test_a_token_secret_is_filled_in(kubectl: Kubectl):
    kubectl.ok("create", "serviceaccount", "old")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "old-token", "annotations": {"kubernetes.io/service-account.name": "old"}},
        "type": "kubernetes.io/service-account-token",
    }
    kubectl.ok("apply", "-f", "-", stdin=json.dumps(secret))
    kubectl.ok("wait", "secret/old-token", "--for=jsonpath={.data.token}", "--timeout=10s")
    shown = kubectl.ok("describe", "secret", "old-token")
    assert "ca.crt:" in shown
    assert "token:      eyJ" in shown
    kubectl.ok("delete", "serviceaccount", "old")
    kubectl.ok("wait", "secret/old-token", "--for=delete", "--timeout=10s")


def test_reconcile_is_idempotent(kubectl: Kubectl):
    role = f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: rec, namespace: {kubectl.namespace}}}
rules: [{{apiGroups: [""], resources: [pods], verbs: [get]}}]
"""
    assert "rec reconciled" in kubectl.ok("auth", "reconcile", "-f", "-", stdin=role)
    assert "rec" in kubectl.ok("auth", "reconcile", "-f", "-", stdin=role)


def test_others_can_check_tokens(kubectl: Kubectl, alice: Kubectl):
    configuration = json.loads(kubectl.ok("get", "--raw", "/.well-known/openid-configuration"))
    assert configuration["jwks_uri"] == f"{configuration['issuer']}/openid/v1/jwks"
    (key,) = json.loads(kubectl.ok("get", "--raw", "/openid/v1/jwks"))["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert "d" not in key, "the private part stays where it is"
    assert 'cannot get path "/openid/v1/jwks"' in alice.fails("get", "--raw", "/openid/v1/jwks")


def test_the_audit_log_tells_who_did_what(kubectl: Kubectl, alice: Kubectl):
    kubectl.ok("create", "configmap", "audited", "--as=system:masters-friend", "--as-group=system:masters")
    kubectl.ok("get", "configmap", "audited")
    alice.fails("get", "secrets")
    path = kubectl.kubeconfig.parent / "audit.log"
    assert path.stat().st_mode & 0o777 == 0o600
    events = [json.loads(line) for line in path.read_text().splitlines()]
    mine = [e for e in events if e.get("objectRef", {}).get("namespace") == kubectl.namespace]
    (created,) = [e for e in mine if e["verb"] == "create" and e["objectRef"]["resource"] == "configmaps"]
    assert created["responseStatus"] == {"code": 201}
    assert created["user"]["username"] == "kubernetes-admin"
    assert created["impersonatedUser"]["username"] == "system:masters-friend"
    assert created["userAgent"].startswith("kubectl")
    (denied,) = [e for e in mine if e["responseStatus"]["code"] == 403]
    assert denied["user"]["username"] == "alice"
    assert denied["objectRef"]["resource"] == "secrets"
    assert not [e for e in mine if e["verb"] == "get" and e["responseStatus"]["code"] == 200]


def test_metrics_are_for_those_who_may_read_them(kubectl: Kubectl, alice: Kubectl):
    figures = kubectl.ok("get", "--raw", "/metrics")
    assert 'workqueue_adds_total{name="replicaset-controller"}' in figures
    assert 'apiserver_storage_objects{resource="namespaces"}' in figures
    assert 'User "alice" cannot get path "/metrics"' in alice.fails("get", "--raw", "/metrics")
    name = f"{kubectl.namespace}-monitoring"
    kubectl.ok("create", "clusterrolebinding", name, "--clusterrole=system:monitoring", "--user=alice")
    assert "process_start_time_seconds" in alice.ok("get", "--raw", "/metrics")
    kubectl.ok("delete", "clusterrolebinding", name)
