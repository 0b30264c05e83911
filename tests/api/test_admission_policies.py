"""Admission policies: rules in CEL, bound to places and parameters, that deny, warn or note."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from admission_objects import binding, policy, rule
from api_objects import config_map, deployment

from ktui.client.base import PatchType
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.request import Request, User
from ktui.engine.api.server import ApiServer
from ktui.engine.store import Store
from ktui.kube.clock import FakeClock, settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    NAMESPACES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)


class World:
    """A server and a client who hears warnings."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.warnings: list[str] = []
        self.client = LocalClient(server, "alice", manager="kubectl", on_warning=self.warnings.append)

    async def bind(self, *validations, bound=None, **more) -> None:
        """A policy with these validations and fields, and a binding with the fields `bound`."""
        await self.client.create(VALIDATING_ADMISSION_POLICIES, policy(*validations, **more))
        await self.client.create(VALIDATING_ADMISSION_POLICY_BINDINGS, binding(**(bound or {})))

    async def refusal(self, obj=None) -> StatusError:
        with pytest.raises(StatusError) as error:
            await self.client.create(CONFIG_MAPS, obj or config_map("c", {"a": "1"}))
        return error.value

    async def passes(self, obj=None) -> bool:
        try:
            await self.client.create(CONFIG_MAPS, obj or config_map("c", {"a": "1"}))
        except StatusError:
            return False
        return True


@pytest.fixture
async def world(store: Store, clock: FakeClock) -> World:
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    return World(server)


DENIED = "configmaps \"c\" is forbidden: ValidatingAdmissionPolicy 'rules.test' with binding 'everywhere' denied request: "


@pytest.mark.parametrize(
    ("validation", "code", "reason", "message"),
    [
        ("object.data.a == '2'", 422, "Invalid", "failed expression: object.data.a == '2'"),
        ({"expression": "false", "message": "no"}, 422, "Invalid", "no"),
        ({"expression": "false", "reason": "Forbidden", "message": "no"}, 403, "Forbidden", "no"),
        (
            {"expression": "false", "messageExpression": "'a is ' + object.data.a", "message": "no"},
            422,
            "Invalid",
            "a is 1",
        ),
        (
            {"expression": "false", "messageExpression": "object.data.zz", "message": "no"},
            422,
            "Invalid",
            "no",
        ),
        (
            "object.data.zz == '1'",
            422,
            "Invalid",
            "expression 'object.data.zz == '1'' resulted in error: no such key: zz",
        ),
    ],
)
async def test_a_violation_is_denied(world: World, validation, code: int, reason: str, message: str):
    await world.bind(validation)
    error = await world.refusal()
    assert (error.code, error.reason, error.message) == (code, reason, DENIED + message)
    assert error.causes[0].message == DENIED.partition("forbidden: ")[2] + message


async def test_what_keeps_to_the_rules_passes(world: World):
    await world.bind("object.data.a == '1'", "!has(object.data.b)")
    assert await world.passes()
    with pytest.raises(StatusError, match="failed expression: !has"):
        await world.client.patch(CONFIG_MAPS, "c", {"data": {"b": "2"}}, patch_type=PatchType.MERGE)


async def test_without_binding_a_policy_does_nothing(world: World):
    await world.client.create(VALIDATING_ADMISSION_POLICIES, policy("false"))
    assert await world.passes()
    await world.client.create(VALIDATING_ADMISSION_POLICY_BINDINGS, binding())
    assert not await world.passes(config_map("d"))
    await world.client.delete(VALIDATING_ADMISSION_POLICY_BINDINGS, "everywhere")
    assert await world.passes(config_map("d"))


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("oldObject == null", True),
        ("request.operation == 'CREATE' && request.userInfo.username == 'alice'", True),
        ("request.namespace == 'default' && request.resource.resource == 'configmaps'", True),
        ("namespaceObject.metadata.name == 'default' && namespaceObject.status.phase == 'Active'", True),
        ("authorizer.group('').resource('pods').check('delete').allowed()", True),
        ("authorizer.requestResource.check('create').allowed()", True),
        ("authorizer.path('/healthz').check('get').reason() == ''", True),
        ("variables.keys.size() == 1 && variables.first == 'a'", True),
        ("has(object.data) || variables.broken == 1", True),
        ("object.metadata.managedFields.exists(m, m.manager == 'kubectl')", True),
        ("variables.broken == 1", False),
    ],
)
async def test_what_rules_can_name(world: World, expression: str, holds: bool):
    variables = [
        {"name": "keys", "expression": "object.data.map(k, k)"},
        {"name": "first", "expression": "variables.keys[0]"},
        {"name": "broken", "expression": "object.nothing"},
    ]
    await world.bind(expression, variables=variables)
    if holds:
        await world.client.create(CONFIG_MAPS, config_map("c", {"a": "1"}))
    else:
        assert (
            'composited variable "broken" fails to evaluate: no such key: nothing'
            in (await world.refusal()).message
        )


async def test_the_authorizer_is_asked_about_the_user(world: World, store: Store):
    class Strict:
        async def authorize(self, access):
            if access.verb == "shout" and access.user.name != "bob":
                raise StatusError({"message": "no shouting", "code": 403})

        async def authorize_path(self, user, verb, path):
            return

    server = ApiServer(store, default_registry(), authorizer=Strict())
    check = "authorizer.group('x.io').resource('voices').name('v').check('shout')"
    validation = {"expression": f"{check}.allowed()", "messageExpression": "'why: ' + 'no'"}
    await world.bind(validation)
    body = config_map("c")
    with pytest.raises(StatusError, match="why: no"):
        await server.create(Request(User("alice")), CONFIG_MAPS, body, "default")
    await server.create(Request(User("bob")), CONFIG_MAPS, body, "default")


@pytest.mark.parametrize(
    ("bound", "passes"),
    [
        ({"matchResources": {"namespaceSelector": {"matchLabels": {"x": "y"}}}}, True),
        ({"matchResources": {"objectSelector": {"matchLabels": {"app": "web"}}}}, False),
        ({"matchResources": {"resourceRules": [rule("secrets")]}}, True),
        ({"matchResources": {"excludeResourceRules": [rule("configmaps")]}}, True),
        ({"matchResources": {"resourceRules": [rule("configmaps", resourceNames=["c"])]}}, False),
        ({"matchResources": {"resourceRules": [rule("configmaps", resourceNames=["d"])]}}, True),
        ({"validationActions": ["Warn"]}, True),
        ({"validationActions": ["Audit"]}, True),
    ],
)
async def test_where_a_binding_holds(world: World, bound, passes: bool):
    await world.bind("false", bound=bound)
    assert await world.passes(config_map("c", {"a": "1"}, labels={"app": "web"})) == passes


async def test_warnings_and_notes(world: World):
    annotations = [{"key": "size", "valueExpression": "string(size(object.data))"}]
    actions = {"validationActions": ["Warn", "Audit"]}
    await world.bind({"expression": "false", "message": "hm"}, bound=actions, auditAnnotations=annotations)
    request = Request(User("alice"))
    await world.server.create(request, CONFIG_MAPS, config_map("c", {"a": "1"}), "default")
    assert request.warnings == [
        "Validation failed for ValidatingAdmissionPolicy 'rules.test' with binding 'everywhere': hm"
    ]
    assert request.audit == {
        "validation.policy.admission.k8s.io/validation_failure": (
            '[{"message":"hm","policy":"rules.test","binding":"everywhere","expressionIndex":0,'
            '"validationActions":["Warn","Audit"]}]'
        ),
        "rules.test/size": "1",
    }


async def test_an_annotation_that_is_no_text_refuses(world: World):
    await world.bind(
        auditAnnotations=[{"key": "k", "valueExpression": "object.kind == 'Pod' ? object.zz : object.data"}]
    )
    assert "Return type must be either string or null" in (await world.refusal()).message


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"failurePolicy": "Ignore"}, True),
        ({"failurePolicy": "Fail"}, False),
        ({"matchConditions": [{"name": "a", "expression": "request.userInfo.username != 'alice'"}]}, True),
        ({"matchConditions": [{"name": "a", "expression": "object.zz == 1"}]}, False),
        (
            {"failurePolicy": "Ignore", "matchConditions": [{"name": "a", "expression": "object.zz == 1"}]},
            True,
        ),
    ],
)
async def test_what_a_failure_means(world: World, fields, passes: bool):
    await world.bind("object.data.zz == '1'", **fields)
    assert await world.passes() == passes


CONFIG_MAP_PARAMS = {"apiVersion": "v1", "kind": "ConfigMap"}


async def test_parameters(world: World):
    limits = [
        config_map(name, {"most": most}, labels={"limits": "yes"})
        for name, most in (("l1", "3"), ("l2", "2"))
    ]
    for limit in limits:
        await world.client.create(CONFIG_MAPS, limit)
    ref = {"selector": {"matchLabels": {"limits": "yes"}}, "parameterNotFoundAction": "Deny"}
    validation = {
        "expression": "object.spec.replicas <= int(params.data.most)",
        "messageExpression": "'at most ' + params.data.most + ' of ' + params.metadata.name",
    }
    await world.bind(
        validation, bound={"paramRef": ref}, paramKind=CONFIG_MAP_PARAMS, resources="deployments"
    )
    await world.client.create(DEPLOYMENTS, deployment("d", 2))
    for replicas, limit in ((3, "at most 2 of l2"), (5, "at most 3 of l1")):
        with pytest.raises(StatusError, match=limit):
            await world.client.create(DEPLOYMENTS, deployment("e", replicas))
    for limit in ("l1", "l2"):
        await world.client.delete(CONFIG_MAPS, limit)
    with pytest.raises(StatusError) as error:
        await world.client.create(DEPLOYMENTS, deployment("e", 1))
    assert error.value.message.endswith(
        "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    )


@pytest.mark.parametrize(
    ("ref", "kind", "problem"),
    [
        ({"name": "l", "parameterNotFoundAction": "Allow"}, CONFIG_MAP_PARAMS, ""),
        (
            {"name": "l", "namespace": "a", "parameterNotFoundAction": "Allow"},
            {"apiVersion": "v1", "kind": "Namespace"},
            "paramRef.namespace must not be provided for a cluster-scoped `paramKind`",
        ),
        (
            {"name": "l", "parameterNotFoundAction": "Allow"},
            {"apiVersion": "example.com/v1", "kind": "Limit"},
            "failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'",
        ),
    ],
)
async def test_parameters_that_are_not_there(world: World, ref, kind, problem: str):
    await world.bind("false", bound={"paramRef": ref}, paramKind=kind)
    if problem:
        assert problem in (await world.refusal()).message
    else:
        assert await world.passes()


async def test_parameters_of_the_request_s_namespace_need_one(world: World):
    ref = {"name": "l", "parameterNotFoundAction": "Allow"}
    await world.bind("false", bound={"paramRef": ref}, paramKind=CONFIG_MAP_PARAMS, resources="namespaces")
    with pytest.raises(StatusError, match="cannot use namespaced paramRef"):
        await world.client.create(NAMESPACES, {"metadata": {"name": "n"}})


async def test_deletions_show_what_was(world: World):
    await world.client.create(CONFIG_MAPS, config_map("c", {"keep": "yes"}))
    match = {"resourceRules": [rule("configmaps", "DELETE")]}
    await world.bind("object == null && oldObject.data.keep != 'yes'", matchConstraints=match)
    with pytest.raises(StatusError, match="failed expression"):
        await world.client.delete(CONFIG_MAPS, "c")


async def test_policies_hold_not_for_policies(world: World):
    await world.bind("false", resources="*")
    await world.client.delete(VALIDATING_ADMISSION_POLICIES, "rules.test")
    assert await world.passes()


async def test_types_are_checked_in_the_background(world: World):
    match = {"resourceRules": [{**rule("deployments", groups="apps"), "apiVersions": ["v1"]}]}
    confused = {
        "expression": "object.spec.replicas > '1'",
        "messageExpression": "'wants replicas > 1, got ' + object.spec.replicas",
    }
    checker = asyncio.create_task(world.server.run())
    try:
        for name, validation in (("right", "object.spec.replicas > 1"), ("confused", confused)):
            made = policy(validation, name=name, matchConstraints=match)
            await world.client.create(VALIDATING_ADMISSION_POLICIES, made)
        await settle(50)
        right = await world.client.get(VALIDATING_ADMISSION_POLICIES, "right")
        assert right["status"] == {"observedGeneration": 1, "typeChecking": {}}
        found = await world.client.get(VALIDATING_ADMISSION_POLICIES, "confused")
    finally:
        checker.cancel()
        await asyncio.gather(checker, return_exceptions=True)
    assert found["status"]["typeChecking"]["expressionWarnings"] == [
        {
            "fieldRef": "spec.validations[0].expression",
            "warning": (
                "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to "
                "'(int, string)'\n | object.spec.replicas > '1'\n | .....................^\n"
            ),
        },
        {
            "fieldRef": "spec.validations[0].messageExpression",
            "warning": (
                "apps/v1, Kind=Deployment: ERROR: <input>:1:28: found no matching overload for '_+_' applied to "
                "'(string, int)'\n | 'wants replicas > 1, got ' + object.spec.replicas\n"
                " | ...........................^\n"
            ),
        },
    ]


async def test_a_converted_kind_is_shown_in_the_version_a_policy_names(world: World):
    """matchPolicy Equivalent: autoscaling/v1 to a policy about autoscaling/v2, and what is changed comes back."""
    constraints = {"resourceRules": [{**rule("horizontalpodautoscalers"), "apiVersions": ["v2"]}]}
    expression = "object.apiVersion == 'autoscaling/v2' && object.spec.metrics[0].resource.name != 'cpu'"
    await world.bind(expression, matchConstraints=constraints)
    scaler = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "default"},
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
            "targetCPUUtilizationPercentage": 50,
        },
    }
    version_1 = replace(HORIZONTAL_POD_AUTOSCALERS, version="v1")
    with pytest.raises(StatusError, match="failed expression: "):
        await world.client.create(version_1, scaler)
    await world.client.patch(
        VALIDATING_ADMISSION_POLICIES, "rules.test", {"spec": {"matchConstraints": {"matchPolicy": "Exact"}}}
    )
    made = await world.client.create(version_1, scaler)
    assert made["spec"]["targetCPUUtilizationPercentage"] == 50
