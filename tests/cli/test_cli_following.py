"""Verbs that print as things happen, and the many ways to ask for a log."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from engine_process import EngineProcess

SECONDS = 30
PAIR = """\
apiVersion: v1
kind: Pod
metadata: {name: twins, labels: {app: twins}}
spec:
  containers:
  - {name: one, image: "x:1"}
  - {name: two, image: "x:1"}
"""


@contextmanager
def watching(engine: EngineProcess, *words: str) -> Iterator[Iterator[str]]:
    """The lines of a verb that does not end by itself; it ends by an interrupt afterwards."""
    command = [sys.executable, "-m", "ktui", "--data-dir", str(engine.data_dir), *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, bufsize=0, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    stream = process.stdout

    def lines() -> Iterator[str]:
        while True:
            readable, _, _ = select.select([stream], [], [], SECONDS)
            assert readable, f"ktui {' '.join(words)} printed no more"
            yield stream.readline().decode()

    try:
        yield lines()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def twins(engine: EngineProcess) -> Iterator[str]:
    engine.ok("apply", "-f", "-", stdin=PAIR)
    engine.until("Running", "get", "pod", "twins", "-o", "jsonpath={.status.phase}")
    yield "twins"
    engine.ok("delete", "pod", "twins", "--now", "--wait=false")


def test_a_watch_prints_what_there_is_and_then_each_change(engine: EngineProcess) -> None:
    with watching(engine, "get", "cm", "-l", "seen=yes", "-w", "-o", "name") as lines:
        for name in ("first", "second"):
            text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{seen: 'yes'}}}}\n"
            engine.ok("apply", "-f", "-", stdin=text)
            assert next(lines) == f"configmap/{name}\n"
    engine.ok("delete", "cm", "-l", "seen=yes")


def test_events_are_followed(engine: EngineProcess) -> None:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: followed}\nspec:\n  replicas: 1\n"
        "  selector: {matchLabels: {app: followed}}\n  template:\n    metadata: {labels: {app: followed}}\n"
        "    spec: {containers: [{name: main, image: 'x:1'}]}\n"
    )
    with watching(engine, "events", "-w", "--for", "deployment/followed") as lines:
        engine.ok("apply", "-f", "-", stdin=text)
        assert next(lines).startswith("LAST SEEN")
        assert "from 0 to 1" in next(lines)
        engine.ok("scale", "deploy/followed", "--replicas", "3")
        assert "from 1 to 3" in next(lines)
    engine.ok("delete", "deploy", "followed")


def test_logs_of_several_containers(engine: EngineProcess, twins: str) -> None:
    one = engine.ok("logs", twins, "-c", "one").lines
    assert one
    assert engine.ok("logs", twins, "one").lines == one
    both = engine.ok("logs", twins, "--all-containers", "--prefix").lines
    assert {line.partition(" ")[0] for line in both} == {"[pod/twins/one]", "[pod/twins/two]"}
    assert len(engine.ok("logs", "-l", "app=twins", "--all-containers", "--tail", "1").lines) == 2
    stamped = engine.ok("logs", twins, "-c", "one", "--timestamps", "--tail", "1").out
    assert stamped.partition(" ")[0].endswith("Z")
    assert engine.ok("logs", twins, "-c", "one", "--since", "1h").lines == one
    assert engine.ok("logs", twins, "-c", "one", "--since-time", "2999-01-01T00:00:00Z").out == ""
    with watching(engine, "logs", "-f", twins, "--all-containers", "--prefix") as lines:
        seen: set[str] = set()
        while seen != {"[pod/twins/one]", "[pod/twins/two]"}:
            seen.add(next(lines).partition(" ")[0])


def test_logs_that_can_not_be(engine: EngineProcess, twins: str) -> None:
    assert 'previous terminated container "one" in pod "twins" not found' in (
        engine.run("logs", twins, "-c", "one", "-p").err
    )
    assert engine.run("logs", twins, "one", "--all-containers").code == 1
    assert engine.run("logs", twins, "-l", "app=twins").err == (
        "error: only a selector (-l) or a POD name is allowed\n"
    )
    refused = engine.run("logs", "-f", "-l", "app=twins", "--all-containers", "--max-log-requests", "1")
    assert "you are attempting to follow 2 log streams" in refused.err


def test_the_kubeconfig_is_printed(engine: EngineProcess) -> None:
    printed = yaml.safe_load(engine.ok("kubeconfig").out)
    (cluster,) = printed["clusters"]
    assert cluster["cluster"]["server"].startswith("https://127.0.0.1:")


def test_a_simulation_needs_no_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = EngineProcess(tmp_path / "data", None)
    assert "simulated: no container really runs" in engine.start()
    try:
        engine.ok("apply", "-f", "-", stdin=PAIR)
        engine.until("Running", "get", "pod", "twins", "-o", "jsonpath={.status.phase}")
    finally:
        engine.stop()
