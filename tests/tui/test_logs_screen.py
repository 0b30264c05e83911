"""Logs as a person sees them: live, of several containers, through restarts, searched, filtered, saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_node import FakeNode
from test_browser import browsing
from tui_cluster import TuiCluster, until

from ktui.kube.kinds import PODS
from ktui.screens.logs import LogsScreen


@pytest.fixture
def node(cluster: TuiCluster) -> FakeNode:
    node = FakeNode()
    cluster.server.register_node("node-1", node)
    return node


def logs_of(browser: Any) -> LogsScreen:
    assert isinstance(browser.app.screen, LogsScreen)
    return browser.app.screen


async def restarted(cluster: TuiCluster, pod: str, *, count: int = 1) -> None:
    fresh = await cluster.client.get(PODS, pod, "default")
    status = dict(fresh["status"])
    ended = {"exitCode": 1, "reason": "Error", "startedAt": cluster.ago(9), "finishedAt": cluster.ago(1)}
    status["containerStatuses"] = [
        {**s, "restartCount": count, "lastState": {"terminated": ended}} for s in status["containerStatuses"]
    ]
    await cluster.client.update(PODS, {**fresh, "status": status}, subresource="status")


async def test_a_pods_log_comes_live_and_follows(cluster: TuiCluster, node: FakeNode) -> None:
    await cluster.pod("web")
    log = node.log("web")
    log.write("12:00:01 hello")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("hello")
        await browser.says("Logs pod/web")
        log.write(*(f"12:00:02 line {n}" for n in range(100)))
        await browser.says("line 99")
        assert "hello" not in browser.text
        await browser.pilot.press("up", "up")
        await browser.says("paused")
        log.write("12:00:03 more")
        await browser.says("102 lines")
        assert "more" not in browser.text
        await browser.pilot.press("f")
        await browser.says("more")
        await browser.pilot.press("t")
        await browser.says("2026-03-01T12:00:03.000Z more")
        await browser.pilot.press("escape")
        await until(browser.pilot, lambda: browser.app.screen is browser.screen)


async def test_help_tells_the_keys_of_a_log(cluster: TuiCluster, node: FakeNode) -> None:
    await cluster.pod("web")
    node.log("web").write("12:00:01 hello")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("hello")
        await browser.pilot.press("?")
        await browser.says("Keys on a log")
        await browser.says("The log of the run before the last restart")
        await browser.pilot.press("escape")
        await until(browser.pilot, lambda: isinstance(browser.app.screen, LogsScreen))


async def test_all_pods_of_a_deployment_are_interleaved_by_time(cluster: TuiCluster, node: FakeNode) -> None:
    await cluster.deployment("web", replicas=2)
    node.log("web-0").write("12:00:01 one", "12:00:03 three")
    node.log("web-1").write("12:00:02 two", "12:00:04 four")
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("four")
        lines = [line.split() for line in browser.text.splitlines()[1:5]]
        assert lines == [["0", "one"], ["1", "two"], ["0", "three"], ["1", "four"]]
        await cluster.pod("web-2", labels={"app": "web"})
        node.log("web-2").write("12:00:05 a new pod joins")
        await browser.says("a new pod joins")


async def test_a_restart_is_told_and_the_log_goes_on(cluster: TuiCluster, node: FakeNode) -> None:
    await cluster.pod("web")
    node.log("web").write("12:00:01 first run")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("first run")
        node.restart("web").write("12:00:09 second run")
        await restarted(cluster, "web")
        await browser.says("second run")
        await browser.says("restarted: is running (the run before ended: Error, exit code 1)")
        await browser.pilot.press("p")
        await browser.says("previous run")
        await until(browser.pilot, lambda: "second run" not in browser.text)
        await browser.says("first run")


async def test_a_waiting_container_tells_why_and_starts_by_itself(
    cluster: TuiCluster, node: FakeNode
) -> None:
    pod = await cluster.pod("web", phase="Pending", waiting="ImagePullBackOff")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("web/main is waiting: ImagePullBackOff")
        node.log("web").write("12:00:01 at last")
        await cluster.set_status(pod)
        await browser.says("at last")


async def test_a_lost_connection_is_told_and_no_line_comes_twice(cluster: TuiCluster, node: FakeNode) -> None:
    await cluster.pod("web")
    log = node.log("web")
    log.write("12:00:01 one", "12:00:02 two")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("two")
        log.break_off("connection reset")
        await browser.says("lost the log: connection reset; trying again")
        log.write("12:00:03 three")
        await browser.says("three")
        screen = logs_of(browser)
        texts = [line for line in screen.buffer.read(0, screen.buffer.end) if not line.startswith(b"\0")]
        assert [text.split()[1] for text in texts] == [b"one", b"two", b"three"]


async def test_search_goes_along_the_matches_and_the_filter_hides_the_rest(
    cluster: TuiCluster, node: FakeNode
) -> None:
    await cluster.pod("web")
    node.log("web").write(*(f"12:00:00 {'error' if n % 50 == 0 else 'fine'} {n}" for n in range(500)))
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("fine 499")
        await browser.pilot.press("slash", *"error", "enter")
        await browser.says("error 450")
        await browser.says("10 of 10 match")
        await browser.pilot.press("N")
        await browser.says("9 of 10 match")
        await browser.says("error 400")
        await browser.pilot.press("n", "n")
        await browser.says("1 of 10 match")
        await browser.pilot.press("escape", "ampersand", *"0$", "enter")
        await browser.says("50 shown")
        assert "error 0" in browser.text
        await browser.pilot.press("plus")
        await browser.says("&0$ ±1  149 shown")
        await browser.says("fine 51")
        await browser.pilot.press("minus")
        await browser.says("50 shown")
        await browser.pilot.press("escape")
        await until(browser.pilot, lambda: "50 shown" not in browser.text)


async def test_json_lines_are_compact_and_expand(cluster: TuiCluster, node: FakeNode) -> None:
    await cluster.pod("web")
    node.log("web").write('12:00:01 {"level":"warn","msg":"slow","took":12,"who":{"id":7}}')
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says('WARN  slow  took=12  who={"id":7}')
        await browser.pilot.press("enter")
        await browser.says('    "id": 7')
        await browser.pilot.press("escape", "v")
        await browser.says('{"level":"warn"')


async def test_wrap_marks_copy_and_save(cluster: TuiCluster, node: FakeNode, tmp_path: Path) -> None:
    await cluster.pod("web")
    node.log("web").write(
        "12:00:01 " + "word " * 40 + "end", "12:00:02 \x1b[31mred\x1b[0m\x1b]0;title\x07 text"
    )
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("red text")
        assert "end" not in browser.text
        await browser.pilot.press("w")
        await browser.says("word end")
        await browser.pilot.press("m", "c")
        assert browser.app.clipboard == "red text"
        await browser.pilot.press("ctrl+s")
        await browser.says("Save 2 lines to")
        path = tmp_path / "out.log"
        field: Any = browser.app.screen.query_one("Input")
        field.value = str(path)
        await browser.pilot.press("enter")
        await browser.says("Saved 2 lines")
        assert path.read_text().splitlines()[1] == "2026-03-01T12:00:02Z red text"


async def test_scope_and_container_are_chosen(cluster: TuiCluster, node: FakeNode) -> None:
    await cluster.pod("web", containers=("main", "side"))
    node.log("web").write(*(f"12:00:00 main {n}" for n in range(200)))
    node.log("web", "side").write("12:00:01 beside")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("side beside")
        await browser.pilot.press("s")
        await browser.says("Last 100 lines")
        await browser.pilot.press("5")
        await browser.says("101 lines")
        await browser.pilot.press("o")
        await browser.says("Which container?")
        await browser.pilot.press("3")
        await browser.says("pod/web › side")
        await browser.says("1 line ")
        assert node.asked[-1][1].tail_lines == 100


async def test_no_pods_is_said(cluster: TuiCluster, node: FakeNode) -> None:
    await cluster.deployment("web", replicas=0)
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("l")
        await browser.says("waiting for its first pod")
