"""What must never happen to a cluster behind a folder: objects orphaned, pruned by mistake, or rewritten for nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from synced_folder import SETTLED_SECONDS, SyncedFolder

from ktui.client.base import Client
from ktui.engine.manifests import folder as folder_module
from ktui.engine.manifests.record import APPROVE_PRUNE_ANNOTATION, FOLDER_RECORD, PAUSED_ANNOTATION
from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, MANIFEST_FILES, NAMESPACES
from ktui.kube.resource import Object

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n"
EMPTY_CONFIG = {"apiVersion": "v1", "kind": "ConfigMap"}


def config(name: str, value: str = "1") -> str:
    return CONFIG.format(name=name, value=value)


async def until_record_gone(synced: SyncedFolder, path: str) -> None:
    async def gone() -> bool:
        return not await synced.record(path)

    await synced.until(gone)


async def test_the_last_file_deleted_while_ktui_was_off_is_pruned_too(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    await synced.stop()
    (synced.root / "a.yaml").unlink()
    synced.start()
    await synced.until_gone(CONFIG_MAPS, "a")
    await until_record_gone(synced, "a.yaml")


async def test_a_crash_between_applying_and_recording_orphans_nothing(
    synced: SyncedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ktui.engine.manifests.syncer import Syncer

    async def dies(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(Syncer, "_prune", dies)
        synced.write("a.yaml", config("a"))

        async def there() -> Object | None:
            return await synced.get(CONFIG_MAPS, "a")

        await synced.until(there, CONFIG_MAPS)
        await synced.stop()
    (synced.root / "a.yaml").unlink()
    synced.start()
    await synced.until_gone(CONFIG_MAPS, "a")


async def test_what_was_announced_but_never_applied_is_not_pruned(synced: SyncedFolder) -> None:
    await synced.stop()
    await synced.client.create(CONFIG_MAPS, {"metadata": {"name": "theirs"}}, "default")
    synced.write("b.yaml", config("b"))
    synced.start()
    await synced.until_state("b.yaml", "Synced")
    await synced.stop()
    name = (await synced.record("b.yaml"))["metadata"]["name"]
    announced = {**EMPTY_CONFIG, "namespace": "default", "name": "theirs", "uid": "", "digest": ""}
    await synced.client.patch(MANIFEST_FILES, name, {"status": {"objects": [announced]}})
    (synced.root / "b.yaml").unlink()
    synced.start()
    await until_record_gone(synced, "b.yaml")
    assert await synced.get(CONFIG_MAPS, "theirs")


async def test_a_new_name_the_api_refuses_does_not_prune_the_old_object(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    synced.write("a.yaml", config("Not_A_Name"))
    await synced.until_state("a.yaml", "Invalid")
    await synced.settle()
    assert await synced.get(CONFIG_MAPS, "a")
    status = (await synced.record("a.yaml"))["status"]
    assert [item["name"] for item in status["objects"]] == ["a"]


async def test_a_renamed_object_replaces_the_old_one(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    synced.write("a.yaml", config("b"))
    await synced.until_gone(CONFIG_MAPS, "a")
    assert await synced.get(CONFIG_MAPS, "b")


async def test_documents_that_swap_files_are_not_made_anew(synced: SyncedFolder) -> None:
    synced.write("one.yaml", config("a"))
    synced.write("two.yaml", config("b"))
    await synced.until_state("one.yaml", "Synced")
    await synced.until_state("two.yaml", "Synced")
    before = [await synced.get(CONFIG_MAPS, name) for name in ("a", "b")]
    synced.write("one.yaml", config("b"))
    synced.write("two.yaml", config("a"))

    async def swapped() -> bool:
        records = [await synced.record(path) for path in ("one.yaml", "two.yaml")]
        return [[item["name"] for item in record["status"]["objects"]] for record in records] == [
            ["b"],
            ["a"],
        ]

    await synced.until(swapped)
    await synced.settle()
    after = [await synced.get(CONFIG_MAPS, name) for name in ("a", "b")]
    assert [obj and obj["metadata"]["uid"] for obj in after] == [
        obj and obj["metadata"]["uid"] for obj in before
    ]


class TestUnreadable:
    """Folders that are there but can't be looked into; simulated, as root may look anywhere."""

    @pytest.fixture
    def locked(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
        names: set[str] = set()
        scandir = os.scandir

        def refuse(path: str | Path) -> object:
            if Path(path).name in names:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(folder_module.os, "scandir", refuse)
        yield names

    async def test_a_directory_without_permission_prunes_nothing(
        self, synced: SyncedFolder, locked: set[str]
    ) -> None:
        synced.write("sub/a.yaml", config("a"))
        await synced.until_state("sub/a.yaml", "Synced")
        locked.add("sub")
        synced.write("b.yaml", config("b"))
        status = await synced.until_state("sub/a.yaml", "Invalid")
        assert "can't be read" in status["message"]
        await synced.settle()
        assert await synced.get(CONFIG_MAPS, "a")
        locked.clear()
        synced.write("b.yaml", config("b", "2"))
        await synced.until_state("sub/a.yaml", "Synced")

    async def test_not_after_a_restart_either(self, synced: SyncedFolder, locked: set[str]) -> None:
        synced.write("sub/a.yaml", config("a"))
        await synced.until_state("sub/a.yaml", "Synced")
        await synced.stop()
        locked.add("sub")
        synced.start()
        await synced.settle()
        assert await synced.get(CONFIG_MAPS, "a")

    async def test_a_file_is_read_once_its_permissions_allow_it(
        self, synced: SyncedFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = folder_module.Folder.read

        def refuse(self: folder_module.Folder, path: str) -> bytes:
            if not (self.root / path).stat().st_mode & 0o400:
                raise PermissionError(13, "Permission denied", path)
            return read(self, path)

        monkeypatch.setattr(folder_module.Folder, "read", refuse)
        synced.write("a.yaml", config("a"))
        (synced.root / "a.yaml").chmod(0o000)
        status = await synced.until_state("a.yaml", "Invalid")
        assert status["message"] == "a.yaml:1:1: can't be read: Permission denied"
        (synced.root / "a.yaml").chmod(0o644)
        await synced.until_state("a.yaml", "Synced")


async def test_a_folder_replaced_by_another_is_watched_on(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    shutil.rmtree(synced.root)
    synced.root.mkdir()
    synced.write("b.yaml", config("b"))
    await synced.until_state("b.yaml", "Synced")
    synced.write("c.yaml", config("c"))
    await synced.until_state("c.yaml", "Synced")


async def test_a_volume_of_links_that_is_swapped_is_followed(synced: SyncedFolder) -> None:
    for version in ("1", "2"):
        data = synced.root / f"..v{version}"
        data.mkdir()
        (data / "a.yaml").write_text(config("a", version))
    (synced.root / "..data").symlink_to("..v1")
    (synced.root / "a.yaml").symlink_to("..data/a.yaml")
    await synced.until_state("a.yaml", "Synced")
    (synced.root / "..new").symlink_to("..v2")
    (synced.root / "..new").rename(synced.root / "..data")

    async def follows() -> bool:
        obj = await synced.get(CONFIG_MAPS, "a")
        return obj is not None and obj["data"]["key"] == "2"

    await synced.until(follows, CONFIG_MAPS)


async def test_a_restart_rewrites_nothing(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    await synced.settle()
    await synced.stop()
    before = [await synced.get(CONFIG_MAPS, "a"), await synced.record("a.yaml"), await synced.folder()]
    synced.start()
    synced.write("b.yaml", config("b"))
    await synced.until_state("b.yaml", "Synced")
    after = [await synced.get(CONFIG_MAPS, "a"), await synced.record("a.yaml"), await synced.folder()]
    assert after == before


async def test_what_kubectl_exported_can_be_dropped_in(synced: SyncedFolder) -> None:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  uid: 1b4e28ba-2fa1-11d2-883f-0016d3cca427\n"
        "  resourceVersion: '77'\n  generation: 3\n  creationTimestamp: '2026-01-01T00:00:00Z'\n"
        "  managedFields: [{manager: x, operation: Update, apiVersion: apps/v1}]\n"
        "spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n"
        "    spec: {containers: [{name: web, image: 'web:1'}]}\nstatus: {replicas: 7}\n"
    )
    synced.write("web.yaml", text)
    await synced.until_state("web.yaml", "Synced")
    deployment = await synced.get(DEPLOYMENTS, "web")
    assert deployment is not None
    assert not (deployment.get("status") or {}).get("replicas")


@pytest.mark.parametrize(
    "junk",
    [
        "kind: [ConfigMap]\napiVersion: v1\nmetadata: {name: junk}\n",
        "kind: ConfigMap\napiVersion: {v: 1}\nmetadata: {name: junk}\n",
        "kind: ConfigMap\napiVersion: v1\nmetadata: [name]\n",
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: ../../etc}\n",
        f"kind: ConfigMap\napiVersion: v1\nmetadata: {{name: {'x' * 5000}}}\n",
        f"kind: Deployment\napiVersion: apps/v1\nmetadata: {{name: junk}}\nspec: {{replicas: {'9' * 5000}}}\n",
        "kind: Pod\napiVersion: v1\nmetadata: {name: junk}\nspec: []\n",
        "kind: ConfigMap\napiVersion: v1\nmetadata: {generateName: junk-}\n",
        "kind: ManifestFile\napiVersion: ktui.dev/v1alpha1\nmetadata: {name: junk}\nspec: 7\n",
    ],
)
async def test_junk_is_an_error_of_its_file_only(synced: SyncedFolder, junk: str) -> None:
    synced.write("junk.yaml", junk)
    synced.write("good.yaml", config("good"))
    await synced.until_state("good.yaml", "Synced")
    status = await synced.until_state("junk.yaml", "Invalid")
    assert status["message"].startswith("junk.yaml:")


async def test_a_file_deleted_while_paused_is_pruned_when_it_goes_on(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    await synced.annotate(FOLDER_RECORD, PAUSED_ANNOTATION, "true")

    async def paused() -> bool:
        return (await synced.folder())["status"]["state"] == "Paused"

    await synced.until(paused)
    (synced.root / "a.yaml").unlink()
    await synced.until_state("a.yaml", "Deleted")
    synced.clock.skip(SETTLED_SECONDS)
    synced.write("b.yaml", config("b"))
    await synced.until_state("b.yaml", "Paused")
    assert await synced.get(CONFIG_MAPS, "a")
    await synced.annotate(FOLDER_RECORD, PAUSED_ANNOTATION, "false")
    await synced.until_gone(CONFIG_MAPS, "a")


async def test_what_may_not_be_deleted_is_let_go(synced: SyncedFolder) -> None:
    synced.write("ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n")
    await synced.until_state("ns.yaml", "Synced")
    (synced.root / "ns.yaml").unlink()
    await until_record_gone(synced, "ns.yaml")
    assert await synced.get(NAMESPACES, "default")


async def test_a_yes_is_for_one_deletion(client: Client, tmp_path: Path) -> None:
    synced = SyncedFolder(client, tmp_path, prune_limit=0)
    synced.start()
    try:
        for yes in (True, False):
            synced.write("a.yaml", config("a"))
            await synced.until_state("a.yaml", "Synced")
            (tmp_path / "a.yaml").unlink()

            async def waits() -> Object | None:
                status = (await synced.folder()).get("status") or {}
                return status if status.get("state") == "AwaitingPrune" else None

            status = await synced.until(waits)
            if yes:
                await synced.annotate(FOLDER_RECORD, APPROVE_PRUNE_ANNOTATION, status["prune"]["token"])
                await synced.until_gone(CONFIG_MAPS, "a")
                await until_record_gone(synced, "a.yaml")
        assert await synced.get(CONFIG_MAPS, "a")
    finally:
        await synced.stop()


async def test_a_writer_that_never_gives_up_is_not_fought_flat_out(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    reverted = 0
    for round_ in range(12):
        await synced.client.patch(CONFIG_MAPS, "a", {"data": {"key": f"theirs-{round_}"}}, "default")
        await asyncio.sleep(0.05)
        obj = await synced.get(CONFIG_MAPS, "a")
        reverted += obj is not None and obj["data"]["key"] == "1"
    assert 1 <= reverted <= 4


async def test_no_record_tells_a_secrets_value(synced: SyncedFolder) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
    for index, data in enumerate(
        ("data: {password: hunter2!}", "stringData: {password: [hunter2!]}", "stringData: {password: 22222222}",
         "data: 'hunter2!'", "type: 7\nstringData: {p: hunter2!}"),
    ):  # fmt: skip
        synced.write(f"{index}.yaml", secret.replace("name: s", f"name: s{index}") + data + "\n")
        record = await synced.until_state(f"{index}.yaml", "Invalid")
        assert "hunter2" not in str(record), data
        assert "22222222" not in str(record), data
