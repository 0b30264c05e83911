"""How verbs end: interrupted, at the end of their input, or because there is nothing to wait for."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_process import EngineProcess

from ktui.cli import main
from ktui.commands.session import Session
from ktui.kube.errors import StatusError, status
from ktui.kube.kinds import PODS

SECONDS = 30


def process_of(engine: EngineProcess, *words: str) -> subprocess.Popen[bytes]:
    """A verb in a process of its own, with its streams as pipes."""
    command = [sys.executable, "-m", "ktui", *words]
    environment = {**os.environ, "KTUI_DATA_DIR": str(engine.data_dir), "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


@contextmanager
def kept_object(engine: EngineProcess) -> Iterator[None]:
    """An object that a delete does not get rid of."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [test.ktui.dev/hold]}\n"
    engine.ok("apply", "-f", "-", stdin=text)
    try:
        yield
    finally:
        engine.ok("apply", "-f", "-", stdin=text.replace(", finalizers: [test.ktui.dev/hold]", ""))


@pytest.mark.parametrize(
    "words",
    [["logs", "-f", "deploy/web"], ["get", "pods", "-w"], ["events", "-w"], ["delete", "cm", "held"]],
    ids=" ".join,
)
def test_an_interrupt_ends_it_at_once(engine: EngineProcess, words: list[str]) -> None:
    with kept_object(engine), process_of(engine, *words) as process:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], SECONDS)
        assert readable, "it printed nothing"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 130
        assert b"Traceback" not in err


def test_exec_ends_with_its_input(engine: EngineProcess) -> None:
    with process_of(engine, "exec", "-i", "deploy/web", "--", "cat") as process:
        out, err = process.communicate(b"hi\n", timeout=SECONDS)
        assert (process.returncode, out, err) == (0, b"hi\n", b"")


def test_exec_without_an_input_ends_too(engine: EngineProcess) -> None:
    command = [sys.executable, "-m", "ktui", "--data-dir", str(engine.data_dir)]
    line = " ".join([*command, "exec", "-i", "deploy/web", "--", "cat", "<&-"])
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


class TestGuessedContainer:
    """exec and logs of a pod with two containers."""

    @pytest.fixture
    def pod(self, engine: EngineProcess) -> Iterator[str]:
        text = (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: pair}\nspec:\n  containers:\n"
            "  - {name: one, image: 'x:1'}\n  - {name: two, image: 'x:1'}\n"
        )
        engine.ok("apply", "-f", "-", stdin=text)
        engine.until("Running", "get", "pod", "pair", "-o", "jsonpath={.status.phase}")
        yield "pair"
        engine.ok("delete", "pod", "pair", "--now", "--wait=false")

    def test_it_is_told_on_stderr(self, engine: EngineProcess, pod: str) -> None:
        note = 'Defaulted container "one" out of: one, two\n'
        assert engine.ok("logs", pod).err == note
        assert engine.ok("exec", pod, "--", "true").err == note
        assert engine.ok("exec", "-q", pod, "--", "true").err == ""
        assert engine.ok("exec", "-c", "two", pod, "--", "true").err == ""


def test_a_data_folder_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    command = [sys.executable, "-m", "ktui", "--data-dir", str(folder), "serve", "--runtime", "sim"]
    if os.getuid() == 0:
        if not (setpriv := shutil.which("setpriv")):
            pytest.skip("root may write everywhere")
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {folder}/")
    assert done.stderr.endswith(
        "Permission denied; the data folder must be a folder ktui can write to: mend it, or name another "
        "with --data-dir\n"
    )
    assert done.stderr.count("\n") == 1


class Blind:
    """A client that may delete and not look."""

    async def resources(self) -> list[Any]:
        return [PODS]

    async def get(self, *_: Any, **__: Any) -> Any:
        raise StatusError(status(403, "Forbidden", 'pods "a" is forbidden'))

    async def delete(self, *_: Any, **__: Any) -> Any:
        return {"kind": "Pod", "metadata": {"name": "a", "uid": "1"}}


def test_who_may_not_look_at_an_object_does_not_wait_for_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Session, "run", lambda _, work: asyncio.run(work(Blind())))
    main(["delete", "pod", "a"])
    assert capsys.readouterr().out == 'pod "a" deleted\n'


class Completed:
    """A client of a cluster whose only pod has ended."""

    async def get(self, *_: Any, **__: Any) -> Any:
        return {"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Succeeded"}}


def test_nothing_is_run_in_a_completed_pod(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Session, "run", lambda _, work: asyncio.run(work(Completed())))
    with pytest.raises(SystemExit):
        main(["exec", "a", "--", "true"])
    assert capsys.readouterr().err == (
        "error: cannot exec into a container in a completed pod; current phase is Succeeded\n"
    )
