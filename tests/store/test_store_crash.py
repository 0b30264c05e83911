"""What a store makes of its files: torn tails, damage, leftovers, a killed process, a second process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from broken_disk import crash

from ktui.engine.store import (
    CorruptStoreError,
    HistoryLimits,
    Key,
    LockedError,
    StoreError,
    open_store,
    repair,
)


def obj(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


def key(name: str) -> Key:
    return Key("pods", "default", name)


async def fill(folder: Path, count: int = 5) -> Path:
    """A cleanly closed store with `count` pods, one commit each; its journal."""
    store = open_store(folder)
    for n in range(count):
        await store.write(key(f"p{n}"), obj(f"p{n}"))
    await store.close()
    return next(folder.glob("journal-*"))


async def names(folder: Path) -> list[str]:
    """What the folder's store holds after a start."""
    store = open_store(folder)
    listed = [entry.key.name for entry in store.list("pods").entries]
    await store.close()
    return listed


def without_end_mark(journal: Path) -> list[bytes]:
    return journal.read_bytes().splitlines(keepends=True)[:-1]


@pytest.mark.parametrize("room", [b"", b"\0" * 5000], ids=["cut", "preallocated"])
async def test_a_record_torn_at_any_byte_is_cut_off_with_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture, room: bytes
):
    journal = await fill(folder)
    *good, last = without_end_mark(journal)
    for length in range(len(last)):
        caplog.clear()
        journal.write_bytes(b"".join(good) + last[:length] + room)
        store = open_store(folder)
        assert store.revision == 5 and len(store.list("pods").entries) == 4
        assert ("torn" in caplog.text) == (length > 0)
        if length % 20 == 0:
            await store.write(key("next"), obj("next"))
            copy = crash(folder, folder.with_name(f"copy{length}"))
            assert await names(copy) == ["next", "p0", "p1", "p2", "p3"]
        await store.close()


async def test_a_batch_of_which_the_disk_kept_only_a_later_part_is_torn(folder: Path, tmp_path: Path):
    store = open_store(folder)
    await store.write(key("first"), obj("first"))
    await asyncio.gather(*(store.write(key(f"p{n}"), obj(f"p{n}")) for n in range(5)))
    copy = crash(folder, tmp_path / "copy")
    await store.close()
    journal = next(copy.glob("journal-*"))
    data = bytearray(journal.read_bytes())
    start = data.index(b"\tp1\t")
    data[start : start + 40] = b"\0" * 40
    journal.write_bytes(data)
    assert await names(copy) == ["first", "p0"]


@pytest.mark.parametrize("line", [1, 2, 4, 5])
async def test_damage_in_the_middle_refuses_to_start_and_says_where(folder: Path, line: int):
    journal = await fill(folder)
    lines = journal.read_bytes().splitlines(keepends=True)
    offset = sum(len(text) for text in lines[:line])
    lines[line] = lines[line].replace(b"default", b"dEfault")
    journal.write_bytes(b"".join(lines))
    with pytest.raises(CorruptStoreError) as corrupt:
        open_store(folder)
    assert (corrupt.value.path, corrupt.value.line, corrupt.value.offset) == (journal, line + 1, offset)
    assert f"{journal}: line {line + 1} (byte {offset})" in str(corrupt.value)
    assert "ktui store repair" in str(corrupt.value)
    with pytest.raises(CorruptStoreError):
        open_store(folder)


async def test_a_torn_end_mark_in_a_journal_that_another_continues_is_no_damage(folder: Path):
    journal = await fill(folder)
    store = open_store(folder)
    before = journal.read_bytes()
    await store.compact()
    await store.write(key("later"), obj("later"))
    await store.close()
    next(folder.glob("snapshot-*")).unlink()
    journal.write_bytes(before[:-5])
    assert await names(folder) == ["later", "p0", "p1", "p2", "p3", "p4"]
    lines = without_end_mark(journal)
    journal.write_bytes(b"".join(lines)[:-5])
    with pytest.raises(CorruptStoreError):
        open_store(folder)


async def test_a_missing_line_and_a_missing_file_are_damage(folder: Path):
    journal = await fill(folder)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(CorruptStoreError, match="revision 4 follows revision 2"):
        open_store(folder)
    journal.write_bytes(b"".join(lines))
    store = open_store(folder)
    await store.compact()
    await store.close()
    next(folder.glob("snapshot-*")).unlink()
    with pytest.raises(CorruptStoreError, match="starts at revision 7"):
        open_store(folder)


async def test_repair_goes_back_to_the_last_good_state_and_keeps_the_files(folder: Path):
    journal = await fill(folder)
    damaged = journal.read_bytes().replace(b"\tp3\t", b"\tpX\t")
    journal.write_bytes(damaged)
    told = repair(folder, dry_run=True)
    assert journal.read_bytes() == damaged
    done = repair(folder)
    assert (told.revision, told.objects, told.lost_changes, told.unreadable) == (4, 3, 1, 1)
    assert done.objects == told.objects and done.damage and done.damage.line == 5
    assert done.aside and (done.aside / journal.name).read_bytes() == damaged
    store = open_store(folder)
    assert [entry.key.name for entry in store.list("pods").entries] == ["p0", "p1", "p2"]
    assert store.revision > 6 and store.oldest_revision == store.revision
    await store.write(key("new"), obj("new"))
    await store.close()
    assert repair(folder).damage is None
    assert await names(folder) == ["new", "p0", "p1", "p2"]


async def test_repair_of_a_snapshot_loses_only_what_cannot_be_read(folder: Path):
    await fill(folder)
    store = open_store(folder)
    await store.compact()
    await store.write(key("later"), obj("later"))
    await store.close()
    snapshot = next(folder.glob("snapshot-*"))
    snapshot.write_bytes(snapshot.read_bytes().replace(b"\tp3\t", b"\tpX\t"))
    with pytest.raises(CorruptStoreError):
        open_store(folder)
    done = repair(folder)
    assert (done.objects, done.unreadable, done.lost_changes) == (5, 1, 0)
    assert await names(folder) == ["later", "p0", "p1", "p2", "p4"]


async def test_repair_needs_a_store_that_nobody_has_open(folder: Path):
    with pytest.raises(StoreError, match="no store"):
        repair(folder)
    store = open_store(folder)
    with pytest.raises(LockedError):
        repair(folder)
    await store.close()


async def test_names_with_odd_characters_survive(folder: Path):
    store = open_store(folder)
    odd = Key("roles", "a\tb", "system:x y%25\nü\r")
    entry = await store.write(odd, {"metadata": {"name": odd.name}, "text": "line\nline\0\r"})
    await store.close()
    store = open_store(folder)
    assert store.get(odd) == entry
    await store.close()


async def test_compaction_keeps_state_and_history_and_drops_old_files(folder: Path):
    store = open_store(folder, limits=HistoryLimits(changes=10))
    for n in range(30):
        await store.write(key(f"p{n % 7}"), obj("p", n=n))
    await store.delete(key("p1"))
    await store.compact()
    await store.compact()
    for n in range(3):
        await store.write(key(f"q{n}"), obj("q"))
    live, past = store.list("pods"), store.list("pods", revision=store.oldest_revision)
    history = store.history(key("p2"))
    await store.close()
    assert len(list(folder.glob("*.log"))) == 2 and not list(folder.glob("*.tmp"))
    store = open_store(folder, limits=HistoryLimits(changes=10))
    assert store.list("pods") == live and store.list("pods", revision=past.revision) == past
    assert store.history(key("p2")) == history
    await store.close()


async def test_compaction_comes_by_itself_while_writers_go_on(folder: Path):
    store = open_store(folder, limits=HistoryLimits(changes=50), compact_at=20_000)

    async def writer(who: int) -> None:
        for n in range(150):
            await store.write(key(f"p{who}-{n % 5}"), obj("p", n=n))

    await asyncio.gather(*(writer(who) for who in range(8)))
    assert list(folder.glob("snapshot-*"))
    live = store.list("pods")
    await store.close()
    store = open_store(folder)
    assert store.list("pods") == live
    await store.close()


async def test_compaction_on_demand_does_not_wait_for_writers_to_rest(folder: Path):
    store = open_store(folder)

    async def writer(name: str) -> None:
        while not done:
            await store.write(key(name), obj(name))

    done = False
    writers = [asyncio.ensure_future(writer(f"p{n}")) for n in range(5)]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await asyncio.gather(store.compact(), store.compact())
    done = True
    await asyncio.gather(*writers)
    assert list(folder.glob("snapshot-*"))
    live = store.list("pods")
    await store.close()
    store = open_store(folder)
    assert store.list("pods") == live
    await store.close()


async def test_files_that_a_crash_left_behind_are_cleared_away(folder: Path):
    journal = await fill(folder)
    old = journal.read_bytes()
    store = open_store(folder)
    await store.compact()
    await store.write(key("later"), obj("later"))
    await store.close()
    journal.write_bytes(old)
    (folder / "snapshot-00000000000000000003.log").write_bytes(b"an older one")
    (folder / "snapshot-00000000000000000099.tmp").write_bytes(b"never finished")
    assert await names(folder) == ["later", "p0", "p1", "p2", "p3", "p4"]
    assert len(list(folder.iterdir())) == 3


async def test_a_second_process_is_kept_out_and_told_who_is_in(folder: Path):
    store = open_store(folder)
    script = (
        "import sys, pathlib\nfrom ktui.engine.store import open_store, LockedError\n"
        "try: open_store(pathlib.Path(sys.argv[1]))\nexcept LockedError as error: print(error.pid)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(folder), stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert int(output) == os.getpid()
    await store.close()
    await open_store(folder).close()


WRITER = """
import asyncio, os, pathlib, sys
from ktui.engine.store import Key, open_store

async def main():
    store = open_store(pathlib.Path(sys.argv[1]), compact_at=50_000)
    async def writer(who):
        key = Key("pods", "default", f"p{who}")
        current = store.get(key)
        n = 0
        while True:
            n += 1
            if n % 7 == 0 and current:
                current = await store.delete(key, expected=current.revision)
                os.write(1, b"%d %d -\\n" % (who, current.revision))
                current = None
            else:
                obj = {"metadata": {"name": key.name}, "spec": {"n": "x" * (n % 300)}}
                current = await store.write(key, obj, expected=current.revision if current else 0)
                os.write(1, b"%d %d +\\n" % (who, current.revision))
    await asyncio.gather(*(writer(who) for who in range(20)))

asyncio.run(main())
"""


async def test_a_killed_process_loses_no_acknowledged_write(folder: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.ERROR)
    for round_ in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(folder), stdout=subprocess.PIPE
        )
        assert process.stdout
        lines = [await process.stdout.readline() for _ in range(400 + 300 * round_)]
        process.send_signal(signal.SIGKILL)
        lines += (await process.stdout.read()).splitlines(keepends=True)
        await process.wait()

        store = open_store(folder)
        durable = {change.revision: change for n in range(20) for change in store.history(key(f"p{n}"))}
        last: dict[Key, int] = {}
        for line in lines:
            if line.endswith(b"\n"):
                who, revision, sign = line.split()
                change = durable[int(revision)]
                assert change.key == key(f"p{int(who)}") and (change.type == "DELETED") == (sign == b"-")
                last[change.key] = change.revision
        for written, revision in last.items():
            # One write more may have become durable before its writer could say so.
            assert sum(change.revision > revision for change in store.history(written)) <= 1
        await store.close()
