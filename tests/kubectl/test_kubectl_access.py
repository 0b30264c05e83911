"""kubectl as others than the admin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kubectl_engine import Kubectl, since


@pytest.fixture
def alice(admin: Kubectl, tmp_path: Path) -> Kubectl:
    data_dir = admin.kubeconfig.parent
    words = [sys.executable, "-m", "ktui", "--data-dir", str(data_dir), "kubeconfig", "--user", "alice"]
    done = subprocess.run(words, capture_output=True, check=True)
    (tmp_path / "alice").write_bytes(done.stdout)
    return Kubectl(tmp_path / "alice")


def test_a_user_without_rights_is_told_so(alice: Kubectl):
    assert alice.fails("get", "pods") == (
        'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" '
        'in API group "" in the namespace "default"\n'
    )
    assert 'cannot create resource "configmaps"' in alice.fails("create", "configmap", "c")


def test_a_user_without_rights_may_look_at_what_there_is(alice: Kubectl):
    assert "deployments" in alice.ok("api-resources")
    alice.ok("explain", "pod")
    alice.ok("version")


@since(24)
def test_an_unknown_token_is_no_login(admin: Kubectl, tmp_path: Path):
    kubeconfig = tmp_path / "stranger"
    kubeconfig.write_bytes(admin.kubeconfig.read_bytes())
    stranger = Kubectl(kubeconfig)
    stranger.ok("config", "set-credentials", "stranger", "--token=made-up")
    error = stranger.fails("--user=stranger", "get", "pods")
    assert "error: You must be logged in to the server" in error
