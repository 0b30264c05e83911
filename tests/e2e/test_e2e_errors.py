"""Without a Podman that works there is one clear line and exit code 1; a simulation says that it is one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import Cluster, pod

pytestmark = pytest.mark.podman


def serve(cluster: Cluster, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ktui", "--data-dir", str(cluster.data_dir), "serve"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fake_podman(folder: Path, script: str) -> str:
    """A PATH on which `podman` is that script."""
    folder.mkdir()
    program = folder / "podman"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_without_podman(new_cluster: Callable[..., Cluster], tmp_path: Path):
    done = serve(new_cluster(), PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: podman is not installed; `ktui doctor` says what mends it, and --runtime sim works without Podman\n"
    )


def test_with_a_podman_that_cannot_start(new_cluster: Callable[..., Cluster], tmp_path: Path):
    path = fake_podman(tmp_path / "bin", "echo 'Error: cannot set up the storage' >&2; exit 125")
    done = serve(new_cluster(), PATH=path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: podman")
    assert "Error: cannot set up the storage" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_simulation_says_that_it_is_one(new_cluster: Callable[..., Cluster]):
    cluster = new_cluster(runtime="sim")
    assert "simulated: no container really runs" in cluster.start()
    cluster.write("p.yaml", pod("pretend"))
    cluster.ready("pretend")
    node = cluster.ok(
        "get", "nodes", "-o", "jsonpath={.items[0].status.nodeInfo.containerRuntimeVersion}"
    ).out
    assert node.startswith("sim://")
