"""Files caught while they are written: what half of a text may and may not do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from synced_folder import SyncedFolder

from ktui.engine.manifests.folder import Folder
from ktui.engine.manifests.sources import (
    GONE_AFTER_SECONDS,
    RETURN_SECONDS,
    SHRUNK_AFTER_SECONDS,
    WRITER_SECONDS,
    Sources,
)
from ktui.engine.manifests.writers import is_open_for_writing
from ktui.kube.kinds import CONFIG_MAPS

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n---\n"
LONG_AGO = 1_700_000_000.0


def configs(*names: str) -> str:
    return "".join(CONFIG.format(name) for name in names)


class Written:
    """One file, and how a folder's sources take what is done to it."""

    def __init__(self, root: Path) -> None:
        self.path = root / "a.yaml"
        self.sources = Sources(Folder(root))

    def put(self, text: str, now: float, modified: float = LONG_AGO) -> None:
        """Write it in place, as of a time, and look."""
        self.path.write_text(text)
        os.utime(self.path, (modified, modified))
        self.sources.refresh(now)

    def put_by_rename(self, text: str, now: float) -> None:
        """Put a complete new file in its place, and look."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.rename(self.path)
        self.sources.refresh(now)

    @property
    def names(self) -> list[str]:
        documents = self.sources.files["a.yaml"].documents
        return [document.object["metadata"]["name"] for document in documents]

    def may_lose(self, now: float) -> bool:
        """Whether what the file lacks counts as removed."""
        return self.sources.files["a.yaml"].is_settled(now)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    written = Written(tmp_path)
    written.put(configs("a", "b", "c"), 0.0)
    return written


@pytest.fixture
def leases(tmp_path: Path) -> None:
    """Skips where the file system does not tell who has a file open."""
    with (tmp_path / "probe").open("w") as writer, Path(writer.name).open("rb") as reader:
        if not is_open_for_writing(reader.fileno()):
            pytest.skip("no leases on this file system")


@pytest.mark.usefixtures("leases")
def test_a_text_counts_once_its_writer_has_closed_it(written: Written) -> None:
    with written.path.open("w") as writer:
        writer.write(configs("a"))
        writer.flush()
        written.sources.refresh(10.0)
        assert written.names == ["a", "b", "c"]
        assert written.sources.files["a.yaml"].shown_problem(14.0) is None
        assert not written.may_lose(14.0)
        due = written.sources.next_deadline(10.0)
        assert due is not None
        assert due <= 10.2, "nobody tells of a close: it is looked for"
        writer.write(configs("b", "c", "d"))
    written.sources.refresh(10.1)
    assert written.names == ["a", "b", "c", "d"]


@pytest.mark.usefixtures("leases")
def test_a_writer_that_never_closes_is_not_waited_for_forever(written: Written) -> None:
    with written.path.open("w") as writer:
        writer.write(configs("a", "b"))
        writer.flush()
        written.sources.refresh(10.0)
        written.sources.refresh(10.0 + WRITER_SECONDS)
        assert written.names == ["a", "b"]
        assert not written.may_lose(10.0 + WRITER_SECONDS + GONE_AFTER_SECONDS)
        assert written.may_lose(10.0 + WRITER_SECONDS + SHRUNK_AFTER_SECONDS)


@pytest.mark.parametrize("text", ["", "\n", "# all of it is gone\n", configs("a"), configs("d")])
def test_a_text_with_fewer_objects_may_be_the_first_half_of_the_next(written: Written, text: str) -> None:
    written.put(text, 10.0)
    assert not written.may_lose(10.0 + GONE_AFTER_SECONDS)
    assert written.sources.next_deadline(10.0) == 10.0 + SHRUNK_AFTER_SECONDS
    assert written.may_lose(10.0 + SHRUNK_AFTER_SECONDS)


def test_as_long_as_it_grows_back_it_is_waited_for(written: Written) -> None:
    written.put("", 10.0)
    written.put(configs("a"), 12.0)
    written.put(configs("a", "b"), 14.0)
    assert not written.may_lose(14.0 + GONE_AFTER_SECONDS)
    written.put(configs("a", "b", "d"), 16.0)
    assert written.may_lose(16.0 + GONE_AFTER_SECONDS)


def test_a_broken_half_is_not_forgotten(written: Written) -> None:
    written.put(configs("a") + "kind: [", 10.0)
    written.put(configs("a"), 12.0)
    assert not written.may_lose(12.0 + GONE_AFTER_SECONDS)


def test_a_file_renamed_into_place_is_whole(written: Written) -> None:
    written.put_by_rename(configs("a"), 10.0)
    assert written.may_lose(10.0 + GONE_AFTER_SECONDS)
    written.put_by_rename("", 20.0)
    assert not written.may_lose(20.0 + GONE_AFTER_SECONDS)


def test_at_the_start_only_a_file_written_just_now_is_waited_for(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.put(configs("a"), 0.0)
    assert written.may_lose(GONE_AFTER_SECONDS)
    fresh = Written(tmp_path)
    fresh.path.write_text(configs("a"))
    fresh.sources.refresh(0.0)
    assert not fresh.may_lose(GONE_AFTER_SECONDS)
    assert fresh.may_lose(SHRUNK_AFTER_SECONDS)


def test_what_a_folder_put_in_the_place_of_another_lacks_is_still_on_its_way(tmp_path: Path) -> None:
    root = tmp_path / "manifests"
    root.mkdir()
    sources = Sources(Folder(root))
    for name in ("a.yaml", "b.yaml"):
        (root / name).write_text(configs(name[0]))
    sources.refresh(0.0)
    (root / "b.yaml").unlink()
    sources.refresh(0.1)
    root.rename(tmp_path / "old")
    root.mkdir()
    assert sources.refresh(1.0)
    assert sources.gone == {"a.yaml": 1.0 + RETURN_SECONDS, "b.yaml": 1.0 + RETURN_SECONDS}
    assert sources.next_deadline(1.0) == 1.0 + RETURN_SECONDS + GONE_AFTER_SECONDS
    (root / "a.yaml").write_text(configs("a"))
    sources.refresh(2.0)
    assert set(sources.gone) == {"b.yaml"}


@pytest.mark.usefixtures("leases")
async def test_a_slow_writer_takes_nothing_away(synced: SyncedFolder) -> None:
    synced.write("a.yaml", configs("a", "b"))
    await synced.until_state("a.yaml", "Synced")
    before = await synced.get(CONFIG_MAPS, "b")
    with (synced.root / "a.yaml").open("w") as writer:
        writer.write(configs("a"))
        writer.flush()
        status = await synced.until_state("a.yaml", "Pending")
        assert status["message"] == "the file is being written"
        writer.write(configs("b"))
    await synced.until_state("a.yaml", "Synced")
    assert await synced.get(CONFIG_MAPS, "b") == before


async def test_a_file_that_stays_empty_loses_its_objects_after_saying_so(synced: SyncedFolder) -> None:
    synced.write("a.yaml", configs("a", "b"))
    await synced.until_state("a.yaml", "Synced")
    synced.write("a.yaml", "\n")
    status = await synced.until_state("a.yaml", "Pending")
    assert status["message"] == "2 of its objects are not in the file; they are removed if it stays so"
    assert await synced.get(CONFIG_MAPS, "b") is not None
    synced.clock.skip(SHRUNK_AFTER_SECONDS)
    await synced.until_gone(CONFIG_MAPS, "a")
    await synced.until_gone(CONFIG_MAPS, "b")
    status = await synced.until_state("a.yaml", "Synced")
    assert status["message"] == "0 objects applied"
