"""The main job by hand: a file dropped into a folder, seen as a real container in a real terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_terminal import RealTerminal

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: hello}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: localhost/ktui-sample:1
    command: [sh, -c, "echo hello from a container; sleep 3600"]
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    subprocess.run([sys.executable, "-m", "ktui", "--data-dir", str(folder), "down"], check=False)


@pytest.fixture
def terminal(data_dir: Path, tmp_path: Path) -> Iterator[RealTerminal]:
    (tmp_path / "manifests").mkdir()
    words = [
        sys.executable,
        "-m",
        "ktui",
        "--data-dir",
        str(data_dir),
        "--manifests",
        str(tmp_path / "manifests"),
    ]
    opened = RealTerminal(words, said_at_end="ktui ended")
    yield opened
    opened.close()


@pytest.mark.podman
@pytest.mark.tmux
def test_a_file_becomes_a_container_that_is_browsed_and_whose_log_is_read(
    terminal: RealTerminal, tmp_path: Path
) -> None:
    terminal.until("● live", "No pods")
    file = tmp_path / "manifests" / "hello.yaml"
    file.write_text(POD)
    terminal.until("hello", "1/1", "Running")
    terminal.send("l")
    terminal.until("hello from a container")
    terminal.send("Escape")
    terminal.until("Pods(all)")
    terminal.send("d")
    terminal.until("Name:", "Service Account:", "localhost/ktui-sample:1")
    terminal.send("Escape")
    terminal.until("Pods(all)")
    terminal.send(":manifests", "Enter")
    terminal.until("hello-yaml", "Synced")
    file.write_text(POD.replace("image:", "imge:"))
    terminal.until("Invalid", "hello.yaml:")
    file.write_text(POD)
    terminal.until("Synced")
    terminal.send(":pods", "Enter")
    terminal.until("hello", "Running")
    file.unlink()
    terminal.until("No pods")
    terminal.send("C-q")
    terminal.until("Quit: what about the cluster?")
    terminal.send("3")
    terminal.until("ktui ended 0")
