"""Whatever comes in, the answer is an object or a client error: never a crash, never a 500."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ktui.client.base import DeleteOptions, PatchType, WriteOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, EVENTS, NAMESPACES, NODES, PODS, SECRETS
from ktui.kube.resource import Resource

NAMES = (
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "deletionTimestamp",
    "spec",
    "status",
    "data",
    "containers",
    "template",
    "selector",
    "matchLabels",
    "replicas",
    "ports",
    "containerPort",
    "env",
    "resources",
    "limits",
    "conditions",
    "type",
    "target",
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "$deleteFromPrimitiveList/finalizers",
    "gracePeriodSeconds",
    "deleteOptions",
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.sampled_from(
        [
            "",
            "a",
            "x",
            "v1",
            "Pod",
            "ConfigMap",
            "delete",
            "replace",
            "default",
            "2026-01-01T00:00:00Z",
            "1Gi",
            "\x00é",
        ]
    )
)
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=16,
)
RESOURCES = st.sampled_from([CONFIG_MAPS, DEPLOYMENTS, EVENTS, NAMESPACES, NODES, PODS, SECRETS])
SUBRESOURCES = st.sampled_from(
    ["", "", "", "status", "scale", "binding", "eviction", "finalize", "resize", "moon"]
)

POD = {
    "metadata": {"name": "x"},
    "spec": {"containers": [{"name": "a", "image": "b", "ports": [{"containerPort": 1}]}]},
}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}
SEEDS: list[tuple[Resource, dict[str, Any]]] = [
    (CONFIG_MAPS, {"metadata": {"name": "x", "finalizers": ["x/y"]}, "data": {"a": "b"}}),
    (PODS, POD),
    (NODES, {"metadata": {"name": "x"}}),
    (SECRETS, {"metadata": {"name": "x"}}),
    (
        DEPLOYMENTS,
        {"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}},
    ),
]


async def fresh() -> LocalClient:
    server = ApiServer(open_store(None), default_registry())
    await server.start()
    client = LocalClient(server, "fuzz", manager="fuzz")
    for resource, body in SEEDS:
        await client.create(resource, body)
    return client


async def answered(call: Any) -> None:
    try:
        await call
    except StatusError as error:
        assert 400 <= error.code < 500, error.status
        assert error.message and error.reason


@pytest.fixture(scope="module")
def world():
    """One server for all examples: what they leave behind is part of the fun."""
    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(fresh())
    yield loop, client
    loop.close()


@given(RESOURCES, BODIES, SUBRESOURCES)
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_create(world: Any, resource: Resource, body: Any, subresource: str):
    loop, client = world
    request = client._request
    server = client._server
    name = "x" if subresource else ""
    namespace = "default" if resource.namespaced else ""
    call = server.create(request, resource, body, namespace, name=name, subresource=subresource)
    loop.run_until_complete(answered(call))


@given(RESOURCES, BODIES, SUBRESOURCES)
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_update(world: Any, resource: Resource, body: Any, subresource: str):
    loop, client = world
    if isinstance(body, dict):
        metadata = body.get("metadata")
        body = {**body, "metadata": {**(metadata if isinstance(metadata, dict) else {}), "name": "x"}}
    namespace = "default" if resource.namespaced else ""
    call = client._server.update(client._request, resource, "x", body, namespace, subresource=subresource)
    loop.run_until_complete(answered(call))


OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
            "path": st.lists(st.sampled_from([*NAMES, "0", "-"]), max_size=4).map(
                lambda p: "".join(f"/{t}" for t in p)
            ),
            "value": BODIES,
            "from": st.lists(st.sampled_from([*NAMES, "0"]), max_size=3).map(
                lambda p: "".join(f"/{t}" for t in p)
            ),
        }
    ),
    max_size=3,
)


@given(RESOURCES, BODIES | OPERATIONS, SUBRESOURCES, st.sampled_from(list(PatchType)), st.booleans())
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_patch(
    world: Any, resource: Resource, patch: Any, subresource: str, patch_type: PatchType, force: bool
):
    loop, client = world
    namespace = "default" if resource.namespaced else ""
    options = WriteOptions(field_manager="f", force=force and patch_type == PatchType.APPLY)
    call = client._server.patch(
        client._request,
        resource,
        "x",
        patch,
        namespace,
        options,
        patch_type=patch_type,
        subresource=subresource,
    )
    loop.run_until_complete(answered(call))


@given(
    st.sampled_from([CONFIG_MAPS, PODS]), st.integers(-5, 50), st.sampled_from(["", "Foreground", "Orphan"])
)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_delete(world: Any, resource: Resource, grace: int, policy: Any):
    loop, client = world
    options = DeleteOptions(grace_period_seconds=grace, propagation_policy=policy)
    loop.run_until_complete(answered(client.delete(resource, "x", options=options)))


RICH: dict[str, Any] = {
    "metadata": {
        "name": "x",
        "labels": {"a": "b"},
        "finalizers": ["a/b"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "o", "uid": "u"}],
        "managedFields": [
            {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:a": {}}}
        ],
    },
    "spec": {
        "containers": [
            {
                "name": "a",
                "image": "b",
                "ports": [{"containerPort": 1}],
                "env": [{"name": "E", "value": "v"}],
                "resources": {"limits": {"cpu": "1"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "ephemeralContainers": [{"name": "e", "image": "i"}],
    },
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


def mutated(body: Any, spots: list[int], value: Any) -> Any:
    """The body with one place, found by taking turns, replaced."""
    if not spots or not isinstance(body, dict | list) or not body:
        return value
    keys = sorted(body) if isinstance(body, dict) else list(range(len(body)))
    key = keys[spots[0] % len(keys)]
    inner = mutated(body[key], spots[1:], value)
    if isinstance(body, dict):
        return {**body, key: inner}
    return [inner if index == key else item for index, item in enumerate(body)]


SPOTS = st.lists(st.integers(0, 9), min_size=1, max_size=6)
PATCHES = st.builds(mutated, st.just(RICH), SPOTS, BODIES)


@given(
    st.sampled_from([PODS, PODS, NODES, CONFIG_MAPS]),
    PATCHES,
    st.sampled_from([PatchType.APPLY, PatchType.MERGE, PatchType.STRATEGIC]),
    st.sampled_from(["", "status", "ephemeralcontainers", "resize"]),
    st.sampled_from(["x", "new"]),
)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_patch_that_is_almost_right(
    world: Any, resource: Resource, patch: Any, patch_type: PatchType, subresource: str, name: str
):
    loop, client = world
    namespace = "default" if resource.namespaced else ""
    options = WriteOptions(field_manager="f", force=patch_type == PatchType.APPLY)
    if isinstance(patch, dict) and isinstance(patch.get("metadata"), dict):
        patch = {**patch, "metadata": {**patch["metadata"], "name": name}}
        if patch_type == PatchType.APPLY:
            patch["metadata"].pop("managedFields", None)
    call = client._server.patch(
        client._request,
        resource,
        name,
        patch,
        namespace,
        options,
        patch_type=patch_type,
        subresource=subresource,
    )
    loop.run_until_complete(answered(call))


@given(st.sampled_from([PODS, NODES, CONFIG_MAPS]), PATCHES)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_create_that_is_almost_right(world: Any, resource: Resource, body: Any):
    loop, client = world
    namespace = "default" if resource.namespaced else ""
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
        body = {**body, "metadata": {**body["metadata"], "name": None, "generateName": "g-"}}
    loop.run_until_complete(answered(client._server.create(client._request, resource, body, namespace)))
