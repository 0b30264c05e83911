"""Which requests a webhook is asked about, what it is shown of them, and how its Service is reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from admission_objects import configuration, rule, webhook
from api_objects import config_map, deployment, pod
from crd_world import definition, resource, version, widget
from webhook_server import allowed, refused
from webhook_world import World, webhook_world

from ktui.client.base import ExecOptions, PatchType
from ktui.engine.api.admission.webhooks.services import Connection
from ktui.engine.store import Store
from ktui.kube.clock import FakeClock, settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NAMESPACES,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from ktui.kube.resource import Object

FAILED = 'Internal error occurred: failed calling webhook "x.hooks.test": '


@pytest.fixture
async def world(store: Store, clock: FakeClock, tmp_path: Path) -> AsyncIterator[World]:
    async with asyncio.timeout(30), webhook_world(store, clock, tmp_path) as world:
        yield world


class Agent:
    """A node whose pods are one port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def dial(self, pod: Object, port: int):
        if port != 8443:
            raise ConnectionRefusedError(111, "Connection refused")
        return await asyncio.open_connection("127.0.0.1", self._port)


async def test_services_are_dialled_through_the_cluster(world: World):
    config = {"service": {"namespace": "tools", "name": "hook", "path": "/x"}, "caBundle": world.hooks.bundle}
    world.hooks.replies["x"] = lambda request: refused("from the service")
    client = world.client
    await client.create(VALIDATING_WEBHOOK_CONFIGURATIONS, configuration(webhook(clientConfig=config)))
    prefix = f'{FAILED}failed to call webhook: Post "https://hook.tools.svc:443/x?timeout=10s": '
    assert (await world.refusal()).message == f'{prefix}service "hook" not found'
    await client.create(NAMESPACES, {"metadata": {"name": "tools"}})
    ports = [{"port": 443, "targetPort": 8443}]
    await client.create(SERVICES, {"metadata": {"name": "hook"}, "spec": {"ports": ports}}, "tools")
    assert (await world.refusal()).message == f'{prefix}no endpoints available for service "hook"'
    await client.create(PODS, pod("p", node="n"), "tools")
    status = {"status": {"phase": "Running", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]}}
    await client.patch(PODS, "p", status, "tools", patch_type=PatchType.MERGE, subresource="status")
    labels = {"kubernetes.io/service-name": "hook"}
    endpoints = [{"addresses": ["10.1.2.3"], "targetRef": {"kind": "Pod", "name": "p"}}]
    slice_of_it = {
        "metadata": {"name": "hook-1", "labels": labels},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "", "port": 8444}],
    }
    await client.create(ENDPOINT_SLICES, slice_of_it, "tools")
    world.server.register_node("n", Agent(world.hooks.port))  # pyright: ignore[reportArgumentType] - a stand-in with what is asked of it
    assert "connect: connection refused" in (await world.refusal()).message
    change = {"ports": [{"name": "", "port": 8443}]}
    await client.patch(ENDPOINT_SLICES, "hook-1", change, "tools", patch_type=PatchType.MERGE)
    for _ in range(2):
        assert "from the service" in (await world.refusal()).message


async def test_a_service_has_to_prove_who_it_is(world: World):
    class Tools:
        async def dial(self, namespace: str, name: str, port: int) -> Connection:
            return await asyncio.open_connection("127.0.0.1", world.hooks.port)

    world.server.webhooks.services = Tools()
    for name, bundle in (("hook", ""), ("other", world.hooks.bundle)):
        config = {"service": {"namespace": "tools", "name": name}, "caBundle": bundle}
        await world.client.create(
            VALIDATING_WEBHOOK_CONFIGURATIONS, configuration(webhook(clientConfig=config), name=name)
        )
        assert "tls: failed to verify certificate" in (await world.refusal()).message
        await world.client.delete(VALIDATING_WEBHOOK_CONFIGURATIONS, name)
    assert not world.asked


@pytest.mark.parametrize(
    ("fields", "is_asked"),
    [
        ({"rules": [rule("*", "*")]}, True),
        ({"rules": [rule("configmaps", groups="core")]}, True),
        ({"rules": [rule("configmaps", groups="apps")]}, False),
        ({"rules": [rule("configmaps/status")]}, False),
        ({"rules": [rule("configmaps", "DELETE")]}, False),
        ({"rules": [rule("configmaps", scope="Cluster")]}, False),
        ({"rules": [{**rule("configmaps"), "apiVersions": ["v2"]}]}, False),
        ({"objectSelector": {"matchLabels": {"app": "web"}}}, True),
        ({"objectSelector": {"matchLabels": {"app": "db"}}}, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, True),
        ({"namespaceSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]}}, False),
        ({"matchConditions": [{"name": "c", "expression": "object.metadata.name == 'c'"}]}, True),
        ({"matchConditions": [{"name": "c", "expression": "request.operation != 'CREATE'"}]}, False),
        (
            {
                "matchConditions": [
                    {"name": "a", "expression": "object.nothing.here == 1"},
                    {"name": "b", "expression": "false"},
                ]
            },
            False,
        ),
        (
            {
                "matchConditions": [
                    {
                        "name": "a",
                        "expression": "authorizer.group('').resource('pods').namespace('x').check('get').allowed()",
                    }
                ]
            },
            True,
        ),
    ],
)
async def test_who_is_asked(world: World, fields, is_asked: bool):
    world.hooks.replies["x"] = lambda request: allowed()
    await world.configure(**fields)
    created = config_map("c")
    created["metadata"]["labels"] = {"app": "web"}
    await world.client.create(CONFIG_MAPS, created)
    assert bool(world.asked) == is_asked


async def test_a_condition_that_fails_refuses(world: World):
    await world.configure(matchConditions=[{"name": "a", "expression": "object.nothing == 1"}])
    error = await world.refusal()
    assert error.code == 403
    assert error.message == (
        "configmaps \"c\" is forbidden: expression 'object.nothing == 1' resulted in error: no such key: nothing"
    )


async def test_a_missing_namespace_is_not_found(world: World):
    await world.configure(namespaceSelector={"matchLabels": {"a": "b"}}, rules=[rule("*", "*")])
    with pytest.raises(StatusError) as error:
        await world.client.create(CONFIG_MAPS, config_map("c"), "nowhere")
    assert error.value.is_not_found


async def test_configurations_are_never_asked_about(world: World):
    world.hooks.replies["x"] = lambda request: refused()
    await world.configure(rules=[rule("*/*", "*")])
    with pytest.raises(StatusError):
        await world.client.create(NAMESPACES, {"metadata": {"name": "n"}})
    await world.client.delete(VALIDATING_WEBHOOK_CONFIGURATIONS, "hooks")
    await world.client.create(NAMESPACES, {"metadata": {"name": "n"}})


async def test_scales_bindings_and_evictions_are_shown_as_what_they_are(world: World):
    world.hooks.replies["x"] = lambda request: allowed()
    client = world.client
    await client.create(PODS, pod("p"))
    await client.create(DEPLOYMENTS, deployment("d", 1))
    await world.configure(rules=[rule("pods/* deployments/scale", "*")])
    target = {"kind": "Node", "name": "node1"}
    await client.create(PODS, {"metadata": {"name": "p"}, "target": target}, name="p", subresource="binding")
    await client.create(PODS, {"metadata": {"name": "p"}}, name="p", subresource="eviction")
    replicas = {"spec": {"replicas": 3}}
    await client.patch(DEPLOYMENTS, "d", replicas, patch_type=PatchType.MERGE, subresource="scale")
    told = [
        (asked["kind"]["kind"], asked["subResource"], asked["operation"]) for _, asked in world.hooks.asked
    ]
    assert told == [
        ("Binding", "binding", "CREATE"),
        ("Eviction", "eviction", "CREATE"),
        ("Scale", "scale", "UPDATE"),
    ]
    scale = world.hooks.asked[-1][1]
    assert (scale["object"]["spec"], scale["oldObject"]["spec"]) == ({"replicas": 3}, {"replicas": 1})
    assert scale["requestKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}


async def test_a_scale_can_be_changed(world: World):
    replace = {"op": "replace", "path": "/spec/replicas", "value": 2}
    world.hooks.replies["m"] = lambda request: allowed(replace)
    await world.client.create(DEPLOYMENTS, deployment("d", 1))
    await world.configure("m", "Mutating", rules=[rule("deployments/scale", "*")])
    replicas = {"spec": {"replicas": 9}}
    await world.client.patch(DEPLOYMENTS, "d", replicas, patch_type=PatchType.MERGE, subresource="scale")
    assert (await world.client.get(DEPLOYMENTS, "d"))["spec"]["replicas"] == 2


async def test_connections_to_pods_can_be_refused(world: World):
    world.hooks.replies["x"] = lambda request: refused(f"attaching to pod '{request['name']}' is not allowed")
    await world.client.create(PODS, pod("p"))
    await world.configure(rules=[rule("pods/attach", "CONNECT")])
    with pytest.raises(StatusError, match="attaching to pod 'p' is not allowed"):
        await world.client.exec("p", "default", options=ExecOptions(stdin=True))
    [(_, asked)] = world.hooks.asked
    assert asked["object"] == {
        "apiVersion": "v1",
        "kind": "PodAttachOptions",
        "stdin": True,
        "stdout": True,
        "stderr": True,
    }
    with pytest.raises(StatusError, match="does not have a host assigned"):
        await world.client.exec("p", "default", options=ExecOptions(command=("ls",)))


@pytest.mark.parametrize(("policy", "is_asked"), [("Equivalent", True), ("Exact", False)])
async def test_another_version_of_the_same_kind_is_shown_as_the_rule_knows_it(
    world: World, policy: str, is_asked: bool
):
    replace = {"op": "replace", "path": "/spec/size", "value": 7}
    world.hooks.replies["m"] = lambda request: allowed(replace)
    versions = [version("v1"), version("v2", storage=False)]
    runner = asyncio.create_task(world.server.run())
    try:
        await world.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition(*versions))
        await settle(50)
        rules = [{**rule("widgets", groups="example.com"), "apiVersions": ["v2"]}]
        await world.configure("m", "Mutating", rules=rules, matchPolicy=policy)
        made = await world.client.create(resource("v1"), widget("w"), "default")
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
    assert made["apiVersion"] == "example.com/v1"
    assert made["spec"]["size"] == (7 if is_asked else 3)
    if is_asked:
        [(_, asked)] = world.hooks.asked
        assert asked["object"]["apiVersion"] == "example.com/v2"
        assert asked["kind"]["version"] == asked["resource"]["version"] == "v2"
        assert asked["requestKind"]["version"] == asked["requestResource"]["version"] == "v1"


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": True},
        {"metadata": {"labels": ["a"]}},
        {"kind": "Pod", "metadata": True},
        {"kind": None, "metadata": {"name": "p"}, "target": {"name": "n"}},
        {"kind": "", "apiVersion": 7, "target": {"name": "n"}},
        ["nothing"],
    ],
)
async def test_a_body_that_is_odd_neither_slips_past_nor_breaks(world: World, body):
    world.hooks.replies["x"] = lambda request: refused("no")
    await world.client.create(PODS, pod("p"))
    labels = {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}
    await world.configure(rules=[rule("pods/binding", "*")], objectSelector=labels)
    with pytest.raises(StatusError) as error:
        await world.client.create(PODS, body, "default", name="p", subresource="binding")
    assert error.value.code == 400
