"""Questions about access and identity, asked by creating reviews."""

from __future__ import annotations

import pytest
from rbac_world import Cluster, refused, rule

from ktui.engine.api.resources.reviews import DECLARATIONS

REVIEWS = {each.resource.kind: each.resource for each in DECLARATIONS}


@pytest.fixture
async def cluster(store, clock) -> Cluster:
    return await Cluster.start(store, clock)


async def ask(client, kind, in_namespace="", **spec):
    answer = await client.create(REVIEWS[kind], {"spec": spec}, in_namespace)
    return answer["status"]


def may(verb, resource, namespace="default", **more):
    return {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": namespace, **more}}


async def test_one_may_ask_what_one_may(cluster: Cluster):
    await cluster.role("reader", rule("get list", "pods"))
    await cluster.bind("reader", "alice")
    alice = cluster.as_user("alice")
    assert await ask(alice, "SelfSubjectAccessReview", **may("list", "pods")) == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "alice-reader/default" of Role "reader" to User "alice"',
    }
    assert await ask(alice, "SelfSubjectAccessReview", **may("delete", "pods")) == {"allowed": False}
    assert not (await ask(alice, "SelfSubjectAccessReview", **may("list", "pods", "kube-system")))["allowed"]
    path = {"nonResourceAttributes": {"verb": "get", "path": "/version"}}
    assert (await ask(alice, "SelfSubjectAccessReview", **path))["allowed"]
    path = {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}
    assert not (await ask(alice, "SelfSubjectAccessReview", **path))["allowed"]
    assert (await ask(cluster.admin, "SelfSubjectAccessReview", **may("*", "*", "")))["allowed"]


async def test_asking_about_others_takes_a_right_of_its_own(cluster: Cluster):
    alice = cluster.as_user("alice")
    about = {**may("get", "pods"), "user": "bob", "groups": ["dev"]}
    call = alice.create(REVIEWS["SubjectAccessReview"], {"spec": about})
    assert (await refused(call)).code == 403
    assert not (await ask(cluster.admin, "SubjectAccessReview", **about))["allowed"]
    await cluster.bind("view", "dev", kind="ClusterRole", subject={"kind": "Group", "name": "dev"})
    await cluster.admin.patch(
        cluster.server.registry.find("clusterroles").resource, "view", {"rules": [rule("get", "pods")]}
    )
    answer = await ask(cluster.admin, "SubjectAccessReview", **about)
    assert answer == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "dev-view/default" of ClusterRole "view" to Group "dev"',
    }
    assert (await ask(cluster.admin, "LocalSubjectAccessReview", "default", **about))["allowed"]


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        (
            "SelfSubjectAccessReview",
            {},
            "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or "
            "resourceAttributes must be specified",
        ),
        (
            "SubjectAccessReview",
            may("get", "pods"),
            'spec.user: Invalid value: "": at least one of user or group must be specified',
        ),
        (
            "LocalSubjectAccessReview",
            {**may("get", "pods", "other"), "user": "bob"},
            'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
        ),
    ],
)
async def test_what_is_no_question_is_refused(cluster: Cluster, kind, spec, message):
    namespace = "default" if kind.startswith("Local") else ""
    error = await refused(cluster.admin.create(REVIEWS[kind], {"spec": spec}, namespace))
    assert error.code == 422
    assert message in error.message


async def test_the_rules_one_has_in_a_namespace(cluster: Cluster):
    await cluster.role("reader", rule("get list", "pods", names=["web"]))
    await cluster.bind("reader", "alice")
    status = await ask(cluster.as_user("alice"), "SelfSubjectRulesReview", namespace="default")
    assert rule("get list", "pods", names=["web"]) in status["resourceRules"]
    assert any("/version" in each["nonResourceURLs"] for each in status["nonResourceRules"])
    assert status["incomplete"] is False
    await cluster.bind("gone", "alice", kind="ClusterRole")
    status = await ask(cluster.as_user("alice"), "SelfSubjectRulesReview", namespace="default")
    assert status["evaluationError"] == 'clusterroles.rbac.authorization.k8s.io "gone" not found'


async def test_who_am_i(cluster: Cluster):
    status = await ask(cluster.as_user("alice", "dev"), "SelfSubjectReview")
    assert status == {"userInfo": {"username": "alice", "groups": ["dev", "system:authenticated"]}}


@pytest.mark.parametrize("kind", REVIEWS)
async def test_reviews_can_only_be_created(cluster: Cluster, kind):
    assert (await refused(cluster.admin.list(REVIEWS[kind]))).code == 405
    assert (await refused(cluster.admin.get(REVIEWS[kind], "x", "default"))).code == 405
