"""Describe and YAML as a person sees them: live, searchable, foldable."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from test_browser import browsing
from tui_cluster import TuiCluster, until

from ktui.kube.kinds import CONFIG_MAPS, EVENTS, PODS, SECRETS
from ktui.kube.resource import Object
from ktui.screens.describe import DescribeScreen


def event_about(pod: Object, message: str, moment: str) -> Object:
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "pulled.1", "namespace": "default"},
        "involvedObject": {
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": "default",
            "uid": metadata["uid"],
        },
        "reason": "Pulled",
        "message": message,
        "type": "Normal",
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


async def test_describe_follows_the_object_and_its_events(cluster: TuiCluster) -> None:
    pod = await cluster.pod("web")
    async with browsing(cluster, size=(110, 60)) as browser:
        await browser.shows("web")
        await browser.pilot.press("d")
        await browser.says("Describe pod/web")
        await browser.says("node-1")
        assert browser.text.splitlines()[1].split() == ["Name:", "web"]
        await cluster.client.create(EVENTS, event_about(pod, "it is here now", cluster.ago(5)), "default")
        await browser.says("it is here now")
        await cluster.client.patch(PODS, "web", {"metadata": {"labels": {"tier": "front"}}}, "default")
        await browser.says("tier=front")
        await browser.pilot.press("slash", *"tier", "enter")
        await browser.says("1 of 1 match")
        await cluster.client.delete(PODS, "web", "default")
        await browser.pilot.press("escape", "escape")
        await until(browser.pilot, lambda: browser.app.screen is browser.screen)


async def test_enter_describes_what_has_nothing_below(cluster: TuiCluster) -> None:
    await cluster.client.create(
        CONFIG_MAPS, {"metadata": {"name": "page"}, "data": {"index.html": "hello\nworld"}}, "default"
    )
    async with browsing(cluster, command="cm") as browser:
        await browser.shows("page")
        await browser.pilot.press("enter")
        await until(browser.pilot, lambda: isinstance(browser.app.screen, DescribeScreen))
        await browser.says("index.html")


async def test_yaml_folds_and_keeps_its_place_through_changes(cluster: TuiCluster) -> None:
    await cluster.pod("web")
    async with browsing(cluster, size=(110, 60)) as browser:
        await browser.shows("web")
        await browser.pilot.press("y")
        await browser.says("YAML pod/web")
        await browser.says("image: shop:1")
        assert "managedFields" not in browser.text.replace("m managedFields", "")
        await browser.pilot.press("slash", *"spec:", "enter", "enter")
        await until(browser.pilot, lambda: "nodeName: node-1" not in browser.text)
        await browser.says("▸ spec: …")
        await cluster.client.patch(PODS, "web", {"metadata": {"labels": {"tier": "front"}}}, "default")
        await browser.says("tier: front")
        await browser.says("▸ spec: …")
        await browser.pilot.press("space")
        await browser.says("nodeName: node-1")
        await browser.pilot.press("m")
        await browser.says("subresource: status")
        await browser.pilot.press("c")
        assert browser.app.clipboard.startswith("apiVersion: v1\nkind: Pod")


async def test_help_tells_the_keys_of_every_text(cluster: TuiCluster) -> None:
    await cluster.pod("web")
    async with browsing(cluster, size=(110, 60)) as browser:
        await browser.shows("web")
        await browser.pilot.press("y")
        await browser.says("YAML pod/web")
        await browser.pilot.press("question_mark")
        await browser.says("Fold or unfold the block")
        await browser.says("Find a text or regex")
        await browser.says("Write the text to a file")


async def test_a_text_is_saved(cluster: TuiCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await cluster.pod("web")
    async with browsing(cluster) as browser:
        await browser.shows("web")
        await browser.pilot.press("ctrl+s")
        await browser.says("Save 1 row to")
        await browser.pilot.press("enter")
        await browser.says("Saved 1 row to")
        await browser.pilot.press("y")
        await browser.says("kind: Pod")
        await browser.pilot.press("ctrl+s")
        await browser.says("lines to")
        await browser.pilot.press("enter")
        await until(browser.pilot, lambda: len(list(tmp_path.iterdir())) == 2)
    table = next(tmp_path.glob("default-pods-*.csv")).read_text()
    assert table.splitlines() == ["Name,Ready,Status,Restarts,Age", "web,1/1,Running,0,0s"]
    assert "kind: Pod" in next(tmp_path.glob("default-pod-web-*.yaml")).read_text()


async def test_a_secret_is_decoded_on_demand(cluster: TuiCluster) -> None:
    data = {"password": base64.b64encode(b"hunter2").decode(), "blob": base64.b64encode(b"\xff\xfe").decode()}
    await cluster.client.create(SECRETS, {"metadata": {"name": "db"}, "data": data}, "default")
    async with browsing(cluster, command="secrets") as browser:
        await browser.shows("db")
        await browser.pilot.press("y")
        await browser.says(f"password: {data['password']}")
        await browser.pilot.press("x")
        await browser.says("password: hunter2")
        await browser.says(f"blob: {data['blob']}")
        await browser.pilot.press("x")
        await until(browser.pilot, lambda: "hunter2" not in browser.text)
        await browser.pilot.press("escape", "x")
        await browser.says("password: hunter2")
