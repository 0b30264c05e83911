"""Secrets at rest: never readable in the data folder, never lost; keys come from a file and can be changed."""

from __future__ import annotations

import asyncio
import base64
import stat
from pathlib import Path

import pytest

from ktui.commands.serve import explain
from ktui.commands.session import UserError
from ktui.engine.api.secrets_at_rest import KeyFile, KeyFileError, SecretSeal
from ktui.engine.engine import Engine, EngineOptions
from ktui.engine.store import Key, StoreError, open_store, repair
from ktui.engine.store.sealing import MARK, SealError
from ktui.kube.kinds import CONFIG_MAPS, SECRETS

SECRET = base64.b64encode(b"the plain text of the secret").decode()
KEY = Key("secrets", "default", "db")


def obj(value=SECRET, kind="Secret"):
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "db", "namespace": "default"},
        "data": {"password": value},
    }


def line(name: str, byte: int = 1) -> str:
    return f"{name}:{base64.b64encode(bytes([byte]) * 32).decode()}\n"


def keys(path: Path, *lines: str) -> Path:
    path.touch(mode=0o600)
    path.write_text("".join(lines))
    return path


def opened(folder: Path, path: Path | None):
    return open_store(folder, seal=SecretSeal(KeyFile.load(path)) if path else None)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def write(folder: Path, path: Path | None, value=SECRET):
    store = opened(folder, path)
    await store.write(KEY, obj(value))
    await store.close()


async def read(folder: Path, path: Path | None) -> str | None:
    store = opened(folder, path)
    entry = store.get(KEY)
    await store.close()
    return entry.data.decode() if entry else None


async def test_no_file_of_the_store_ever_holds_the_plain_text(tmp_path: Path):
    folder, path = tmp_path / "store", keys(tmp_path / "keys", line("a"))
    store = opened(folder, path)
    for value in (SECRET, base64.b64encode(b"its second plain text").decode()):
        await store.write(KEY, obj(value))
        assert value.encode() not in on_disk(folder)
    await store.delete(KEY)
    await store.write(KEY, obj())
    await store.compact()
    await store.write(Key("configmaps", "default", "db"), obj("in the clear", "ConfigMap"))
    for value in (SECRET, "aXRzIHNlY29uZCBwbGFpbiB0ZXh0"):
        assert value.encode() not in on_disk(folder)
    assert b"in the clear" in on_disk(folder)
    assert [change.type for change in store.history(KEY)] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    await store.close()
    assert SECRET in (await read(folder, path) or "")


async def test_every_record_is_sealed_differently(tmp_path: Path):
    seal = SecretSeal(KeyFile.load(keys(tmp_path / "keys", line("a"))))
    one, other = seal.seal(KEY, 7, b"{}"), seal.seal(KEY, 7, b"{}")
    assert one != other
    assert one.startswith(MARK + b"aesgcm:a:")
    assert b"\n" not in one
    assert seal.open(KEY, 7, one) == seal.open(KEY, 7, other) == b"{}"


@pytest.mark.parametrize(
    ("key", "revision"), [(Key("secrets", "default", "x"), 7), (Key("secrets", "x", "db"), 7), (KEY, 8)]
)
async def test_a_record_is_good_for_its_object_and_revision_only(tmp_path: Path, key: Key, revision: int):
    seal = SecretSeal(KeyFile.load(keys(tmp_path / "keys", line("a"))))
    with pytest.raises(SealError, match="tampered with"):
        seal.open(key, revision, seal.seal(KEY, 7, b"{}"))


async def test_what_was_plain_before_is_written_anew(tmp_path: Path):
    folder, path = tmp_path / "store", keys(tmp_path / "keys", line("a"))
    await write(folder, None)
    assert SECRET.encode() in on_disk(folder)
    store = opened(folder, path)
    assert store.is_stale
    await store.compact()
    assert not store.is_stale
    assert SECRET.encode() not in on_disk(folder)
    await store.close()
    assert SECRET in (await read(folder, path) or "")


async def test_a_new_key_goes_first_and_the_old_one_can_go_then(tmp_path: Path):
    folder, path = tmp_path / "store", keys(tmp_path / "keys", line("a", 1))
    await write(folder, path)
    store = opened(folder, keys(path, line("b", 2), line("a", 1)))
    assert store.is_stale
    await store.compact()
    await store.close()
    assert SECRET in (await read(folder, keys(path, line("b", 2))) or "")


async def test_plain_in_the_first_place_decrypts_everything(tmp_path: Path):
    folder, path = tmp_path / "store", keys(tmp_path / "keys", line("a"))
    await write(folder, path)
    store = opened(folder, keys(path, "plain\n", line("a")))
    await store.compact()
    await store.close()
    assert SECRET in (await read(folder, None) or "")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "secrets/default/db is encrypted; start with --encrypt-secrets and the file that has its key"),
        (line("b"), 'encrypted with the key "a", which is not in .*; put that key back'),
        (line("a", 2), """can't be decrypted with the key "a" of .*: it is another key"""),
    ],
)
async def test_without_the_right_key_nothing_starts_and_nothing_is_lost(tmp_path: Path, content, error):
    folder, path = tmp_path / "store", keys(tmp_path / "keys", line("a"))
    await write(folder, path)
    before = {each: each.read_bytes() for each in folder.iterdir() if each.suffix == ".log"}
    with pytest.raises(StoreError, match=error) as caught:
        opened(folder, keys(path, content) if content else None)
    assert str(folder) in str(caught.value)
    assert {each: each.read_bytes() for each in folder.iterdir() if each.suffix == ".log"} == before
    assert SECRET in (await read(folder, keys(path, line("a"))) or "")


async def test_repair_needs_no_key_and_keeps_what_is_sealed(tmp_path: Path):
    folder, path = tmp_path / "store", keys(tmp_path / "keys", line("a"))
    store = opened(folder, path)
    await store.write(KEY, obj())
    await store.write(Key("configmaps", "default", "db"), obj("x", "ConfigMap"))
    await store.write(Key("configmaps", "default", "db2"), obj("x", "ConfigMap"))
    await store.close()
    journal = next(folder.glob("journal-*.log"))
    data = journal.read_bytes()
    at = data.index(b"ConfigMap")
    journal.write_bytes(data[:at] + b"XXXX" + data[at + 4 :])
    assert repair(folder).damage is not None
    assert SECRET in (await read(folder, path) or "")
    assert SECRET.encode() not in on_disk(folder)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "there is no key in it"),
        ("a:tooshort\n", "line 1 is no key"),
        ("# about\n\nwhat is this\n", "line 3 is no key"),
        (line("a") + line("a", 2), 'two keys are called "a"'),
    ],
)
def test_a_file_that_holds_no_keys_says_where(tmp_path: Path, text: str, error: str):
    with pytest.raises(KeyFileError, match=error):
        KeyFile.load(keys(tmp_path / "keys", text))


def test_a_file_that_others_could_read_is_refused(tmp_path: Path):
    path = keys(tmp_path / "keys", line("a"))
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        KeyFile.load(path)


def engine(data_dir: Path, path: Path | None) -> Engine:
    options = EngineOptions(
        data_dir=data_dir, socket=data_dir / "ktui.sock", runtime="sim", encrypt_secrets=path
    )
    return Engine(options)


async def test_an_engine_makes_the_file_encrypts_what_there_is_and_needs_it_from_then_on(tmp_path: Path):
    async with asyncio.timeout(60):
        data_dir, path = tmp_path / "data", tmp_path / "elsewhere" / "keys"
        first = engine(data_dir, None)
        await first.start()
        await first.client.create(SECRETS, obj())
        await first.stop()
        assert SECRET.encode() in on_disk(data_dir)

        second = engine(data_dir, path)
        await second.start()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert SECRET.encode() not in on_disk(data_dir)
        await second.client.create(CONFIG_MAPS, obj("x", "ConfigMap"))
        assert (await second.client.get(SECRETS, "db", "default"))["data"]["password"] == SECRET
        await second.stop()
        assert SECRET.encode() not in on_disk(data_dir)

        third = engine(data_dir, None)
        with pytest.raises(SealError, match="--encrypt-secrets") as caught:
            await third.start()
        assert isinstance(explain(caught.value), UserError)
        with pytest.raises(SealError, match="is not in"):
            await engine(data_dir, tmp_path / "mistyped").start()
        assert not (tmp_path / "mistyped").exists()

        last = engine(data_dir, path)
        await last.start()
        assert (await last.client.get(SECRETS, "db", "default"))["data"]["password"] == SECRET
        await last.stop()
