"""One engine for all of kubectl's tests, and a namespace for each."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator

import pytest
from kubectl_engine import WEB, Kubectl, start_engine

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    data_dir = tmp_path_factory.mktemp("data")
    process = start_engine(data_dir)
    try:
        yield Kubectl(data_dir / "kubeconfig")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture
def kubectl(admin: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own."""
    namespace = f"test-{next(_numbers)}"
    admin.ok("create", "namespace", namespace)
    yield Kubectl(admin.kubeconfig, namespace)
    admin.ok("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """kubectl where a Deployment `web` with two replicas is up."""
    kubectl.ok("apply", "-f", "-", stdin=WEB)
    kubectl.ok("rollout", "status", "deployment/web", "--timeout=30s")
    return kubectl
