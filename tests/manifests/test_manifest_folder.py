"""The watched folder: what counts as a manifest, and that no change is missed."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ktui.engine.manifests.folder import Folder
from ktui.engine.manifests.sources import BROKEN_AFTER_SECONDS, GONE_AFTER_SECONDS, Sources
from ktui.kube.clock import FakeClock

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


@asynccontextmanager
async def watching(folder: Folder) -> AsyncIterator[asyncio.Event]:
    changed = asyncio.Event()
    task = asyncio.create_task(folder.watch(changed))
    await asyncio.wait_for(changed.wait(), 5)
    changed.clear()
    try:
        yield changed
    finally:
        task.cancel()
        await asyncio.wait({task})


async def scan_until(folder: Folder, changed: asyncio.Event, wanted: set[str] | None) -> None:
    async with asyncio.timeout(10):
        while True:
            found = folder.scan()
            if (None if found is None else set(found.files)) == wanted:
                return
            await changed.wait()
            changed.clear()


def files(root: Path) -> list[str]:
    tree = Folder(root).scan()
    assert tree is not None
    return list(tree.files)


def test_only_manifests_count(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.json", "sub/d.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in (
        "x.txt", ".a.yaml.swp", ".hidden.yaml", "a.yaml~", "#a.yaml#", ".#a.yaml", "4913", "README", "b.yaml.tmp",
    ):  # fmt: skip
        (tmp_path / name).touch()
    assert files(tmp_path) == ["a.yaml", "b.yml", "c.json", "sub/d.yaml"]


def test_links_are_followed_and_loops_are_not_endless(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.yaml").touch()
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "linked").symlink_to(outside)
    (root / "file.yaml").symlink_to(outside / "x.yaml")
    (root / "dangling.yaml").symlink_to(outside / "nope.yaml")
    (root / "sub" / "loop").symlink_to(root)
    assert files(root) == ["file.yaml", "linked/x.yaml"]


async def test_a_file_in_a_directory_made_a_moment_ago_is_not_missed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    async with watching(folder) as changed:
        deep = tmp_path / "new" / "deep"
        deep.mkdir(parents=True)
        (deep / "a.yaml").write_text(POD)
        await scan_until(folder, changed, {"new/deep/a.yaml"})


async def test_a_folder_that_vanishes_and_returns_is_watched_again(tmp_path: Path) -> None:
    root = tmp_path / "m"
    root.mkdir()
    folder = Folder(root)
    async with watching(folder) as changed:
        root.rename(tmp_path / "away")
        await scan_until(folder, changed, None)
        root.mkdir()
        await scan_until(folder, changed, set())
        (root / "a.yaml").write_text(POD)
        await scan_until(folder, changed, {"a.yaml"})


@pytest.mark.parametrize("turns", range(5))
async def test_watching_can_be_cancelled_while_it_starts_over(tmp_path: Path, turns: int) -> None:
    """The stop of ktui hung where it came while the folder's old watch was being closed."""
    root = tmp_path / "m"
    root.mkdir()
    clock = FakeClock()
    changed = asyncio.Event()
    task = asyncio.create_task(Folder(root, clock).watch(changed))
    await asyncio.wait_for(changed.wait(), 5)
    while not clock.sleepers:
        await asyncio.sleep(0)
    root.rename(tmp_path / "away")
    passing = asyncio.create_task(clock.advance(1))
    while clock.sleepers:
        await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert task in done
    await passing


async def test_a_change_behind_a_link_wakes(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked").symlink_to(outside)
    folder = Folder(root)
    async with watching(folder) as changed:
        (outside / "a.yaml").write_text(POD)
        await scan_until(folder, changed, {"linked/a.yaml"})


class TestSources:
    """What the files say, over time."""

    @pytest.fixture
    def sources(self, tmp_path: Path) -> Sources:
        return Sources(Folder(tmp_path))

    def test_a_half_written_file_is_no_error_yet(self, sources: Sources, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("kind: [")
        sources.refresh(10.0)
        source = sources.files["a.yaml"]
        assert source.shown_problem(10.0) is None
        assert sources.next_deadline(10.0) == 10.0 + BROKEN_AFTER_SECONDS
        assert source.shown_problem(10.0 + BROKEN_AFTER_SECONDS) is not None

    def test_a_broken_file_keeps_its_last_good_documents(self, sources: Sources, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(POD)
        sources.refresh(0.0)
        (tmp_path / "a.yaml").write_text(POD + "spec: [")
        sources.refresh(1.0)
        source = sources.files["a.yaml"]
        assert [document.object["metadata"]["name"] for document in source.documents] == ["a"]
        assert not source.is_settled(100.0)

    def test_what_is_gone_is_remembered_until_it_returns(self, sources: Sources, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_text(POD)
        sources.refresh(0.0)
        path.unlink()
        sources.refresh(5.0)
        sources.refresh(6.0)
        assert sources.gone == {"a.yaml": 5.0}
        assert sources.next_deadline(5.0) == 5.0 + GONE_AFTER_SECONDS
        path.write_text(POD)
        sources.refresh(7.0)
        assert not sources.gone

    def test_an_unreadable_file_is_a_problem(self, sources: Sources, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").symlink_to("a-target.yaml")
        os.mkfifo(tmp_path / "fifo.yaml")
        (tmp_path / "a-target.yaml").mkdir()
        assert sources.refresh(0.0)
        assert not sources.files

    def test_a_missing_folder_is_told_apart_from_an_empty_one(self, tmp_path: Path) -> None:
        assert not Sources(Folder(tmp_path / "nope")).refresh(0.0)
        assert Sources(Folder(tmp_path)).refresh(0.0)
