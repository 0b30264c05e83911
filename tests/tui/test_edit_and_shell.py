"""Editing with a scripted editor and shells with a played session, as a person meets them."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_node import FakeNode
from test_browser import Browsing, browsing
from tui_cluster import TuiCluster, deployment_object

from ktui.app import KtuiApp
from ktui.client import terminal
from ktui.kube.kinds import DEPLOYMENTS, PODS
from ktui.screens.outside import editor_arguments, editor_command, terminal_of


@pytest.fixture(autouse=True)
def given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def suspend(app: KtuiApp) -> Iterator[None]:
        yield

    monkeypatch.setattr(KtuiApp, "suspend", suspend)


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the editor does at each start: Python lines over `text`, or nothing."""
    steps = tmp_path / "steps"
    steps.mkdir()
    seen = tmp_path / "seen"
    seen.mkdir()
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        f"steps = sorted(pathlib.Path({str(steps)!r}).iterdir())\n"
        "path = pathlib.Path(sys.argv[-1])\n"
        "text = before = path.read_text()\n"
        f"seen = pathlib.Path({str(seen)!r})\n"
        "(seen / str(len(list(seen.iterdir())))).write_text(text)\n"
        "if steps:\n"
        "    code = steps[0].read_text()\n"
        "    steps[0].unlink()\n"
        "    exec(code)\n"
        "    if text is not None:\n"
        "        path.write_text(text)\n"
    )
    monkeypatch.setenv("KTUI_EDITOR", f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    class Editor:
        def does(self, *codes: str) -> None:
            for number, code in enumerate(codes):
                (steps / str(number)).write_text(code)

        def saw(self, number: int) -> str:
            return (seen / str(number)).read_text()

        @property
        def files(self) -> list[Path]:
            return list(tmp_path.glob("ktui-edit-*"))

    return Editor()


@contextlib.asynccontextmanager
async def a_deployment(cluster: TuiCluster) -> AsyncIterator[Browsing]:
    await cluster.client.create(DEPLOYMENTS, deployment_object("web", 2, "shop:1"), "default")
    async with browsing(cluster, size=(110, 30), command="deploy") as browser:
        await browser.shows("web")
        yield browser


async def replicas(cluster: TuiCluster) -> int:
    return int((await cluster.client.get(DEPLOYMENTS, "web", "default"))["spec"]["replicas"])


async def test_an_edit_is_applied(cluster: TuiCluster, editor: Any) -> None:
    editor.does("text = text.replace('replicas: 2', 'replicas: 3')")
    async with a_deployment(cluster) as browser:
        await browser.pilot.press("e")
        await browser.says("Edited deployment/web")
        assert await replicas(cluster) == 3
        assert editor.files == []


async def test_an_edit_from_the_yaml_comes_back_to_it(cluster: TuiCluster, editor: Any) -> None:
    editor.does("text = text.replace('replicas: 2', 'replicas: 3')")
    async with a_deployment(cluster) as browser:
        await browser.pilot.press("y")
        await browser.says("replicas: 2")
        await browser.pilot.press("e")
        await browser.says("YAML deployment/web")
        await browser.says("replicas: 3")


async def test_an_unchanged_edit_is_cancelled(cluster: TuiCluster, editor: Any) -> None:
    async with a_deployment(cluster) as browser:
        await browser.pilot.press("e")
        await browser.says("Edit cancelled, no changes made.")
        assert editor.files == []


async def test_errors_come_back_as_comments_until_it_is_right(cluster: TuiCluster, editor: Any) -> None:
    editor.does(
        "text = text.replace('replicas: 2', 'replicas: -1')",
        "text = text.replace('replicas: -1', 'replicaz: 4')",
        "text = text.replace('replicaz: 4', 'replicas: [')",
        "text = text.replace('replicas: [', 'replicas: 4')",
    )
    async with a_deployment(cluster) as browser:
        await browser.pilot.press("e")
        await browser.says("Edited deployment/web")
        assert await replicas(cluster) == 4
        assert "# " in editor.saw(1) and "must be greater than or equal to 0" in editor.saw(1)
        assert "replicaz" in editor.saw(2).split("apiVersion")[0]
        assert "# line " in editor.saw(3)


async def test_giving_up_keeps_what_was_written(cluster: TuiCluster, editor: Any) -> None:
    editor.does("text = text.replace('replicas: 2', 'replicas: -1')", "text = None")
    async with a_deployment(cluster) as browser:
        await browser.pilot.press("e")
        await browser.says("is kept in")
        assert await replicas(cluster) == 2
        assert "replicas: -1" in editor.files[0].read_text()


async def test_a_conflict_shows_what_others_did_and_keeps_the_edit(
    cluster: TuiCluster, editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.does("text = text.replace('image: shop:1', 'image: shop:2')", "text = text")
    real = cluster.client.patch
    calls: list[int] = []

    async def patch(*args: Any, **options: Any) -> Any:
        if not calls:
            calls.append(1)
            await real(DEPLOYMENTS, "web", {"spec": {"replicas": 5}}, "default")
        return await real(*args, **options)

    monkeypatch.setattr(cluster.client, "patch", patch)
    async with a_deployment(cluster) as browser:
        await browser.pilot.press("e")
        await browser.says("Edited deployment/web")
        assert "spec.replicas: 2 -> 5" in editor.saw(1)
        assert "image: shop:2" in editor.saw(1)
        stored = await cluster.client.get(DEPLOYMENTS, "web", "default")
        assert stored["spec"]["replicas"] == 5
        assert stored["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:2"


async def test_a_status_written_meanwhile_is_no_conflict(
    cluster: TuiCluster, editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.does("text = text.replace('image: shop:1', 'image: shop:2')")
    real = cluster.client.patch
    calls: list[int] = []

    async def patch(*args: Any, **options: Any) -> Any:
        if not calls:
            calls.append(1)
            fresh = await cluster.client.get(DEPLOYMENTS, "web", "default")
            status = {"observedGeneration": 1, "replicas": 2}
            await cluster.client.update(DEPLOYMENTS, {**fresh, "status": status}, subresource="status")
        return await real(*args, **options)

    monkeypatch.setattr(cluster.client, "patch", patch)
    async with a_deployment(cluster) as browser:
        await browser.pilot.press("e")
        await browser.says("Edited deployment/web")
        with pytest.raises(FileNotFoundError):
            editor.saw(1)


def test_editors_are_opened_at_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KTUI_EDITOR", "")
    monkeypatch.setenv("KUBE_EDITOR", "nvim -n")
    assert editor_command() == ["nvim", "-n"]
    assert editor_arguments(["nvim", "-n"], Path("/x"), 7) == ["nvim", "-n", "+7", "/x"]
    assert editor_arguments(["code", "-w"], Path("/x"), 7) == ["code", "-w", "--goto", "/x:7"]
    assert editor_arguments(["other"], Path("/x"), 7) == ["other", "/x"]


class PlayedSession:
    """A shell that says hello and ends with 3."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.closed = False

    async def send(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        yield 1, b"hello from inside\n"

    async def wait(self) -> int:
        return 3

    async def close(self) -> None:
        self.closed = True


async def test_a_shell_ends_with_its_exit_code(cluster: TuiCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    await cluster.pod("web", containers=("main", "side"))
    node = FakeNode()
    cluster.server.register_node("node-1", node)
    node.session = session = PlayedSession()
    output = io.TextIOWrapper(io.BytesIO(), write_through=True)
    reader, writer = os.pipe()
    async with browsing(cluster) as browser:
        await browser.shows("web")
        with open(reader) as stdin, monkeypatch.context() as patch:  # noqa: PTH123 - a descriptor
            patch.setattr(sys, "stdout", output)
            patch.setattr(sys, "stdin", stdin)
            patch.setattr(terminal, "raw_terminal", contextlib.nullcontext)
            await browser.pilot.press("s")
            await browser.says("Which container?")
            await browser.pilot.press("2")
            await browser.says("web › side: shell ended with exit code 3")
        os.close(writer)
    pod, options = node.executed[0]
    assert (pod, options.container, options.tty, options.stdin) == ("web", "side", True, True)
    assert options.command[0] == "sh"
    assert session.closed
    assert b"hello from inside" in output.buffer.getvalue()


async def test_the_terminal_is_given_away_once(cluster: TuiCluster, editor: Any) -> None:
    async with a_deployment(cluster) as browser:
        with terminal_of(browser.app):
            browser.screen.action_run("edit")
            await browser.app.workers.wait_for_complete(
                [worker for worker in browser.app.workers if worker.group == "actions"]
            )
        await browser.says("the terminal is in use")
        await browser.pilot.press("e")
        await browser.says("Edit cancelled, no changes made.")


async def test_no_shell_where_nothing_runs(cluster: TuiCluster) -> None:
    await cluster.pod("web", phase="Pending")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("s")
        await browser.says("No container of pod/web is running")
    assert (await cluster.client.get(PODS, "web", "default"))["metadata"]["name"] == "web"
