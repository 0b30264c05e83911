"""Mutating admission policies: what their expressions make of objects that are written."""

from __future__ import annotations

from typing import Any

import pytest
from admission_objects import rule
from api_objects import config_map, deployment
from crd_world import CrdWorld, widget

from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import Store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
)
from ktui.kube.resource import Object

_VERSION = "admissionregistration.k8s.io/v1"


def _mutations(*expressions: str) -> list[Object]:
    """An expression that makes a list is a JSON patch."""
    return [
        {"patchType": "JSONPatch", "jsonPatch": {"expression": each}}
        if each.startswith("[")
        else {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": each}}
        for each in expressions
    ]


def _policy(*expressions: str, name: str = "changes.test", resources: str, **more: Any) -> Object:
    return {
        "apiVersion": _VERSION,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule(resources)]},
            "mutations": _mutations(*expressions),
            "reinvocationPolicy": "Never",
            **more,
        },
    }


@pytest.fixture
async def client(store: Store, clock: FakeClock) -> LocalClient:
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    return LocalClient(server, "alice", manager="kubectl")


async def _bind(
    client: LocalClient,
    *expressions: str,
    name: str = "changes.test",
    resources: str = "configmaps",
    bound: Object | None = None,
    **more: Any,
) -> None:
    policy = _policy(*expressions, name=name, resources=resources, **more)
    await client.create(MUTATING_ADMISSION_POLICIES, policy)
    spec = {"policyName": name, **(bound or {})}
    metadata = {"name": f"{name}-everywhere"}
    binding = {"apiVersion": _VERSION, "kind": "MutatingAdmissionPolicyBinding", "metadata": metadata}
    await client.create(MUTATING_ADMISSION_POLICY_BINDINGS, {**binding, "spec": spec})


async def test_a_configuration_is_merged_in_and_filled_in(client: LocalClient):
    await _bind(
        client,
        """Object{spec: Object.spec{replicas: object.spec.replicas + 2, template: Object.spec.template{
             spec: Object.spec.template.spec{initContainers: [
               Object.spec.template.spec.initContainers{name: "mesh", image: "mesh:1"}]}}}}""",
        resources="deployments",
    )
    made = await client.create(DEPLOYMENTS, deployment("d"))
    spec = made["spec"]["template"]["spec"]
    assert made["spec"]["replicas"] == deployment("d")["spec"].get("replicas", 1) + 2
    assert spec["initContainers"][0]["terminationMessagePath"] == "/dev/termination-log"
    assert len(spec["containers"]) == len(deployment("d")["spec"]["template"]["spec"]["containers"])


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ('[JSONPatch{op: "add", path: "/data/b", value: "2"}]', {"a": "1", "b": "2"}),
        ('[JSONPatch{op: "remove", path: "/data/a"}]', None),
        (
            '[JSONPatch{op: "test", path: "/data/a", value: "9"}, JSONPatch{op: "remove", path: "/data"}]',
            {"a": "1"},
        ),
        (
            '[JSONPatch{op: "add", path: "/data/" + jsonpatch.escapeKey("x") + "." + string(has(JSONPatch{}.op)), value: "3"}]',
            {"a": "1", "x.false": "3"},
        ),
        ('Object{?data: optional.of({"a": variables.next})}', {"a": "12"}),
        ("Object{?data: optional.none()}", {"a": "1"}),
    ],
)
async def test_data_is_changed(client: LocalClient, expression: str, data: dict[str, str] | None):
    variables = [{"name": "next", "expression": "object.data.a + '2'"}]
    await _bind(client, expression, variables=variables)
    made = await client.create(CONFIG_MAPS, config_map("c", {"a": "1"}))
    assert (made.get("data") or None) == data


async def test_mutations_follow_each_other_and_conditions_decide(client: LocalClient):
    await _bind(
        client,
        'Object{data: {"a": object.data.a + "b"}}',
        'Object{data: {"a": object.data.a + "c"}}',
        matchConditions=[{"name": "small", "expression": "size(object.data.a) < 2"}],
    )
    assert (await client.create(CONFIG_MAPS, config_map("c", {"a": "1"})))["data"] == {"a": "1bc"}
    assert (await client.create(CONFIG_MAPS, config_map("d", {"a": "11"})))["data"] == {"a": "11"}


async def test_a_policy_that_wants_to_looks_again_after_a_later_change(client: LocalClient):
    count = 'Object{metadata: Object.metadata{labels: {"keys": string(size(object.data))}}}'
    more = '[JSONPatch{op: "add", path: "/data/b", value: "2"}]'
    await _bind(client, count, name="a.test", reinvocationPolicy="IfNeeded")
    await _bind(client, more, name="b.test")
    made = await client.create(CONFIG_MAPS, config_map("c", {"a": "1"}))
    assert made["metadata"]["labels"]["keys"] == "2"


async def test_the_parameters_of_a_binding_are_used(client: LocalClient):
    await client.create(CONFIG_MAPS, config_map("settings", {"text": "hello"}))
    await _bind(
        client,
        'Object{data: {"said": params.data.text}}',
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        bound={"paramRef": {"name": "settings", "parameterNotFoundAction": "Deny"}},
    )
    assert (await client.create(CONFIG_MAPS, config_map("c", {})))["data"] == {"said": "hello"}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('Object{data: {"a": object.data.zz}}', "no such key: zz"),
        ('Object{dada: {"a": "b"}}', ".dada: field not declared in schema"),
        ('[JSONPatch{op: "remove", path: "/data/zz"}]', "JSON Patch: "),
        (
            "Object{metadata: Object.meta{}}",
            'type mismatch: unexpected type name "Object.meta", expected "Object.metadata"',
        ),
        (
            'Object{metadata: Object.metadata{ownerReferences: [Object.metadata.ownerReferences{uid: "u", '
            'blockOwnerDeletion: true, name: "n", kind: "K", apiVersion: "v1"}], finalizers: [1]}}',
            "",
        ),
    ],
)
async def test_what_can_not_be_changed_is_refused_or_left(client: LocalClient, expression: str, message: str):
    await _bind(client, expression)
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("c", {"a": "1"}))
    assert message in refused.value.message
    if message:
        by = "policy 'changes.test' with binding 'changes.test-everywhere' denied request: "
        assert (refused.value.code, refused.value.reason) == (403, "Invalid")
        assert refused.value.message.startswith(by)
        await client.patch(MUTATING_ADMISSION_POLICIES, "changes.test", {"spec": {"failurePolicy": "Ignore"}})
        assert (await client.create(CONFIG_MAPS, config_map("c", {"a": "1"})))["data"] == {"a": "1"}


async def test_lists_that_belong_together_are_not_merged_into(client: LocalClient):
    atomic = (
        "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: ["
        'Object.spec.template.spec.containers{name: "x", command: ["sh"]}]}}}}'
    )
    await _bind(client, atomic, resources="deployments")
    path = ".spec.template.spec.containers[0].command"
    with pytest.raises(StatusError, match="may not mutate atomic arrays, maps or structs: ") as refused:
        await client.create(DEPLOYMENTS, deployment("d"))
    assert path in refused.value.message


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        ({"patchType": "ApplyConfiguration"}, "must be specified when patchType is ApplyConfiguration"),
        ({"patchType": "Merge"}, 'supported values: "ApplyConfiguration", "JSONPatch"'),
        (
            _mutations("object")[0] | {"jsonPatch": {"expression": "[]"}},
            "must not be specified when patchType",
        ),
        (_mutations("Object.spec{}")[0], "must evaluate to Object"),
        (_mutations("[1]")[0], "must evaluate to list(JSONPatch)"),
        (_mutations("Objects{}")[0], "undeclared reference to 'Objects'"),
        (_mutations('[JSONPatch{to: "x"}]')[0], "undefined field 'to'"),
    ],
)
async def test_a_policy_has_to_make_sense(client: LocalClient, mutation: Object, message: str):
    policy = _policy(resources="configmaps", mutations=[mutation])
    with pytest.raises(StatusError) as refused:
        await client.create(MUTATING_ADMISSION_POLICIES, policy)
    assert (refused.value.code, message in refused.value.message) == (422, True)


async def test_only_what_is_written_can_be_changed(client: LocalClient):
    constraints = {"resourceRules": [rule("configmaps", "DELETE")]}
    policy = _policy(
        "Object{}", resources="configmaps", matchConstraints=constraints, reinvocationPolicy=None
    )
    with pytest.raises(StatusError) as refused:
        await client.create(MUTATING_ADMISSION_POLICIES, policy)
    assert {cause.field for cause in refused.value.causes} == {
        "spec.matchConstraints.resourceRules.operations",
        "spec.reinvocationPolicy",
    }


async def test_custom_objects_are_changed_as_their_schema_merges_them():
    world = CrdWorld()
    await world.start()
    try:
        await world.define()
        expression = """Object{spec: Object.spec{color: "green", parts: [
            Object.spec.parts{name: "a", count: 7}, Object.spec.parts{name: "c"}]}}"""
        await _bind(world.client, expression, resources="widgets")
        made = await world.create(widget(parts=[{"name": "a"}, {"name": "b"}]))
        with pytest.raises(StatusError, match="field not declared in schema"):
            await _bind(world.client, "Object{spec: Object.spec{odd: 1}}", name="z.test", resources="widgets")
            await world.create(widget("other"))
    finally:
        await world.stop()
        await world.store.close()
    assert made["spec"]["color"] == "green"
    assert {part["name"]: part["count"] for part in made["spec"]["parts"]} == {"a": 7, "b": 1, "c": 1}
