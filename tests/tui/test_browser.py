"""The browser on a real (quiet) API: live rows, commands, filters, drill-down, namespaces, history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from tui_cluster import TuiCluster, screen_text, until

from ktui.app import AppSettings, KtuiApp, QuitChoice
from ktui.kube.errors import unavailable
from ktui.kube.kinds import CONFIG_MAPS, NAMESPACES, PODS
from ktui.screens import browser as browser_module
from ktui.screens import cluster_bar
from ktui.screens.browser import BrowserScreen
from ktui.screens.catalog import Catalog
from ktui.screens.session import Connection


class Browsing:
    def __init__(self, app: KtuiApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> BrowserScreen:
        return self.app.browser

    def names(self) -> list[str]:
        return [row.data.name for row in self.screen.model.table.rows()]

    @property
    def text(self) -> str:
        return screen_text(self.app)

    async def shows(self, *names: str) -> None:
        await until(self.pilot, lambda: self.names() == list(names))

    async def says(self, text: str) -> None:
        await until(self.pilot, lambda: text in self.text)

    async def type(self, text: str) -> None:
        await self.pilot.press(*text.replace(" ", "\0").replace("\0", " "), "enter")


@asynccontextmanager
async def browsing(
    cluster: TuiCluster, size: tuple[int, int] = (110, 24), **settings: Any
) -> AsyncIterator[Browsing]:
    app = cluster.app(**settings)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.session.connection is not None)
        yield Browsing(app, pilot)


async def test_rows_come_change_and_go_by_themselves(cluster: TuiCluster) -> None:
    pod = await cluster.pod("web")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await cluster.pod("api", phase="Pending")
        await browser.shows("api", "web")
        await cluster.set_status(pod, waiting="CrashLoopBackOff", restarts=3)
        await browser.says("CrashLoopBackOff")
        await cluster.client.delete(PODS, "api", "default")
        pending = browser.screen.model.table
        await until(browser.pilot, lambda: pending.total <= 2)


async def test_a_command_goes_to_any_kind_with_completion(cluster: TuiCluster) -> None:
    await cluster.deployment("web")
    async with browsing(cluster) as browser:
        await browser.shows("web-0", "web-1")
        await browser.pilot.press(":", *"depl")
        await browser.pilot.pause()
        await browser.pilot.press("tab", "enter")
        await browser.shows("web")
        assert "Deployments(default) [1]" in browser.text
        await browser.pilot.press("enter")
        await browser.shows("web-0", "web-1")
        await browser.says("deployment/web › Pods [2]")
        await browser.pilot.press("enter")
        await browser.shows("main")
        await browser.says("Containers [1]")
        await browser.pilot.press("escape", "escape")
        await browser.shows("web")


async def test_keys_typed_in_one_burst_all_reach_the_prompt(cluster: TuiCluster) -> None:
    await cluster.deployment("shop")
    await cluster.pod("other")
    async with browsing(cluster) as browser:
        await browser.shows("other", "shop-0", "shop-1")
        for key in (":", *"deploy /shop", "\r"):
            name = {":": "colon", " ": "space", "/": "slash", "\r": "enter"}.get(key, key)
            browser.app.post_message(events.Key(name, None if key == "\r" else key))
        await browser.shows("shop")
        await browser.says("Deployments(default) [1]")
        for key in "/-0":
            browser.app.post_message(events.Key({"/": "slash", "-": "minus"}.get(key, key), key))
        await until(browser.pilot, lambda: browser.screen.view.filter == "shop-0")


async def test_the_cursor_is_where_it_was_after_coming_back(cluster: TuiCluster) -> None:
    for name in ("a", "b", "c"):
        await cluster.pod(name)
    async with browsing(cluster) as browser:
        await browser.shows("a", "b", "c")
        await browser.pilot.press("down", "down", "enter")
        await browser.shows("main")
        await browser.pilot.press("escape")
        await browser.shows("a", "b", "c")
        row = browser.screen.table.cursor_row
        assert row is not None
        assert row.data.name == "c"


async def test_a_wrong_command_is_answered_with_what_was_meant(cluster: TuiCluster) -> None:
    async with browsing(cluster) as browser:
        await browser.pilot.press(":", *"podz", "enter")
        await browser.says("Did you mean pods?")


async def test_the_filter_works_while_typing_and_esc_clears_it(cluster: TuiCluster) -> None:
    for name in ("web-1", "web-2", "db"):
        await cluster.pod(name, labels={"app": name[:2]})
    async with browsing(cluster) as browser:
        await browser.shows("db", "web-1", "web-2")
        await browser.pilot.press("/", *"web")
        await browser.shows("web-1", "web-2")
        assert "[2 of 3]" in browser.text
        await browser.pilot.press("enter")
        await cluster.pod("web-3", labels={"app": "we"})
        await browser.shows("web-1", "web-2", "web-3")
        await browser.pilot.press("escape")
        await browser.shows("db", "web-1", "web-2", "web-3")
        browser.screen.set_filter("-l app=db")
        await browser.shows("db")
        browser.screen.set_filter("nothing like it")
        await browser.says("None of 4 pods match")
        browser.screen.set_filter("web[")
        await browser.says("not a regular expression")


async def test_esc_in_the_filter_line_leaves_the_filter_as_it_was(cluster: TuiCluster) -> None:
    await cluster.pod("web")
    await cluster.pod("db")
    async with browsing(cluster) as browser:
        await browser.shows("db", "web")
        await browser.pilot.press("/", *"web", "escape")
        await browser.shows("db", "web")
        assert browser.app.focused is browser.screen.table


async def test_namespaces_by_digit_and_by_command(cluster: TuiCluster) -> None:
    await cluster.client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    )
    await cluster.pod("web")
    await cluster.pod("till", "shop")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("0")
        await browser.shows("web", "till")
        await browser.says("NAMESPACE")
        await browser.pilot.press(":", *"po shop".replace(" ", "~").split("~")[0], "space", *"shop", "enter")
        await browser.shows("till")
        await browser.pilot.press("1")
        await browser.shows("web")
        await browser.pilot.press("2")
        await browser.shows("till")
        await browser.pilot.press(":", "n", "s", "enter")
        await until(browser.pilot, lambda: "shop" in browser.names())
        browser.screen.table.move_to(
            next(r.uid for r in browser.screen.model.table.rows() if r.data.name == "default")
        )
        await browser.pilot.press("enter")
        await browser.shows("web")


async def test_history_goes_back_and_forth(cluster: TuiCluster) -> None:
    await cluster.pod("web")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press(":", *"nodes", "enter")
        await browser.says("Nodes [0]")
        await browser.pilot.press("[")
        await browser.says("Pods(default)")
        await browser.pilot.press("]")
        await browser.says("Nodes [0]")


async def test_empty_views_say_what_to_do(cluster: TuiCluster) -> None:
    async with browsing(cluster) as browser:
        await browser.says("No pods in default")
        assert "Drop a manifest into ./manifests, 0 shows all namespaces" in browser.text


async def test_only_rows_in_trouble(cluster: TuiCluster) -> None:
    await cluster.pod("fine")
    await cluster.pod("broken", waiting="ImagePullBackOff")
    async with browsing(cluster) as browser:
        await browser.shows("broken", "fine")
        await browser.pilot.press("ctrl+z")
        await browser.shows("broken")
        await browser.pilot.press("escape")
        await browser.shows("broken", "fine")


async def test_wide_sort_and_copy(cluster: TuiCluster) -> None:
    await cluster.pod("b", restarts=5)
    await cluster.pod("a")
    async with browsing(cluster) as browser:
        await browser.shows("a", "b")
        await browser.pilot.press("N")
        await browser.shows("b", "a")
        await browser.pilot.press("ctrl+w")
        await browser.says("NODE")
        await browser.pilot.press("space", "space", "c")
        await browser.says("Copied 2 names")
        assert browser.app.clipboard == "b\na"


async def test_help_and_palette_come_from_the_same_actions(cluster: TuiCluster) -> None:
    await cluster.deployment("web")
    async with browsing(cluster, size=(120, 90), command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("?")
        await browser.says("Keys on Deployment")
        for text in (
            "Set the number of replicas",
            "1-9",
            "Recent namespaces",
            "shift+left",
            "status:pending",
        ):
            assert text in browser.text
        await browser.pilot.press("escape", "ctrl+p")
        await browser.pilot.press(*"resta")
        await browser.says("Restart")


async def test_long_help_goes_on_below_itself(cluster: TuiCluster) -> None:
    async with browsing(cluster, size=(60, 30)) as browser:
        await browser.pilot.press("?")
        await browser.says("Keys on Pod")
        lines = [line.strip(" │╭╮╰╯─▁▂▃▄▅▆▇█") for line in browser.text.splitlines()]
        row = next(number for number, line in enumerate(lines) if line.startswith("esc "))
        assert lines[row] == "esc                     Close the filter, the"
        assert lines[row + 1] == "marks, the view"
        column = browser.text.splitlines()[row].index("Close")
        assert browser.text.splitlines()[row + 1].index("marks") == column


async def test_related_objects(cluster: TuiCluster) -> None:
    await cluster.node()
    await cluster.deployment("web")
    async with browsing(cluster) as browser:
        await browser.shows("web-0", "web-1")
        await browser.pilot.press("J")
        await browser.shows("web-hash1")
        await browser.pilot.press("J")
        await browser.shows("web")
        await browser.pilot.press("R")
        await browser.shows("web-hash1")
        await browser.pilot.press("escape", "escape", "escape", "o")
        await browser.shows("node-1")
        await browser.pilot.press("enter")
        await browser.shows("web-0", "web-1")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_sizes(cluster: TuiCluster, size: tuple[int, int]) -> None:
    await cluster.pod(
        "a-rather-long-name-of-a-deployment-7d9f8b6c5d-x2k4q", waiting="CrashLoopBackOff", restarts=12
    )
    async with browsing(cluster, size=size, namespace="") as browser:
        await browser.says("CrashLoopBackOff")
        await browser.says(": Command")
        await browser.says("/ Filter")
        header = browser.text.splitlines()[2]
        assert "NAMESPACE" in header
        assert "AGE" in header


async def test_what_does_not_fit_is_told_below(cluster: TuiCluster) -> None:
    name = "a-name-far-too-long-for-a-small-terminal-that-nobody-could-tell-from-its-ends-1"
    await cluster.pod(name, labels={"app": "long"})
    await cluster.pod("short")
    async with browsing(cluster, size=(80, 24), namespace="") as browser:
        await browser.shows(name, "short")
        await browser.says("Name: a-name-far-too-long-for-a-small-terminal")
        await browser.pilot.press("down")
        await until(browser.pilot, lambda: "Name: a-name" not in browser.text)


async def test_simulation_is_said_loudly(cluster: TuiCluster) -> None:
    async with browsing(cluster, runtime="sim") as browser:
        await browser.says("SIMULATION")


async def test_quitting_asks_what_to_do_with_the_cluster(cluster: TuiCluster) -> None:
    async with browsing(cluster) as browser:
        await browser.says("No pods")
        await browser.pilot.press("q")
        await browser.says("Quit: what about the cluster?")
        await browser.pilot.press("escape", "ctrl+q")
        await browser.says("Quit: what about the cluster?")
        await browser.pilot.press("3")
    assert browser.app.return_value is QuitChoice.STOP


async def test_a_cluster_of_others_is_left_without_asking(cluster: TuiCluster) -> None:
    async with browsing(cluster, quit_choices=(QuitChoice.LEAVE,)) as browser:
        await browser.pilot.press(":", "q", "enter")
    assert browser.app.return_value is QuitChoice.LEAVE


async def test_a_cluster_that_does_not_start_can_be_tried_again(cluster: TuiCluster) -> None:
    attempts = 0

    async def connect() -> Connection:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise unavailable("the engine did not start: port 6443 is taken")
        return Connection(client=cluster.client)

    app = KtuiApp(connect)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "port 6443 is taken" in screen_text(app))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "No pods in default" in screen_text(app))


async def test_a_namespace_that_is_not_there_is_said(cluster: TuiCluster) -> None:
    async with browsing(cluster) as browser:
        await until(browser.pilot, lambda: bool(browser.app.session.namespaces))
        browser.screen.command("pods nowhere")
        await browser.says("There is no namespace 'nowhere'")


async def test_themes_change_by_command(cluster: TuiCluster) -> None:
    async with browsing(cluster) as browser:
        browser.screen.command("theme")
        await until(browser.pilot, lambda: browser.app.theme == "ktui-light")
        browser.screen.command("theme nope")
        await browser.says("No theme 'nope'")


async def test_a_fault_in_an_action_is_a_notice_and_the_browser_goes_on(
    cluster: TuiCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cluster.pod("web")
    async with browsing(cluster) as browser:
        await browser.shows("web")

        def broken(*_: Any, **__: Any) -> None:
            raise ValueError("a bug")

        monkeypatch.setattr(cluster.client, "get", broken)
        await browser.pilot.press("o")
        await browser.says("a bug")
        await browser.pilot.press("enter")
        await browser.says("ValueError: a bug")
        await browser.pilot.press("escape")
        await browser.shows("web")


async def test_every_kind_can_be_browsed(cluster: TuiCluster) -> None:
    await cluster.client.create(
        CONFIG_MAPS,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"}, "data": {"a": "b"}},
        "default",
    )
    async with browsing(cluster, command="cm") as browser:
        await until(browser.pilot, lambda: "page" in browser.names())
        for resource in browser.app.session.catalog.resources:
            browser.screen.command(resource.key)
            await until(browser.pilot, lambda: browser.screen.model.link == "live")


async def test_a_kind_that_came_later_is_found_by_its_name(cluster: TuiCluster) -> None:
    async with browsing(cluster) as browser:
        browser.screen.session.catalog = Catalog(())
        browser.screen.command("configmaps")
        await until(browser.pilot, lambda: browser.screen.view.resource.key == "configmaps")


async def test_a_command_typed_while_the_cluster_starts_waits_for_it(cluster: TuiCluster) -> None:
    started = asyncio.Event()

    async def connect() -> Connection:
        await started.wait()
        return Connection(client=cluster.client, context="test")

    await cluster.client.create(CONFIG_MAPS, {"metadata": {"name": "page"}}, "default")
    app = KtuiApp(connect, AppSettings(), now=lambda: cluster.clock.now().timestamp())
    async with app.run_test(size=(110, 24), notifications=True) as pilot:
        browser = Browsing(app, pilot)
        await pilot.press(":", *"cm", "enter")
        await browser.says(":cm follows")
        started.set()
        await browser.shows("page")


async def test_ctrl_c_asks_to_quit(cluster: TuiCluster) -> None:
    async with browsing(cluster) as browser:
        await browser.pilot.press("ctrl+c")
        await browser.says("Quit: what about the cluster?")


async def test_a_cluster_that_does_not_answer_is_told(
    cluster: TuiCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*args: Any, **options: Any) -> Any:
        await asyncio.Event().wait()

    async with browsing(cluster) as browser:
        await browser.shows()
        monkeypatch.setattr(browser_module, "_PATIENCE_SECONDS", 0.05)
        monkeypatch.setattr(cluster_bar, "_PATIENCE_SECONDS", 0.05)
        monkeypatch.setattr(cluster.client, "table", never)
        monkeypatch.setattr(cluster.client, "list", never)
        await browser.pilot.press("ctrl+r")
        await browser.says("The cluster takes its time")
        browser.screen.query_one(cluster_bar.ClusterBar).read()
        await browser.says("◌ no answer")
