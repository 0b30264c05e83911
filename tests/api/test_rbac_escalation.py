"""Nobody hands out more than they hold; who acts as somebody else needs the right to."""

from __future__ import annotations

import pytest
from rbac_world import Cluster, binding, refused, rule

from ktui.engine.api.authn.impersonation import impersonated
from ktui.engine.api.request import User
from ktui.kube.kinds import CLUSTER_ROLES, ROLE_BINDINGS, ROLES


@pytest.fixture
async def cluster(store, clock) -> Cluster:
    """Alice may read pods, and write roles and bindings, in `default`."""
    cluster = await Cluster.start(store, clock)
    await cluster.role("pods", rule("get list", "pods"))
    await cluster.role("rbac", rule("create update patch", "roles rolebindings", "rbac.authorization.k8s.io"))
    await cluster.bind("pods", "alice")
    await cluster.bind("rbac", "alice")
    return cluster


async def test_a_role_may_have_what_its_writer_holds(cluster: Cluster):
    alice = cluster.as_user("alice", "dev")
    await alice.create(ROLES, {"metadata": {"name": "mine"}, "rules": [rule("get", "pods")]}, "default")
    more = {"metadata": {"name": "more"}, "rules": [rule("get list delete watch", "pods")]}
    error = await refused(alice.create(ROLES, more, "default"))
    assert error.code == 403
    assert error.message == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "alice" (groups=["dev" "system:authenticated"]) '
        "is attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}'
    )
    error = await refused(alice.patch(ROLES, "mine", {"rules": [rule("*", "*")]}, "default"))
    assert "attempting to grant RBAC permissions" in error.message
    await alice.patch(ROLES, "mine", {"metadata": {"labels": {"a": "b"}}}, "default")


async def test_escalate_is_the_right_to_write_any_role(cluster: Cluster):
    await cluster.role("boss", rule("escalate", "roles", "rbac.authorization.k8s.io"))
    await cluster.bind("boss", "alice")
    body = {"metadata": {"name": "more"}, "rules": [rule("*", "*")]}
    await cluster.as_user("alice").create(ROLES, body, "default")


async def test_a_binding_may_grant_what_its_writer_holds(cluster: Cluster):
    alice = cluster.as_user("alice")
    await alice.create(ROLE_BINDINGS, binding("pods", "bob"), "default")
    error = await refused(
        alice.create(ROLE_BINDINGS, binding("cluster-admin", "bob", "ClusterRole"), "default")
    )
    assert error.message.startswith(
        'rolebindings.rbac.authorization.k8s.io "bob-cluster-admin" is forbidden: user "alice" '
        '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}'
    )
    error = await refused(alice.create(ROLE_BINDINGS, binding("none", "bob"), "default"))
    assert (error.code, error.message) == (404, 'roles.rbac.authorization.k8s.io "none" not found')
    await cluster.role("binder", rule("bind", "clusterroles", "rbac.authorization.k8s.io", ["cluster-admin"]))
    await cluster.bind("binder", "alice")
    await alice.create(ROLE_BINDINGS, binding("cluster-admin", "bob", "ClusterRole"), "default")


async def test_aggregation_takes_everything(cluster: Cluster):
    await cluster.role("writer", rule("create", "clusterroles", "rbac.authorization.k8s.io"), namespace="")
    await cluster.bind("writer", "alice", namespace="", kind="ClusterRole")
    selector = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    body = {"metadata": {"name": "all"}, "aggregationRule": selector, "rules": []}
    error = await refused(cluster.as_user("alice").create(CLUSTER_ROLES, body))
    assert "must have cluster-admin privileges to use the aggregationRule" in error.message
    await cluster.admin.create(CLUSTER_ROLES, body)


async def acting(cluster: Cluster, user: User, **headers) -> User:
    named = [(f"Impersonate-{name.replace('_', '-')}", value) for name, value in headers.items()]
    return await impersonated(user, named, cluster.server.authorizer)


ADMIN = User("admin", ("system:masters", "system:authenticated"))
ALICE = User("alice", ("system:authenticated",))


async def test_masters_may_act_as_anyone(cluster: Cluster):
    assert await acting(cluster, ADMIN) is ADMIN
    user = await acting(cluster, ADMIN, User="bob", Group="dev", Uid="1", Extra_Scopes="view")
    assert user == User("bob", ("dev", "system:authenticated"), "1", {"scopes": ("view",)})
    user = await acting(cluster, ADMIN, User="system:serviceaccount:default:bot")
    assert user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    )
    user = await acting(cluster, ADMIN, User="system:anonymous")
    assert user.groups == ("system:unauthenticated",)


async def test_others_need_the_right_for_each_claim(cluster: Cluster):
    error = await refused(acting(cluster, ALICE, User="bob"))
    assert error.message == (
        'users "bob" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster '
        "scope"
    )
    await cluster.role("actor", rule("impersonate", "users", names=["bob"]), namespace="")
    await cluster.bind("actor", "alice", namespace="", kind="ClusterRole")
    assert (await acting(cluster, ALICE, User="bob")).name == "bob"
    assert (await refused(acting(cluster, ALICE, User="admin"))).code == 403
    error = await refused(acting(cluster, ALICE, User="bob", Group="system:masters"))
    assert 'groups "system:masters" is forbidden' in error.message
    assert (await refused(acting(cluster, ALICE, User="bob", Extra_Scopes="x"))).code == 403
    assert (await refused(acting(cluster, ALICE, User="bob", Uid="x"))).code == 403


async def test_groups_alone_are_no_user(cluster: Cluster):
    error = await refused(acting(cluster, ADMIN, Group="dev"))
    assert (error.code, error.message) == (400, "requested impersonation without impersonating a user")
