"""Flow schemas and priority levels: the ones every cluster has, what may not be changed, what is refused."""

from __future__ import annotations

import asyncio

import pytest
from http_wire import served_over_tls
from kind_bodies import CLUSTER_BODIES
from kind_cases import REGISTRY, errors

from ktui.engine.api.flow_matching import Asked
from ktui.engine.api.local import LocalClient
from ktui.engine.api.request import User
from ktui.engine.api.resources import flow_objects
from ktui.engine.api.server import ApiServer
from ktui.kube.errors import StatusError
from ktui.kube.kinds import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS


def schema(**spec):
    body = CLUSTER_BODIES["flowschemas.flowcontrol.apiserver.k8s.io"]["spec"]
    return {"metadata": {"name": "x"}, "spec": {**body, **spec}}


def rules(**fields):
    subjects = [{"kind": "Group", "group": {"name": "g"}}]
    return [{"subjects": subjects, **fields}]


def resources(**fields):
    rule = {"verbs": ["get"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}
    return rules(resourceRules=[{**rule, **fields}])


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"matchingPrecedence": 1},
            "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
        ),
        (
            {"priorityLevelConfiguration": {"name": ""}},
            "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
        ),
        (
            {"rules": rules()},
            "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty",
        ),
        (
            {"rules": resources(verbs=["*", "get"])},
            'spec.rules[0].resourceRules[0].verbs: Invalid value: ["*","get"]: if \'*\' is present, must not specify '
            "other verbs",
        ),
        (
            {"rules": resources(namespaces=[])},
            "spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped "
            "must supply at least one namespace",
        ),
        (
            {"rules": rules(nonResourceRules=[{"verbs": ["get"], "nonResourceURLs": ["/a*"]}])},
            'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*": wildcard can only do suffix '
            "matching",
        ),
        (
            {"rules": [{**resources()[0], "subjects": [{"kind": "User", "group": {"name": "g"}}]}]},
            "spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
        ),
    ],
)
def test_what_a_schema_may_not_say(spec, error):
    assert error in errors("flowschemas", schema(**spec))


@pytest.mark.parametrize(
    ("queuing", "error"),
    [
        (
            {"queues": 4},
            "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than ",
        ),
        (
            {"queues": 1000, "handSize": 8},
            "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required entropy bits of deckSize 1000 "
            "and handSize 8 should not be greater than 60",
        ),
    ],
)
def test_how_requests_may_queue(queuing, error):
    limited = {"limitResponse": {"type": "Queue", "queuing": queuing}}
    level = {"metadata": {"name": "x"}, "spec": {"type": "Limited", "limited": limited}}
    (found,) = errors("prioritylevelconfigurations", level)
    assert found.startswith(error)


async def test_a_cluster_has_its_flows_whatever_is_deleted(store, clock):
    server = ApiServer(store, REGISTRY, clock)
    await server.start()
    client = LocalClient(server, "test")
    task = asyncio.create_task(server.run())

    async def dangling(name):
        """What is said of a schema, as soon as something is."""
        async with asyncio.timeout(10):
            while True:
                try:
                    found = await client.get(FLOW_SCHEMAS, name)
                    return found["status"]["conditions"][0]["status"]
                except (StatusError, KeyError):
                    await asyncio.sleep(0.001)

    try:
        assert await dangling("catch-all") == "False"
        rows = (await client.table(FLOW_SCHEMAS))["rows"]
        assert len(rows) == 11
        assert ["exempt", "exempt", 1, "<none>", "False"] in [r["cells"][:4] + r["cells"][5:] for r in rows]
        with pytest.raises(StatusError) as error:
            await client.patch(FLOW_SCHEMAS, "exempt", {"spec": {"matchingPrecedence": 7}})
        assert "spec of 'exempt' must equal the fixed value" in error.value.message
        shares = {"spec": {"exempt": {"nominalConcurrencyShares": 3}}}
        assert await client.patch(PRIORITY_LEVEL_CONFIGURATIONS, "exempt", shares)
        await client.create(FLOW_SCHEMAS, schema(priorityLevelConfiguration={"name": "gone"}))
        assert await dangling("x") == "True"
        await client.delete(FLOW_SCHEMAS, "catch-all")
        assert await dangling("catch-all") == "False"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("user", "asked", "schema"),
    [
        (User("admin", ("system:masters",)), Asked("get", path="/metrics"), "exempt"),
        (User("bob", ("system:authenticated",)), Asked("get", path="/livez"), "probes"),
        (User("bob", ("system:authenticated",)), Asked("get", "", "pods", "default"), "global-default"),
        (
            User("system:node:a", ("system:nodes", "system:authenticated")),
            Asked("update", "coordination.k8s.io", "leases", "kube-node-lease"),
            "system-node-high",
        ),
        (
            User("system:node:a", ("system:nodes", "system:authenticated")),
            Asked("list", "", "pods"),
            "system-nodes",
        ),
        (
            User("system:serviceaccount:kube-system:x", ("system:serviceaccounts", "system:authenticated")),
            Asked("get", "", "secrets", "default"),
            "kube-system-service-accounts",
        ),
        (
            User("system:serviceaccount:default:x", ("system:serviceaccounts", "system:authenticated")),
            Asked("get", "", "secrets", "default"),
            "service-accounts",
        ),
    ],
)
async def test_the_first_schema_that_matches_counts(store, clock, user, asked, schema):
    server = ApiServer(store, REGISTRY, clock)
    await server.start()
    client = LocalClient(server, "test")
    for resource, objects in (
        (PRIORITY_LEVEL_CONFIGURATIONS, (*flow_objects.MANDATORY_LEVELS, *flow_objects.SUGGESTED_LEVELS)),
        (FLOW_SCHEMAS, (*flow_objects.MANDATORY_SCHEMAS, *flow_objects.SUGGESTED_SCHEMAS)),
    ):
        for obj in objects:
            await client.create(resource, obj)
    found = server.flow_matcher.of(user, asked)
    wanted = await client.get(FLOW_SCHEMAS, schema)
    assert found is not None and found.schema == wanted["metadata"]["uid"]


async def test_answers_say_which_flow_they_belong_to(tmp_path):
    async with served_over_tls(tmp_path) as wire:
        client = LocalClient(wire.server, "test")
        level = CLUSTER_BODIES["prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"]
        made = await client.create(PRIORITY_LEVEL_CONFIGURATIONS, {"metadata": {"name": "system"}, **level})
        of_bob = [
            {
                "subjects": [{"kind": "User", "user": {"name": "bob"}}],
                "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/version"]}],
            }
        ]
        matched = await client.create(FLOW_SCHEMAS, schema(rules=of_bob))
        async with wire.session.get(f"{wire.secure.url}/version", ssl=wire.context("bob")) as answer:
            assert answer.headers["X-Kubernetes-PF-FlowSchema-UID"] == matched["metadata"]["uid"]
            assert answer.headers["X-Kubernetes-PF-PriorityLevel-UID"] == made["metadata"]["uid"]
        async with wire.session.get(f"{wire.secure.url}/version", ssl=wire.admin) as answer:
            assert "X-Kubernetes-PF-FlowSchema-UID" not in answer.headers
