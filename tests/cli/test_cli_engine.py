"""`ktui serve` as a process: ready line, one engine a data folder, clean ends, state that stays."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from engine_process import EngineProcess

from ktui import cli


def config(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


def test_it_says_when_it_serves_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path / "data", None)
    line = engine.start()
    assert line.startswith(f"ktui ready: {tmp_path}/data/ktui.sock")
    assert "simulated" in line
    assert stat.S_IMODE((tmp_path / "data" / "ktui.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert engine.stop(signal.SIGTERM) == 0
    assert not (tmp_path / "data" / "ktui.sock").exists()


def test_without_api_no_port_is_open_and_the_verbs_work(tmp_path: Path, engine: EngineProcess) -> None:
    serving = engine
    engine = EngineProcess(tmp_path / "data", None, options=["--no-api"])
    line = engine.start()
    try:
        assert "https://" not in line
        assert engine.listens_on() == []
        engine.ok("apply", "-f", "-", stdin=config("page"))
        assert engine.ok("get", "cm", "page", "-o", "name").out == "configmap/page\n"
        refused = engine.run("kubeconfig")
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == "error: the engine serves no HTTPS: it was started with --no-api\n"
        assert not (tmp_path / "data" / "kubeconfig").exists()
    finally:
        engine.stop()
    both = engine.run("serve", "--runtime", "sim", "--no-api", "--listen", "127.0.0.1:0")
    assert both.code == 1
    assert "give one of them" in both.err
    assert serving.listens_on()


def test_a_folder_of_manifests_that_is_not_there_is_told_and_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    engine = EngineProcess(tmp_path / "data", folder)
    engine.start()
    try:
        engine.until_logs(f"{folder} is not there (yet); ktui waits for it")
        folder.mkdir()
        (folder / "late.yaml").write_text(config("late"))
        engine.until("late", "get", "cm", "late", "--ignore-not-found", "-o", "jsonpath={.metadata.name}")
    finally:
        engine.stop()


def test_objects_survive_a_restart_and_a_kill(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path, None)
    engine.start()
    engine.ok("apply", "-f", "-", stdin=config("before"))
    engine.stop(signal.SIGKILL)
    engine.start()
    engine.ok("get", "cm", "before")
    engine.stop(signal.SIGINT)


def test_a_second_engine_on_a_data_folder_is_refused(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path, None)
    engine.start()
    try:
        result = engine.run("serve", "--runtime", "sim")
        assert result.code == 1
        assert result.err.startswith("error: ")
        assert str(engine.process.pid if engine.process else "") in result.err
        assert engine.ok("get", "ns").code == 0
    finally:
        engine.stop()


def test_two_engines_live_side_by_side(tmp_path: Path) -> None:
    one, two = EngineProcess(tmp_path / "one", None), EngineProcess(tmp_path / "two", None)
    one.start()
    two.start()
    try:
        one.ok("apply", "-f", "-", stdin=config("mine"))
        assert two.run("get", "cm", "mine").code == 1
    finally:
        one.stop()
        two.stop()


def test_a_deep_data_folder_is_no_problem_for_the_socket(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path / ("deep" * 20) / ("er" * 20), None)
    engine.start()
    try:
        engine.ok("get", "ns")
    finally:
        engine.stop()


def test_a_damaged_store_is_refused_and_repaired(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path, None)
    engine.start()
    for name in ("a", "b", "c"):
        engine.ok("apply", "-f", "-", stdin=config(name))
    engine.stop(signal.SIGKILL)
    journal = max((tmp_path / "store").glob("journal*"))
    data = bytearray(journal.read_bytes())
    data[data.index(b'"name":"b"') + 8] ^= 1
    journal.write_bytes(data)
    result = engine.run("serve", "--runtime", "sim")
    assert result.code == 1
    assert "ktui store repair" in result.err
    assert engine.run("store", "check").code == 1
    assert "repaired" in engine.ok("store", "repair").out
    engine.ok("store", "check")
    engine.start()
    engine.ok("get", "cm", "a")
    engine.stop()


def test_down_ends_the_engine_and_keeps_its_objects(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path, None)
    assert "there is no ktui data" in engine.run("down").err
    engine.start()
    engine.ok("apply", "-f", "-", stdin=config("kept"))
    assert engine.ok("down").out.startswith("engine ended")
    assert engine.process is not None
    assert engine.process.wait(10) == 0
    engine.start()
    engine.ok("get", "cm", "kept")
    engine.stop()


def test_help_is_there_for_every_verb() -> None:
    for verb in cli.VERBS:
        done = subprocess.run(
            [sys.executable, "-m", "ktui", verb, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"Usage: ktui {verb}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["get", "pods", "--nope"], "no such option '--nope' (see `ktui get --help`)"),
        (["--zzz"], "no such option '--zzz' (see `ktui --help`)"),
        (["gett"], "no such command 'gett' (see `ktui --help`)"),
        (["rollout", "undoo"], "no such command 'undoo'. Did you mean 'undo'? (see `ktui rollout --help`)"),
        (["scale"], "missing argument 'TYPE NAME… | TYPE/NAME…' (see `ktui scale --help`)"),
        (
            ["serve", "--manifests", __file__],
            f"invalid value for '--manifests': Directory '{__file__}' is a file (see `ktui serve --help`)",
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_what_is_asked_for_wrongly_is_told_in_one_line(
    tmp_path: Path, words: list[str], message: str
) -> None:
    result = EngineProcess(tmp_path, None).run(*words)
    assert (result.code, result.out, result.err) == (2, "", f"error: {message}\n")


def test_the_tui_needs_a_terminal(tmp_path: Path) -> None:
    result = EngineProcess(tmp_path, None).run()
    assert result.code == 1
    assert result.err.startswith("error: the TUI needs a terminal")
