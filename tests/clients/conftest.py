"""One engine with simulated pods for all of the clients' tests, and a namespace for each."""

from __future__ import annotations

import itertools
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config

SECONDS = 30
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The admin's kubeconfig of a `ktui serve`."""
    data_dir = tmp_path_factory.mktemp("data")
    words = ["--data-dir", str(data_dir), "serve", "--runtime", "sim", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ktui", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    )
    assert process.stdout is not None
    try:
        readable, _, _ = select.select([process.stdout], [], [], 60)
        line = process.stdout.readline().decode() if readable else "nothing was printed"
        assert line.startswith("ktui ready"), line
        yield data_dir / "kubeconfig"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Iterator[client.ApiClient]:
    """The official Python client."""
    with config.new_client_from_config(str(kubeconfig)) as opened:
        yield opened


@pytest.fixture
def namespace(api: client.ApiClient) -> str:
    """A namespace of the test's own, with its default account."""
    name = f"test-{next(_numbers)}"
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": name}}, _request_timeout=SECONDS)
    return name
