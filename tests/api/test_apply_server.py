"""Server-side apply: ownership, conflicts, force, removal, and managedFields as kube-apiserver writes them."""

from __future__ import annotations

from typing import Any

import pytest
from api_objects import config_map, deployment, pod

from ktui.client.base import PatchType, WriteOptions
from ktui.engine.api.local import LocalClient
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, NODES, PODS
from ktui.kube.resource import Object, Resource


def as_manager(manager: str, **options: Any) -> WriteOptions:
    return WriteOptions(field_manager=manager, **options)


async def apply(client: LocalClient, resource: Resource, obj: Object, manager: str, **options: Any) -> Object:
    subresource = options.pop("subresource", "")
    return await client.patch(
        resource,
        obj["metadata"]["name"],
        obj,
        "default",
        patch_type=PatchType.APPLY,
        subresource=subresource,
        options=as_manager(manager, **options),
    )


def managers(obj: Object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in obj["metadata"].get("managedFields", []):
        name = f"{entry['manager']}/{entry['operation']}"
        if entry.get("subresource"):
            name += f"/{entry['subresource']}"
        found[name] = entry["fieldsV1"]
    return found


async def test_apply_creates_and_owns_what_it_says(client: LocalClient):
    obj = await apply(client, DEPLOYMENTS, deployment("web", 2), "ktui")
    assert obj["spec"]["progressDeadlineSeconds"] == 600
    entry = obj["metadata"]["managedFields"][0]
    assert {**entry, "fieldsV1": None} == {
        "manager": "ktui",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": None,
    }
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}, "f:name": {}}}},
            },
        }
    }


async def test_applying_the_same_again_changes_nothing(client: LocalClient, clock: FakeClock):
    first = await apply(client, DEPLOYMENTS, deployment("web", 2), "ktui")
    await clock.advance(60)
    assert await apply(client, DEPLOYMENTS, deployment("web", 2), "ktui") == first


async def test_create_tracks_an_updater_as_kubernetes_does(client: LocalClient):
    obj = await client.create(DEPLOYMENTS, deployment("web"), options=as_manager("kubectl-create"))
    assert managers(obj) == {
        "kubectl-create/Update": {
            "f:spec": {
                "f:progressDeadlineSeconds": {},
                "f:replicas": {},
                "f:selector": {},
                "f:template": {
                    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                    "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}, "f:name": {}}}},
                },
            }
        }
    }


async def test_a_conflict_names_the_manager_and_the_field(client: LocalClient):
    await client.create(DEPLOYMENTS, deployment("web", 1), options=as_manager("kubectl"))
    with pytest.raises(StatusError) as refused:
        await apply(client, DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": {"replicas": 3}}, "ktui")
    assert refused.value.code == 409
    assert refused.value.message == (
        'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas'
    )
    assert refused.value.details["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl" using apps/v1',
            "field": ".spec.replicas",
        }
    ]


async def test_several_conflicts_are_all_listed(client: LocalClient):
    await apply(client, CONFIG_MAPS, config_map("a", {"x": "1", "y": "1"}), "one")
    with pytest.raises(StatusError) as refused:
        await apply(client, CONFIG_MAPS, config_map("a", {"x": "2", "y": "2"}), "two")
    assert refused.value.message == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y'
    )


async def test_force_takes_the_field(client: LocalClient):
    await apply(client, CONFIG_MAPS, config_map("a", {"x": "1", "y": "1"}), "one")
    obj = await apply(client, CONFIG_MAPS, config_map("a", {"x": "2"}), "two", force=True)
    assert obj["data"] == {"x": "2", "y": "1"}
    assert managers(obj) == {
        "one/Apply": {"f:data": {"f:y": {}}},
        "two/Apply": {"f:data": {"f:x": {}}},
    }


async def test_equal_values_are_shared(client: LocalClient):
    await apply(client, CONFIG_MAPS, config_map("a", {"x": "1"}), "one")
    obj = await apply(client, CONFIG_MAPS, config_map("a", {"x": "1"}), "two")
    assert set(managers(obj)) == {"one/Apply", "two/Apply"}
    left = await apply(client, CONFIG_MAPS, config_map("a"), "one")
    assert left["data"] == {"x": "1"}
    assert set(managers(left)) == {"two/Apply"}


async def test_what_is_not_applied_any_more_goes(client: LocalClient):
    await apply(client, CONFIG_MAPS, config_map("a", {"x": "1", "y": "1"}, labels={"l": "1"}), "one")
    await client.patch(CONFIG_MAPS, "a", {"data": {"z": "1"}}, options=as_manager("hand"))
    obj = await apply(client, CONFIG_MAPS, config_map("a", {"x": "1"}), "one")
    assert obj["data"] == {"x": "1", "z": "1"}
    assert "labels" not in obj["metadata"]
    obj = await apply(client, CONFIG_MAPS, config_map("a"), "one")
    assert obj["data"] == {"z": "1"}


async def test_list_items_merge_by_key_and_keep_foreign_ones(client: LocalClient):
    def containers(*names: str, image: str = "i") -> Object:
        return {
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": n, "image": image} for n in names]},
                },
            },
        }

    await apply(client, DEPLOYMENTS, containers("a", "b"), "one")
    sidecar = {"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}
    obj = await apply(client, DEPLOYMENTS, sidecar, "two")
    assert [c["name"] for c in obj["spec"]["template"]["spec"]["containers"]] == ["a", "b", "c"]
    obj = await apply(client, DEPLOYMENTS, containers("b", image="j"), "one")
    assert obj["spec"]["template"]["spec"]["containers"] == [{"name": "b", "image": "j"}, {"name": "c"}]


async def test_sets_grow_and_shrink_by_owner(client: LocalClient):
    await apply(client, CONFIG_MAPS, config_map("a", finalizers=["x/one"]), "one")
    obj = await apply(client, CONFIG_MAPS, config_map("a", finalizers=["x/two"]), "two")
    assert sorted(obj["metadata"]["finalizers"]) == ["x/one", "x/two"]
    assert managers(obj)["two/Apply"] == {"f:metadata": {"f:finalizers": {'v:"x/two"': {}}}}
    obj = await apply(client, CONFIG_MAPS, config_map("a"), "one")
    assert obj["metadata"]["finalizers"] == ["x/two"]


async def test_atomic_structs_have_one_owner(client: LocalClient):
    await apply(client, DEPLOYMENTS, deployment("web"), "one")
    changed = deployment("web")
    changed["spec"]["selector"] = {"matchLabels": {"app": "web", "more": "x"}}
    with pytest.raises(StatusError) as refused:
        await apply(client, DEPLOYMENTS, changed, "two")
    assert refused.value.message.endswith(": .spec.selector")


async def test_updates_take_fields_from_appliers(client: LocalClient, clock: FakeClock):
    await apply(client, DEPLOYMENTS, deployment("web", 2), "ktui")
    await clock.advance(5)
    obj = await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 5}}, options=as_manager("hand"))
    assert managers(obj)["hand/Update"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in managers(obj)["ktui/Apply"]["f:spec"]
    assert obj["metadata"]["managedFields"][-1]["time"] == "2026-01-01T00:00:05Z"
    with pytest.raises(StatusError):
        await apply(client, DEPLOYMENTS, deployment("web", 2), "ktui")


async def test_status_writes_are_tracked_apart(client: LocalClient):
    await client.create(DEPLOYMENTS, deployment("web"), options=as_manager("kubectl"))
    obj = await client.patch(
        DEPLOYMENTS,
        "web",
        {"status": {"replicas": 1, "conditions": [{"type": "Available", "status": "True"}]}},
        subresource="status",
        options=as_manager("controller"),
    )
    assert managers(obj)["controller/Update/status"] == {
        "f:status": {
            "f:conditions": {
                ".": {},
                'k:{"type":"Available"}': {".": {}, "f:status": {}, "f:type": {}},
            },
            "f:replicas": {},
        }
    }
    obj = await client.patch(
        DEPLOYMENTS, "web", {"status": {"replicas": None}}, subresource="status", options=as_manager("other")
    )
    assert "f:replicas" not in managers(obj)["controller/Update/status"]["f:status"]


async def test_status_can_be_applied(client: LocalClient):
    await apply(client, DEPLOYMENTS, deployment("web", 2), "ktui")
    body = {"metadata": {"name": "web"}, "spec": {"replicas": 9}, "status": {"replicas": 1}}
    obj = await apply(client, DEPLOYMENTS, body, "controller", subresource="status")
    assert obj["status"] == {"replicas": 1} and obj["spec"]["replicas"] == 2
    assert managers(obj)["controller/Apply/status"] == {"f:status": {"f:replicas": {}}}


async def test_scaling_is_tracked_under_its_subresource(client: LocalClient):
    await apply(client, DEPLOYMENTS, deployment("web", 2), "ktui")
    scale = await client.patch(
        DEPLOYMENTS, "web", {"spec": {"replicas": 4}}, subresource="scale", options=as_manager("hpa")
    )
    assert scale["spec"] == {"replicas": 4}
    obj = await client.get(DEPLOYMENTS, "web", "default")
    assert managers(obj)["hpa/Update/scale"] == {"f:spec": {"f:replicas": {}}}
    body = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "web"},
        "spec": {"replicas": 6},
    }
    await apply(client, DEPLOYMENTS, body, "vpa", subresource="scale", force=True)
    obj = await client.get(DEPLOYMENTS, "web", "default")
    assert obj["spec"]["replicas"] == 6
    assert managers(obj)["vpa/Apply/scale"] == {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize("reset", [[], [{}]])
async def test_managed_fields_can_be_reset(client: LocalClient, reset: list[Any]):
    await apply(client, CONFIG_MAPS, config_map("a", {"x": "1"}), "one")
    obj = await client.patch(CONFIG_MAPS, "a", {"metadata": {"managedFields": reset}})
    assert "managedFields" not in obj["metadata"]
    obj = await apply(client, CONFIG_MAPS, config_map("a", {"x": "1", "y": "2"}), "one")
    assert managers(obj) == {
        "before-first-apply/Update": {"f:data": {".": {}, "f:x": {}}},
        "one/Apply": {"f:data": {"f:x": {}, "f:y": {}}},
    }


async def test_dry_run_of_an_apply_leaves_no_trace(client: LocalClient):
    ghost = await apply(client, CONFIG_MAPS, config_map("a", {"x": "1"}), "one", dry_run=True)
    assert managers(ghost) == {"one/Apply": {"f:data": {"f:x": {}}}}
    with pytest.raises(StatusError):
        await client.get(CONFIG_MAPS, "a")
    first = await apply(client, CONFIG_MAPS, config_map("a", {"x": "1"}), "one")
    await apply(client, CONFIG_MAPS, config_map("a", {"x": "2"}), "one", dry_run=True)
    assert await client.get(CONFIG_MAPS, "a") == first


async def test_applies_that_cannot_be(client: LocalClient):
    with pytest.raises(StatusError) as refused:
        await apply(client, CONFIG_MAPS, config_map("a", managedFields=[]), "one")
    assert refused.value.message == "metadata.managedFields must be nil"
    with pytest.raises(StatusError) as refused:
        await client.patch(CONFIG_MAPS, "a", {}, options=WriteOptions(force=True))
    assert refused.value.message == (
        'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
    )
    nameless = {"metadata": {"name": "p"}, "spec": {"containers": [{"image": "i"}]}}
    with pytest.raises(StatusError) as refused:
        await apply(client, PODS, nameless, "one")
    assert refused.value.code == 400
    assert (
        '.spec.containers: element 0: associative list with keys has an element that omits key field "name"'
        in (refused.value.message)
    )
    with pytest.raises(StatusError) as refused:
        await apply(client, CONFIG_MAPS, config_map("a", uid="u"), "one")
    assert refused.value.is_conflict
    await client.create(CONFIG_MAPS, config_map("a"))
    with pytest.raises(StatusError) as refused:
        await apply(client, CONFIG_MAPS, config_map("a", resourceVersion="1"), "one")
    assert refused.value.is_conflict


async def test_ports_without_protocol_are_the_tcp_ones(client: LocalClient):
    body = pod("p")
    body["spec"]["containers"][0]["ports"] = [{"containerPort": 80}]
    obj = await apply(client, PODS, body, "one")
    assert obj["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert await apply(client, PODS, body, "one") == obj
    containers = managers(obj)["one/Apply"]["f:spec"]["f:containers"]
    assert 'k:{"containerPort":80,"protocol":"TCP"}' in containers['k:{"name":"main"}']["f:ports"]


async def test_only_so_many_updaters_are_remembered(client: LocalClient, clock: FakeClock):
    await client.create(CONFIG_MAPS, config_map("a", {"k0": ""}), options=as_manager("m0"))
    obj: Object = {}
    for n in range(1, 13):
        await clock.advance(1)
        obj = await client.patch(CONFIG_MAPS, "a", {"data": {f"k{n}": ""}}, options=as_manager(f"m{n}"))
    names = [entry["manager"] for entry in obj["metadata"]["managedFields"]]
    assert len(names) == 10 and names[0] == "ancient-changes"
    assert managers(obj)["ancient-changes/Update"]["f:data"]["f:k0"] == {}


async def test_cluster_scoped_objects_apply_too(client: LocalClient):
    node = {
        "metadata": {"name": "n", "labels": {"a": "b"}},
        "spec": {"taints": [{"key": "k", "effect": "NoExecute"}]},
    }
    obj = await apply(client, NODES, node, "one")
    assert "namespace" not in obj["metadata"]
    assert managers(obj)["one/Apply"]["f:metadata"] == {"f:labels": {"f:a": {}}}


async def test_owned_fields_are_written_in_one_order(client: LocalClient):
    """Clients compare the text of managedFields."""
    created = await client.create(PODS, pod("p"))
    await client.patch(PODS, "p", {"metadata": {"labels": {"b": "1", "a": "1"}}}, "default")
    obj = await client.patch(
        PODS, "p", {"status": {"podIP": "10.0.0.1", "message": "x"}}, "default", subresource="status"
    )

    def check(fields: Object) -> None:
        assert list(fields) == sorted(fields)
        for inner in fields.values():
            check(inner)

    for entry in (*created["metadata"]["managedFields"], *obj["metadata"]["managedFields"]):
        check(entry["fieldsV1"])
