"""Create, get, update, patch: identity, versions and errors as kube-apiserver gives them."""

from __future__ import annotations

import pytest
from api_objects import config_map, deployment, pod

from ktui.client.base import PatchType, WriteOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.server import ApiServer
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, MANIFEST_FILES, NAMESPACES, PODS


async def test_a_new_cluster_has_its_four_namespaces(client: LocalClient):
    found = [obj["metadata"]["name"] for obj in (await client.list(NAMESPACES)).items]
    assert found == ["default", "kube-node-lease", "kube-public", "kube-system"]


async def test_create_fills_in_what_is_the_servers(client: LocalClient):
    obj = await client.create(CONFIG_MAPS, config_map("a", {"k": "v"}, uid="mine", generation=7))
    metadata = obj["metadata"]
    assert metadata["namespace"] == "default"
    assert metadata["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert len(metadata["uid"]) == 36
    assert "generation" not in metadata
    assert int(metadata["resourceVersion"]) > 0
    assert await client.get(CONFIG_MAPS, "a", "default") == obj


async def test_nulls_and_unknown_fields_are_dropped_at_the_door(client: LocalClient):
    body = {**config_map("a", creationTimestamp=None), "dta": {"k": "v"}, "data": None}
    obj = await client.create(CONFIG_MAPS, body)
    assert "dta" not in obj and "data" not in obj


async def test_strict_field_validation_refuses_unknown_fields(client: LocalClient):
    with pytest.raises(StatusError) as refused:
        await client.create(
            CONFIG_MAPS, {**config_map("a"), "dta": {}}, options=WriteOptions(field_validation="Strict")
        )
    assert refused.value.code == 400
    assert 'strict decoding error: unknown field "dta"' in refused.value.message


async def test_wrong_types_are_refused(client: LocalClient):
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, {**config_map("a"), "data": 5})
    assert refused.value.code == 400
    assert refused.value.message.startswith(
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json:'
    )


async def test_generated_names_start_with_their_base(client: LocalClient):
    obj = await client.create(CONFIG_MAPS, {"metadata": {"generateName": "web-"}})
    name = obj["metadata"]["name"]
    assert name.startswith("web-") and len(name) == 9


async def test_generated_names_that_are_all_taken_give_up(
    client: LocalClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ktui.engine.api.writing.generate_name", lambda base: base + "taken")
    await client.create(CONFIG_MAPS, {"metadata": {"generateName": "web-"}})
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, {"metadata": {"generateName": "web-"}})
    assert refused.value.is_already_exists
    assert refused.value.message.endswith("the server was not able to generate a unique name for the object")


@pytest.mark.parametrize(
    ("body", "namespace", "code", "message"),
    [
        ({"metadata": {}}, "default", 422, "metadata.name: Required value: name or generateName is required"),
        (config_map("a", namespace="x"), "default", 400, "does not match the namespace sent on the request"),
        (config_map("a", resourceVersion="5"), "default", 400, "resourceVersion should not be set"),
        ({**config_map("a"), "kind": "Pod"}, "default", 400, "cannot be handled as a ConfigMap"),
        ({**config_map("a"), "apiVersion": "v2"}, "default", 400, "does not match the expected API version"),
        (config_map("a"), "nowhere", 404, 'namespaces "nowhere" not found'),
        ([], "default", 400, "unrecognized"),
    ],
)
async def test_creates_that_cannot_be(client: LocalClient, server: ApiServer, body, namespace, code, message):
    with pytest.raises(StatusError) as refused:
        await server.create(client._request, CONFIG_MAPS, body, namespace)
    assert refused.value.code == code
    assert message in refused.value.message


async def test_create_twice_already_exists(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a"))
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("a"))
    assert refused.value.code == 409
    assert refused.value.message == 'configmaps "a" already exists'


async def test_get_of_nothing_is_404(client: LocalClient):
    with pytest.raises(StatusError) as refused:
        await client.get(CONFIG_MAPS, "a")
    assert refused.value.message == 'configmaps "a" not found'


async def test_update_with_a_stale_version_conflicts(client: LocalClient):
    first = await client.create(CONFIG_MAPS, config_map("a", {"k": "1"}))
    await client.update(CONFIG_MAPS, {**first, "data": {"k": "2"}})
    with pytest.raises(StatusError) as refused:
        await client.update(CONFIG_MAPS, {**first, "data": {"k": "3"}})
    assert refused.value.is_conflict
    assert refused.value.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes '
        "to the latest version and try again"
    )


async def test_update_without_version_wins(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a", {"k": "1"}))
    obj = await client.update(CONFIG_MAPS, config_map("a", {"k": "2"}))
    assert obj["data"] == {"k": "2"}


async def test_an_update_that_changes_nothing_keeps_the_version(client: LocalClient):
    first = await client.create(CONFIG_MAPS, config_map("a", {"k": "1"}))
    assert await client.update(CONFIG_MAPS, config_map("a", {"k": "1"})) == first
    assert await client.patch(CONFIG_MAPS, "a", {"data": {"k": "1"}}) == first


async def test_update_of_another_incarnation_conflicts(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a"))
    with pytest.raises(StatusError) as refused:
        await client.update(CONFIG_MAPS, config_map("a", uid="other"))
    assert refused.value.is_conflict
    assert "Precondition failed: UID in precondition: other, UID in object meta: " in refused.value.message


async def test_immutable_metadata_is_kept(client: LocalClient):
    first = await client.create(CONFIG_MAPS, config_map("a"))
    with pytest.raises(StatusError) as refused:
        await client.patch(
            CONFIG_MAPS, "a", {"metadata": {"uid": "b", "creationTimestamp": "2020-01-01T00:00:00Z"}}
        )
    assert refused.value.is_invalid
    assert {cause.field for cause in refused.value.causes} == {"metadata.uid", "metadata.creationTimestamp"}
    assert 'metadata.uid: Invalid value: "b": field is immutable' in refused.value.message
    patched = await client.patch(CONFIG_MAPS, "a", {"metadata": {"uid": None, "labels": {"a": "b"}}})
    assert patched["metadata"]["uid"] == first["metadata"]["uid"]


async def test_declared_rules_hold_at_updates(client: LocalClient):
    await client.create(CONFIG_MAPS, {**config_map("a", {"k": "1"}), "immutable": True})
    with pytest.raises(StatusError) as refused:
        await client.patch(CONFIG_MAPS, "a", {"data": {"k": "2"}})
    assert refused.value.message == (
        'ConfigMap "a" is invalid: data: Forbidden: field is immutable when `immutable` is set'
    )


async def test_generation_counts_changes_of_the_spec(client: LocalClient):
    created = await client.create(DEPLOYMENTS, deployment("web"))
    assert created["metadata"]["generation"] == 1
    labelled = await client.patch(DEPLOYMENTS, "web", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    status = await client.patch(DEPLOYMENTS, "web", {"status": {"replicas": 1}}, subresource="status")
    assert (status["metadata"]["generation"], status["status"]) == (1, {"replicas": 1})
    scaled = await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 3}})
    assert scaled["metadata"]["generation"] == 2


async def test_status_and_spec_are_written_through_their_own_doors(client: LocalClient):
    await client.create(DEPLOYMENTS, {**deployment("web", 2), "status": {"replicas": 9}})
    main = await client.patch(DEPLOYMENTS, "web", {"status": {"replicas": 9}, "spec": {"replicas": 3}})
    assert "status" not in main and main["spec"]["replicas"] == 3
    status = await client.patch(
        DEPLOYMENTS, "web", {"status": {"replicas": 3}, "spec": {"replicas": 9}}, subresource="status"
    )
    assert status["status"] == {"replicas": 3} and status["spec"]["replicas"] == 3


async def test_dry_runs_leave_no_trace(client: LocalClient):
    dry = WriteOptions(dry_run=True)
    ghost = await client.create(CONFIG_MAPS, config_map("a", {"k": "1"}), options=dry)
    assert ghost["metadata"]["uid"] and "resourceVersion" not in ghost["metadata"]
    assert not (await client.list(CONFIG_MAPS)).raw
    first = await client.create(CONFIG_MAPS, config_map("a", {"k": "1"}))
    with pytest.raises(StatusError):
        await client.create(CONFIG_MAPS, config_map("a"), options=dry)
    assert (await client.patch(CONFIG_MAPS, "a", {"data": {"k": "2"}}, options=dry))["data"] == {"k": "2"}
    assert await client.get(CONFIG_MAPS, "a") == first


async def test_json_patch_reports_what_does_not_fit(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("a", {"k": "1"}))
    patched = await client.patch(
        CONFIG_MAPS, "a", [{"op": "add", "path": "/data/x", "value": "y"}], patch_type=PatchType.JSON
    )
    assert patched["data"] == {"k": "1", "x": "y"}
    with pytest.raises(StatusError) as refused:
        await client.patch(
            CONFIG_MAPS, "a", [{"op": "test", "path": "/data/x", "value": "z"}], patch_type=PatchType.JSON
        )
    assert refused.value.code == 422
    with pytest.raises(StatusError) as refused:
        await client.patch(CONFIG_MAPS, "a", [{"op": "jump"}], patch_type=PatchType.JSON)
    assert refused.value.code == 400


async def test_a_patch_may_insist_on_a_version(client: LocalClient):
    first = await client.create(CONFIG_MAPS, config_map("a"))
    version = first["metadata"]["resourceVersion"]
    await client.patch(CONFIG_MAPS, "a", {"metadata": {"resourceVersion": version}, "data": {"k": "1"}})
    with pytest.raises(StatusError) as refused:
        await client.patch(CONFIG_MAPS, "a", {"metadata": {"resourceVersion": version}, "data": {"k": "2"}})
    assert refused.value.is_conflict


async def test_read_only_kinds_are_written_by_the_system_only(client: LocalClient, server: ApiServer):
    body = {"metadata": {"name": "f"}}
    with pytest.raises(StatusError) as refused:
        await client.create(MANIFEST_FILES, body)
    assert refused.value.code == 403
    await LocalClient(server, "system:manifests").create(MANIFEST_FILES, body)
    assert await client.get(MANIFEST_FILES, "f")
    await client.delete(MANIFEST_FILES, "f")
    assert not (await client.list(MANIFEST_FILES)).items


async def test_unknown_resources_and_subresources_are_404(client: LocalClient):
    await client.create(PODS, pod("p"))
    with pytest.raises(StatusError) as refused:
        await client.get(PODS, "p", subresource="scale")
    assert refused.value.message == "the server could not find the requested resource"
