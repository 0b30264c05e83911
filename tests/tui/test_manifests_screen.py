"""The watched folder as a person sees it: states, problems with their source, pausing, and deletions that wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_browser import browsing
from textual import events
from tui_cluster import TuiCluster, until

from ktui.engine.api.local import LocalClient
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, MANIFEST_FILES
from ktui.kube.resource import Object
from ktui.screens.manifest_detail import detail_of
from ktui.screens.manifest_files import bringer_of, excerpt, summarize


def record(name: str, folder: Path, path: str, **status: Any) -> Object:
    return {
        "apiVersion": "ktui.dev/v1alpha1",
        "kind": "ManifestFile",
        "metadata": {"name": name},
        "spec": {"path": path, "folder": str(folder)},
        "status": {"state": "Synced", **status},
    }


async def put(cluster: TuiCluster, obj: Object) -> None:
    syncer = LocalClient(cluster.server, "system:ktui-manifests", manager="ktui")
    await syncer.create(MANIFEST_FILES, obj)


async def annotations(cluster: TuiCluster, name: str) -> dict[str, str]:
    found = await cluster.client.get(MANIFEST_FILES, name)
    return dict(found["metadata"].get("annotations") or {})


@pytest.fixture
async def folder(cluster: TuiCluster, tmp_path: Path) -> Path:
    (tmp_path / "web.yaml").write_text("kind: Pod\nspec:\n  contaners: []\n")
    page = await cluster.client.create(
        CONFIG_MAPS, {"metadata": {"name": "page"}, "data": {"a": "b"}}, "default"
    )
    problem = {
        "line": 3,
        "column": 3,
        "field": "spec.contaners",
        "message": "unknown field (did you mean containers?)",
    }
    brought = {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "default", "name": "page",
               "uid": page["metadata"]["uid"], "digest": "x"}  # fmt: skip
    await put(cluster, record("web-1", tmp_path, "web.yaml", state="Invalid", problems=[problem],
                              message="web.yaml:3:3: spec.contaners: unknown field"))  # fmt: skip
    await put(
        cluster, record("page-1", tmp_path, "page.yaml", objects=[brought], drift=["ConfigMap page: data.a"])
    )
    return tmp_path


async def test_files_their_problems_and_their_objects(cluster: TuiCluster, folder: Path) -> None:
    async with browsing(cluster, size=(110, 30)) as browser:
        await browser.pilot.press(":", *"mf", "enter")
        await browser.shows("page-1", "web-1")
        await browser.says("web.yaml invalid (:mf)")
        await browser.pilot.press("down", "enter")
        await browser.says("> 3 |   contaners: []")
        await browser.says("did you mean containers?")
        assert "    |   ^" in browser.text
        await browser.pilot.press("escape", "up", "enter")
        await browser.says("ConfigMap page: data.a")
        await browser.pilot.press("slash", *"page$", "enter", "enter")
        await until(browser.pilot, lambda: browser.screen.view.resource == CONFIG_MAPS)
        await browser.shows("page")


async def test_a_scale_by_hand_says_which_file_undoes_it(cluster: TuiCluster, tmp_path: Path) -> None:
    web = await cluster.deployment("web")
    brought = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "web",
               "uid": web["metadata"]["uid"], "digest": "x"}  # fmt: skip
    await put(cluster, record("web-1", tmp_path, "web.yaml", objects=[brought]))
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("s")
        await browser.says("web.yaml brought it")
        await browser.pilot.press("escape", "ctrl+d")
        await browser.says("Delete deployment/web?")
        assert "web.yaml brought it" in browser.text


async def test_a_change_by_hand_stays_when_its_file_is_paused_with_it(
    cluster: TuiCluster, tmp_path: Path
) -> None:
    web = await cluster.deployment("web")
    brought = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "web",
               "uid": web["metadata"]["uid"], "digest": "x"}  # fmt: skip
    await put(cluster, record("web-1", tmp_path, "web.yaml", objects=[brought]))
    async with browsing(cluster, command="deploy") as browser:
        await browser.shows("web")
        await browser.pilot.press("s")
        await browser.says("Pause web.yaml, so that it stays")
        await browser.pilot.press("end", "backspace")
        # As fast as a terminal may send them: nothing waits for the tab to have moved the focus.
        for key, character in (("5", "5"), ("tab", "\t"), ("space", " "), ("enter", "\r")):
            browser.app.post_message(events.Key(key, character))
        await browser.says("Scaled deployment/web to 5")
        assert (await annotations(cluster, "web-1"))["ktui.dev/paused"] == "true"
        await browser.says("web.yaml paused (:mf)")
        await browser.pilot.press("ctrl+d")
        await browser.says("Delete deployment/web?")
        assert "Pause web.yaml" not in browser.text


async def test_a_pod_that_a_file_brings_back_is_not_said_to_be_lost(
    cluster: TuiCluster, tmp_path: Path
) -> None:
    pod = await cluster.pod("lone")
    brought = {"apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": "lone",
               "uid": pod["metadata"]["uid"], "digest": "x"}  # fmt: skip
    await put(cluster, record("lone-1", tmp_path, "lone.yaml", objects=[brought]))
    async with browsing(cluster) as browser:
        await browser.shows("lone")
        await browser.pilot.press("ctrl+d")
        await browser.says("lone.yaml brought it")
        assert "Nothing brings back" not in browser.text
        await browser.pilot.press("p", "y")
        await browser.says("Deleted pod/lone")
        assert (await annotations(cluster, "lone-1"))["ktui.dev/paused"] == "true"


async def test_the_header_tells_of_a_bad_file_at_once(cluster: TuiCluster, tmp_path: Path) -> None:
    async with browsing(cluster) as browser:
        await put(cluster, record("web-1", tmp_path, "web.yaml", state="Invalid"))
        await browser.says("web.yaml invalid (:mf)")
        syncer = LocalClient(cluster.server, "system:ktui-manifests", manager="ktui")
        await syncer.delete(MANIFEST_FILES, "web-1")
        await until(browser.pilot, lambda: "invalid" not in browser.text)


async def test_a_record_that_nothing_needs_can_be_deleted(cluster: TuiCluster, tmp_path: Path) -> None:
    await put(cluster, record("old-1", tmp_path, "old.yaml", state="Orphaned"))
    async with browsing(cluster, command="mf") as browser:
        await browser.shows("old-1")
        await browser.pilot.press("ctrl+d")
        await browser.says("Only the record goes")
        await browser.pilot.press("y")
        await browser.shows()


async def test_pause_reapply_and_pause_all(cluster: TuiCluster, folder: Path) -> None:
    await put(cluster, record("folder", folder, ".", state="Watching"))
    async with browsing(cluster, size=(110, 30), command="mf") as browser:
        await browser.shows("folder", "page-1", "web-1")
        await browser.pilot.press("down", "p")
        await browser.says("Paused page.yaml")
        assert (await annotations(cluster, "page-1"))["ktui.dev/paused"] == "true"
        await browser.pilot.press("p")
        await browser.says("Resumed page.yaml")
        assert "ktui.dev/paused" not in await annotations(cluster, "page-1")
        await browser.pilot.press("r")
        await browser.says("Applying page.yaml anew")
        assert "ktui.dev/reapply-requested-at" in await annotations(cluster, "page-1")
        await browser.pilot.press("down", "p")
        await browser.says("Paused web.yaml")
        await browser.pilot.press("r")
        await browser.says("web.yaml is paused; p resumes it")
        assert "ktui.dev/reapply-requested-at" not in await annotations(cluster, "web-1")
        await browser.pilot.press("P")
        await browser.says("Paused the folder")
        await browser.pilot.press("r")
        await browser.says("The folder is paused; P resumes it")


async def test_editing_what_a_file_brought_says_what_becomes_of_it(cluster: TuiCluster, folder: Path) -> None:
    (folder / "page.yaml").touch()
    async with browsing(cluster, size=(130, 30), command="cm") as browser:
        await browser.shows("page")
        await browser.pilot.press("e")
        await browser.says("the folder puts back what")
        await browser.pilot.press("escape")
        await cluster.client.patch(
            MANIFEST_FILES, "page-1", {"metadata": {"annotations": {"ktui.dev/paused": "true"}}}
        )
        await browser.pilot.press("e")
        await browser.says("It comes from the manifest page.yaml, which is paused.")
        assert "applied once it is resumed" in browser.text
        assert "it stays until" in browser.text
        assert "puts back" not in browser.text


async def test_a_deletion_that_waits_is_asked_about(cluster: TuiCluster, folder: Path) -> None:
    prune = {"token": "abc123", "objects": ["ConfigMap default/page", "Deployment default/web"]}
    await put(cluster, record("folder", folder, ".", state="AwaitingPrune", prune=prune))
    async with browsing(cluster, size=(120, 30)) as browser:
        await browser.says("2 deletions wait for a yes (:prune)")
        await browser.pilot.press(":", *"mf", "enter")
        await browser.says("Delete 2 objects?")
        await browser.says("Deployment default/web")
        await browser.pilot.press("n")
        assert await annotations(cluster, "folder") == {}
        await browser.pilot.press(":", *"prune", "enter")
        await browser.says("Delete 2 objects?")
        await browser.pilot.press("y")
        await browser.says("Deleting 2 objects")
        assert await annotations(cluster, "folder") == {"ktui.dev/prune-approved": "abc123"}


async def test_users_may_annotate_files_and_nothing_else(cluster: TuiCluster, folder: Path) -> None:
    with pytest.raises(StatusError, match="can only be read"):
        await cluster.client.patch(MANIFEST_FILES, "web-1", {"spec": {"path": "other"}})
    with pytest.raises(StatusError, match="can only be read"):
        await cluster.client.patch(MANIFEST_FILES, "web-1", {"metadata": {"labels": {"a": "b"}}})


def test_a_file_of_a_folder_no_longer_watched_keeps_nothing(tmp_path: Path) -> None:
    before = record("web-1", tmp_path, "before.yaml", state="Orphaned", objects=[{"uid": "u"}])
    now = record("web-2", tmp_path, "now.yaml", objects=[{"uid": "u"}])
    assert bringer_of([before, now], "u") is now
    assert bringer_of([before], "u") is None


def test_summaries_and_excerpts() -> None:
    here = Path("/m")
    files = [record("a", here, "a.yaml", state="Invalid"), record("b", here, "b.yaml", state="Failed")]
    assert summarize(files).notice == "a.yaml and 1 more invalid (:mf)"
    assert summarize([record("a", here, "a.yaml")]).notice == ""
    assert bringer_of(files, "u") is None
    assert excerpt(["one", "two", "three"], 3, 2, context=1) == ["  2 | two", "> 3 | three", "    |  ^"]
    assert detail_of(record("a", here, "a.yaml"), []).lines[0] == "File:     /m/a.yaml"
