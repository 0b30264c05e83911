"""Leaving the TUI while the cluster goes on, and coming back to it, in a real terminal."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_terminal import RealTerminal

SECONDS = 60


def ktui(data_dir: Path, *words: str) -> str:
    """What a verb prints."""
    command = [sys.executable, "-m", "ktui", "--data-dir", str(data_dir), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    ktui(folder, "down")


@pytest.mark.tmux
def test_the_cluster_is_handed_over_and_attached_to(data_dir: Path) -> None:
    words = [sys.executable, "-m", "ktui", "--data-dir", str(data_dir), "--runtime", "sim"]
    first = RealTerminal(words, said_at_end="first ended")
    try:
        first.until("● live")
        first.send("C-q")
        first.until("Quit: what about the cluster?")
        first.send("2")
        told = first.until("The engine goes on as process", "first ended 0")
    finally:
        first.close()
    process = re.search(r"goes on as process (\d+)", told)
    assert process is not None
    assert "ktui" in Path(f"/proc/{process[1]}/cmdline").read_text()
    second = RealTerminal(words, said_at_end="second ended")
    try:
        second.until("attached", "● live")
        second.send("C-q")
        second.until("second ended 0")
    finally:
        second.close()
    assert " Ready " in ktui(data_dir, "get", "nodes")
