"""The watched folder: what is dropped in is applied, what is edited follows, what is deleted is pruned."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from synced_folder import SETTLED_SECONDS, SyncedFolder

from ktui.client.base import Client
from ktui.engine.manifests.record import (
    APPROVE_PRUNE_ANNOTATION,
    FOLDER_RECORD,
    PAUSED_ANNOTATION,
    REAPPLY_ANNOTATION,
    record_name,
)
from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS
from ktui.kube.resource import Object


def config(name: str, value: str = "1", namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{where}}}\ndata: {{key: '{value}'}}\n"


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "web:1"}
"""
AUTOSCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 9
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: solo}
spec:
  containers:
  - {name: main, image: "main:1", command: [sleep, "1"]}
"""


async def test_a_file_dropped_in_is_applied(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a") + "---\n" + config("b"))
    status = await synced.until_state("a.yaml", "Synced")
    assert [item["name"] for item in status["objects"]] == ["a", "b"]
    obj = await synced.get(CONFIG_MAPS, "a")
    assert obj is not None
    assert obj["data"] == {"key": "1"}
    managers = [entry["manager"] for entry in obj["metadata"]["managedFields"]]
    assert managers == ["ktui"]


async def test_an_edit_is_followed(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    synced.write("a.yaml", config("a", "2"))

    async def follows() -> bool:
        obj = await synced.get(CONFIG_MAPS, "a")
        return obj is not None and obj["data"]["key"] == "2"

    await synced.until(follows, CONFIG_MAPS)


async def test_json_and_lists_are_read_too(synced: SyncedFolder) -> None:
    item = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"j"}}'
    synced.write("a.json", '{"apiVersion":"v1","kind":"List","items":[' + item + "]}")
    await synced.until_state("a.json", "Synced")
    assert await synced.get(CONFIG_MAPS, "j")


async def test_a_deleted_file_prunes_only_what_it_brought(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    synced.write("b.yaml", config("b"))
    await synced.until_state("a.yaml", "Synced")
    await synced.until_state("b.yaml", "Synced")
    await synced.client.create(CONFIG_MAPS, {"metadata": {"name": "mine"}}, "default")
    (synced.root / "a.yaml").unlink()
    await synced.until_gone(CONFIG_MAPS, "a")
    assert await synced.get(CONFIG_MAPS, "b")
    assert await synced.get(CONFIG_MAPS, "mine")

    async def forgotten() -> bool:
        return not await synced.record("a.yaml")

    await synced.until(forgotten)


async def test_a_document_taken_out_of_a_file_is_pruned(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a") + "---\n" + config("b"))
    await synced.until_state("a.yaml", "Synced")
    synced.write("a.yaml", config("b"))
    await synced.until_state("a.yaml", "Pending")
    synced.clock.skip(SETTLED_SECONDS)
    await synced.until_gone(CONFIG_MAPS, "a")
    assert await synced.get(CONFIG_MAPS, "b")


async def test_files_deleted_while_ktui_was_off_are_pruned_at_the_next_start(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    synced.write("b.yaml", config("b"))
    await synced.until_state("a.yaml", "Synced")
    await synced.until_state("b.yaml", "Synced")
    await synced.stop()
    (synced.root / "a.yaml").unlink()
    synced.start()
    await synced.until_gone(CONFIG_MAPS, "a")
    assert await synced.get(CONFIG_MAPS, "b")


async def test_a_renamed_file_keeps_its_objects(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    before = await synced.get(CONFIG_MAPS, "a")
    (synced.root / "a.yaml").rename(synced.root / "renamed.yaml")
    await synced.until_state("renamed.yaml", "Synced")

    async def forgotten() -> bool:
        return not await synced.record("a.yaml")

    await synced.until(forgotten)
    after = await synced.get(CONFIG_MAPS, "a")
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_an_editors_atomic_save_never_prunes(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    before = await synced.get(CONFIG_MAPS, "a")
    (synced.root / "a.yaml").rename(synced.root / "a.yaml~")
    synced.write("a.yaml", config("a", "2"))

    async def follows() -> Object | None:
        obj = await synced.get(CONFIG_MAPS, "a")
        return obj if obj and obj["data"]["key"] == "2" else None

    after = await synced.until(follows, CONFIG_MAPS)
    assert before is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_broken_file_says_where_and_leaves_the_rest_alone(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    synced.write("a.yaml", config("a") + "more: [\n")
    synced.write("b.yaml", config("b"))
    status = await synced.until_state("a.yaml", "Invalid")
    assert status["message"].startswith("a.yaml:6:1: ")
    await synced.until_state("b.yaml", "Synced")
    assert await synced.get(CONFIG_MAPS, "a")


async def test_unknown_fields_are_told_at_their_line_with_a_suggestion(synced: SyncedFolder) -> None:
    synced.write("web.yaml", DEPLOYMENT.replace("replicas:", "replcas:"))
    status = await synced.until_state("web.yaml", "Invalid")
    problem = status["problems"][0]
    assert (problem["line"], problem["column"], problem["field"]) == (5, 3, "spec.replcas")
    assert 'did you mean "replicas"?' in problem["message"]
    assert await synced.get(DEPLOYMENTS, "web") is None


async def test_every_error_of_a_file_is_told(synced: SyncedFolder) -> None:
    broken = DEPLOYMENT.replace("name: web, image", "name: Web_, image").replace(
        "replicas: 2", "replicas: -1"
    )
    synced.write("web.yaml", broken)
    status = await synced.until_state("web.yaml", "Invalid")
    fields = {problem["field"]: problem["line"] for problem in status["problems"]}
    assert fields == {"spec.replicas": 5, "spec.template.spec.containers[0].name": 11}


async def test_an_unknown_kind_is_told_with_a_suggestion(synced: SyncedFolder) -> None:
    synced.write("web.yaml", DEPLOYMENT.replace("kind: Deployment", "kind: Deploymnt"))
    status = await synced.until_state("web.yaml", "Invalid")
    assert "did you mean kind Deployment" in status["message"]


async def test_the_last_good_state_stays_while_a_file_is_invalid(synced: SyncedFolder) -> None:
    synced.write("web.yaml", DEPLOYMENT)
    await synced.until_state("web.yaml", "Synced")
    synced.write("web.yaml", DEPLOYMENT.replace("kind: Deployment", "kind: Deploymnt"))
    await synced.until_state("web.yaml", "Invalid")
    deployment = await synced.get(DEPLOYMENTS, "web")
    assert deployment is not None
    assert "deletionTimestamp" not in deployment["metadata"]


async def test_objects_wait_for_their_namespace(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a", namespace="late"))

    async def waits() -> bool:
        return 'namespaces "late" not found' in (await synced.record("a.yaml")).get("status", {}).get(
            "message", ""
        )

    await synced.until(waits)
    assert (await synced.record("a.yaml"))["status"]["state"] == "Pending"
    synced.write("z-namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: late}\n")
    await synced.until_state("a.yaml", "Synced")


async def test_a_namespace_in_the_same_file_comes_first_whatever_the_order(synced: SyncedFolder) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: same}\n"
    synced.write("a.yaml", config("a", namespace="same") + "---\n" + namespace)
    await synced.until_state("a.yaml", "Synced")
    assert await synced.get(NAMESPACES, "same")


async def test_duplicates_are_refused_and_both_files_named(synced: SyncedFolder) -> None:
    synced.write("one.yaml", config("a"))
    synced.write("two.yaml", config("a", "2"))
    one = await synced.until_state("one.yaml", "Invalid")
    two = await synced.until_state("two.yaml", "Invalid")
    assert "two.yaml:1" in one["message"]
    assert "one.yaml:1" in two["message"]
    (synced.root / "one.yaml").unlink()
    await synced.until_state("two.yaml", "Synced")


async def test_drift_made_by_hand_is_put_back_and_shown(synced: SyncedFolder) -> None:
    synced.write("web.yaml", DEPLOYMENT)
    await synced.until_state("web.yaml", "Synced")
    await synced.client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 7}}, "default")
    status = await synced.until_state("web.yaml", "Drifted")
    assert "spec.replicas" in status["message"]
    deployment = await synced.get(DEPLOYMENTS, "web")
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 2


async def test_replicas_are_left_to_an_autoscaler(synced: SyncedFolder) -> None:
    synced.write("web.yaml", DEPLOYMENT)
    synced.write("hpa.yaml", AUTOSCALER)
    await synced.until_state("web.yaml", "Synced")
    await synced.until_state("hpa.yaml", "Synced")
    scale = await synced.client.get(DEPLOYMENTS, "web", "default", subresource="scale")
    scaled = await synced.client.update(DEPLOYMENTS, {**scale, "spec": {"replicas": 5}}, subresource="scale")

    async def looked() -> bool:
        found = await synced.get(DEPLOYMENTS, "web")
        return (
            found is not None
            and found["metadata"]["resourceVersion"] != scaled["metadata"]["resourceVersion"]
        )

    await synced.until(looked, DEPLOYMENTS)
    assert (await synced.record("web.yaml"))["status"]["state"] == "Synced"
    synced.write("web.yaml", DEPLOYMENT.replace("web:1", "web:2"))

    async def follows() -> Object | None:
        found = await synced.get(DEPLOYMENTS, "web")
        [container] = found["spec"]["template"]["spec"]["containers"] if found else [{}]
        return found if container.get("image") == "web:2" else None

    deployment = await synced.until(follows, DEPLOYMENTS)
    assert deployment["spec"]["replicas"] == 5


async def test_an_object_deleted_by_hand_is_made_again(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    before = await synced.get(CONFIG_MAPS, "a")
    await synced.client.delete(CONFIG_MAPS, "a", "default")

    async def again() -> Object | None:
        return await synced.get(CONFIG_MAPS, "a")

    after = await synced.until(again, CONFIG_MAPS)
    assert before is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    await synced.until_state("a.yaml", "Drifted")


async def test_fields_of_others_are_left_alone(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    await synced.client.patch(CONFIG_MAPS, "a", {"data": {"theirs": "x"}}, "default")
    synced.write("a.yaml", config("a", "2"))

    async def follows() -> Object | None:
        obj = await synced.get(CONFIG_MAPS, "a")
        return obj if obj and obj["data"]["key"] == "2" else None

    assert (await synced.until(follows, CONFIG_MAPS))["data"]["theirs"] == "x"


async def test_a_pod_whose_change_is_not_possible_in_place_is_replaced(synced: SyncedFolder) -> None:
    synced.write("pod.yaml", POD)
    await synced.until_state("pod.yaml", "Synced")
    before = await synced.get(PODS, "solo")
    synced.write("pod.yaml", POD.replace('"1"]', '"2"]'))

    async def replaced() -> Object | None:
        pod = await synced.get(PODS, "solo")
        return pod if pod and before and pod["metadata"]["uid"] != before["metadata"]["uid"] else None

    pod = await synced.until(replaced, PODS)
    assert pod["spec"]["containers"][0]["command"] == ["sleep", "2"]
    await synced.until_state("pod.yaml", "Synced")


async def test_many_deletions_at_once_wait_for_a_yes(client: Client, tmp_path: Path) -> None:
    synced = SyncedFolder(client, tmp_path, prune_limit=2)
    for index in range(3):
        synced.write(f"{index}.yaml", config(f"c{index}"))
    synced.start()
    try:
        for index in range(3):
            await synced.until_state(f"{index}.yaml", "Synced")
        for index in range(3):
            (tmp_path / f"{index}.yaml").unlink()

        async def waits() -> Object | None:
            status = (await synced.folder()).get("status") or {}
            return status if status.get("state") == "AwaitingPrune" else None

        status = await synced.until(waits)
        assert status["prune"]["objects"] == [f"ConfigMap default/c{index}" for index in range(3)]
        assert await synced.get(CONFIG_MAPS, "c0")
        await synced.annotate(FOLDER_RECORD, APPROVE_PRUNE_ANNOTATION, "another-deletion")
        await synced.annotate(FOLDER_RECORD, APPROVE_PRUNE_ANNOTATION, status["prune"]["token"])
        for index in range(3):
            await synced.until_gone(CONFIG_MAPS, f"c{index}")
    finally:
        await synced.stop()


async def test_a_folder_that_vanishes_prunes_nothing(synced: SyncedFolder, tmp_path: Path) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    synced.root.rename(tmp_path / "away")

    async def missing() -> bool:
        return (await synced.folder())["status"]["state"] == "Missing"

    await synced.until(missing)
    assert await synced.get(CONFIG_MAPS, "a")
    (tmp_path / "away").rename(synced.root)
    synced.write("b.yaml", config("b"))
    await synced.until_state("b.yaml", "Synced")
    assert await synced.get(CONFIG_MAPS, "a")


async def test_a_paused_file_is_left_alone_until_it_goes_on(synced: SyncedFolder) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    name = record_name(str(synced.root), "a.yaml")
    await synced.annotate(name, PAUSED_ANNOTATION, "true")
    await synced.until_state("a.yaml", "Paused")
    await synced.client.patch(CONFIG_MAPS, "a", {"data": {"key": "by hand"}}, "default")
    synced.write("b.yaml", config("b"))
    await synced.until_state("b.yaml", "Synced")
    paused = await synced.get(CONFIG_MAPS, "a")
    assert paused is not None
    assert paused["data"]["key"] == "by hand"
    await synced.annotate(name, PAUSED_ANNOTATION, "false")

    async def back() -> bool:
        obj = await synced.get(CONFIG_MAPS, "a")
        return obj is not None and obj["data"]["key"] == "1"

    await synced.until(back, CONFIG_MAPS)


async def test_a_refused_file_can_be_applied_anew(synced: SyncedFolder) -> None:
    mine: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"key": "mine"},
    }
    await synced.client.create(CONFIG_MAPS, {**mine, "immutable": True}, "default")
    synced.write("a.yaml", config("a"))
    status = await synced.until_state("a.yaml", "Invalid")
    assert "immutable" in status["message"]
    await synced.client.delete(CONFIG_MAPS, "a", "default")
    await synced.settle()
    assert await synced.get(CONFIG_MAPS, "a") is None, "what was refused is not tried again by itself"
    await synced.annotate(record_name(str(synced.root), "a.yaml"), REAPPLY_ANNOTATION, "now")
    await synced.until_state("a.yaml", "Synced")
    applied = await synced.get(CONFIG_MAPS, "a")
    assert applied is not None
    assert applied["data"] == {"key": "1"}


async def test_records_of_another_folder_are_orphaned_not_pruned(
    synced: SyncedFolder, tmp_path: Path
) -> None:
    synced.write("a.yaml", config("a"))
    await synced.until_state("a.yaml", "Synced")
    await synced.stop()
    other = SyncedFolder(synced.client, tmp_path / "other")
    other.root.mkdir()
    other.start()
    try:
        await synced.until_state("a.yaml", "Orphaned")
        assert await synced.get(CONFIG_MAPS, "a")
    finally:
        await other.stop()


@pytest.mark.parametrize("count", [1000])
async def test_a_thousand_files_are_applied_in_seconds(client: Client, tmp_path: Path, count: int) -> None:
    synced = SyncedFolder(client, tmp_path)
    for index in range(count):
        synced.write(f"{index:04}.yaml", config(f"c{index}"))
    started = time.monotonic()
    synced.start()
    try:

        async def all_there() -> bool:
            return len((await client.list(CONFIG_MAPS, "default")).raw) == count

        await synced.until(all_there)
        assert time.monotonic() - started < 5
    finally:
        await synced.stop()
