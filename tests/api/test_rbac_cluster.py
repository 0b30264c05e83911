"""A cluster with roles: its defaults, who may what, and the words a denial is made of."""

from __future__ import annotations

import time

import pytest
from rbac_world import GROUP, Cluster, refused, rule

from ktui.client.base import ListOptions, PatchType, WriteOptions
from ktui.engine.api.rbac.authorizer import Rbac
from ktui.engine.api.rbac.bootstrap import ensure_default_roles
from ktui.engine.api.request import Access, User
from ktui.kube.kinds import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    NODES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
)


@pytest.fixture
async def cluster(store, clock) -> Cluster:
    return await Cluster.start(store, clock)


async def test_roles_of_a_namespace_count_there_only(cluster: Cluster):
    alice = cluster.as_user("alice")
    denied = await refused(alice.list(PODS, "default"))
    assert denied.code == 403
    assert denied.message == (
        'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    await cluster.role("reader", rule("get list", "pods"))
    await cluster.bind("reader", "alice")
    assert (await alice.list(PODS, "default")).items == []
    assert (await refused(alice.list(PODS, "kube-system"))).code == 403
    assert (await refused(alice.list(PODS))).message == (
        'pods is forbidden: User "alice" cannot list resource "pods" in API group "" at the cluster scope'
    )
    assert (await refused(cluster.as_user("bob").list(PODS, "default"))).code == 403


async def test_a_binding_taken_away_ends_what_it_gave(cluster: Cluster):
    alice = cluster.as_user("alice", "dev")
    await cluster.bind("view", "dev", kind="ClusterRole", subject={"kind": "Group", "name": "dev"})
    await cluster.admin.patch(
        CLUSTER_ROLES, "view", {"rules": [rule("list", "pods")]}, options=WriteOptions(field_manager="t")
    )
    await alice.list(PODS, "default")
    await cluster.admin.delete(ROLE_BINDINGS, "dev-view", "default")
    assert (await refused(alice.list(PODS, "default"))).code == 403


async def test_names_limit_a_rule_and_a_list_of_one_name_is_of_that_name(cluster: Cluster):
    await cluster.role("one", rule("get list", "secrets", names=["mine"]))
    await cluster.bind("one", "alice")
    alice = cluster.as_user("alice")
    assert (await refused(alice.get(SECRETS, "other", "default"))).code == 403
    assert (await refused(alice.get(SECRETS, "mine", "default"))).code == 404
    assert (await refused(alice.list(SECRETS, "default"))).code == 403
    options = ListOptions(field_selector="metadata.name=mine")
    assert (await alice.list(SECRETS, "default", options=options)).items == []


async def test_service_accounts_are_users_and_groups(cluster: Cluster):
    await cluster.role("reader", rule("list", "pods"))
    subject = {"kind": "ServiceAccount", "name": "bot", "namespace": "kube-system"}
    await cluster.bind("reader", "bot", subject=subject)
    await cluster.as_user("system:serviceaccount:kube-system:bot").list(PODS, "default")
    assert (
        await refused(cluster.as_user("system:serviceaccount:default:bot").list(PODS, "default"))
    ).code == 403


async def test_an_apply_that_creates_needs_create_too(cluster: Cluster):
    await cluster.role("patcher", rule("patch", "configmaps"))
    await cluster.bind("patcher", "alice")
    alice = cluster.as_user("alice")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
    options = WriteOptions(field_manager="t")
    call = alice.patch(CONFIG_MAPS, "a", config, "default", patch_type=PatchType.APPLY, options=options)
    assert 'cannot create resource "configmaps"' in (await refused(call)).message
    await cluster.admin.create(CONFIG_MAPS, config, "default")
    await alice.patch(CONFIG_MAPS, "a", config, "default", patch_type=PatchType.APPLY, options=options)


async def test_defaults_are_there_and_a_second_start_changes_nothing(cluster: Cluster, store):
    role = await cluster.admin.get(CLUSTER_ROLES, "cluster-admin")
    assert role["rules"][0] == {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert role["metadata"]["labels"] == {"kubernetes.io/bootstrapping": "rbac-defaults"}
    names = {each["metadata"]["name"] for each in (await cluster.admin.list(CLUSTER_ROLES)).items}
    assert {"admin", "edit", "view", "system:node", "system:controller:job-controller"} <= names
    before = store.revision
    await ensure_default_roles(cluster.server)
    assert store.revision == before


async def test_defaults_are_mended_unless_told_otherwise(cluster: Cluster):
    admin = cluster.admin
    extra = rule("get", "nodes")
    await admin.patch(CLUSTER_ROLES, "system:basic-user", {"rules": [extra]})
    await admin.patch(CLUSTER_ROLE_BINDINGS, "cluster-admin", {"subjects": None})
    await admin.delete(CLUSTER_ROLES, "system:discovery")
    hands_off = {"metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}}
    await admin.patch(CLUSTER_ROLES, "system:kube-dns", {**hands_off, "rules": []})
    await ensure_default_roles(cluster.server)
    basic = await admin.get(CLUSTER_ROLES, "system:basic-user")
    assert basic["rules"][0] == extra
    assert {"selfsubjectaccessreviews", "selfsubjectreviews"} <= {
        name for each in basic["rules"] for name in each["resources"]
    }
    found = await admin.get(CLUSTER_ROLE_BINDINGS, "cluster-admin")
    assert found["subjects"] == [{"apiGroup": GROUP, "kind": "Group", "name": "system:masters"}]
    assert (await admin.get(CLUSTER_ROLES, "system:discovery"))["rules"]
    assert not (await admin.get(CLUSTER_ROLES, "system:kube-dns")).get("rules")


async def test_everyone_may_look_at_health_and_users_at_discovery(cluster: Cluster):
    authorizer = cluster.server.authorizer
    anonymous = User("system:anonymous", ("system:unauthenticated",))
    alice = User("alice", ("system:authenticated",))
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        await authorizer.authorize_path(anonymous, "get", path)
    for path in ("/api", "/apis/apps/v1", "/openapi/v3"):
        await authorizer.authorize_path(alice, "get", path)
        denied = await refused(authorizer.authorize_path(anonymous, "get", path))
        assert denied.message == f'forbidden: User "system:anonymous" cannot get path "{path}"'
    assert (await refused(authorizer.authorize_path(alice, "get", "/metrics"))).code == 403


async def test_a_decision_takes_microseconds(cluster: Cluster):
    for number in range(50):
        await cluster.role(f"r{number}", rule("get list watch", "pods services secrets"))
        await cluster.bind(f"r{number}", "alice")
    authorizer = cluster.server.authorizer
    assert isinstance(authorizer, Rbac)
    access = Access(User("alice", ("dev", "system:authenticated")), "delete", NODES, "default", "x")
    best = min(_seconds_each(authorizer, access) for _ in range(5))
    assert best < 50e-6


def _seconds_each(authorizer: Rbac, access: Access, times: int = 500) -> float:
    start = time.perf_counter()
    for _ in range(times):
        authorizer.allows(access)
    return (time.perf_counter() - start) / times


@pytest.mark.parametrize(
    ("resource", "obj", "message"),
    [
        (
            ROLES,
            {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": []}]},
            'Role.rbac.authorization.k8s.io "x" is invalid: rules[0].verbs: Required value: verbs must contain at '
            "least one value",
        ),
        (
            ROLES,
            {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]},
            'Role.rbac.authorization.k8s.io "x" is invalid: rules[0].nonResourceURLs: Invalid value: ["/x"]: '
            "namespaced rules cannot apply to non-resource URLs",
        ),
        (
            CLUSTER_ROLES,
            {"rules": [{"resources": ["pods"], "verbs": ["get"]}]},
            'ClusterRole.rbac.authorization.k8s.io "x" is invalid: rules[0].apiGroups: Required value: resource '
            "rules must supply at least one api group",
        ),
        (
            ROLE_BINDINGS,
            {"roleRef": {"kind": "Foo", "name": "y"}, "subjects": [{"kind": "User", "name": "a"}]},
            'RoleBinding.rbac.authorization.k8s.io "x" is invalid: roleRef.kind: Unsupported value: "Foo": supported '
            'values: "Role", "ClusterRole"',
        ),
        (
            CLUSTER_ROLE_BINDINGS,
            {
                "roleRef": {"kind": "ClusterRole", "name": "y"},
                "subjects": [{"kind": "ServiceAccount", "name": "a"}],
            },
            'ClusterRoleBinding.rbac.authorization.k8s.io "x" is invalid: subjects[0].namespace: Required value',
        ),
    ],
)
async def test_what_is_no_role_or_binding_is_refused(cluster: Cluster, resource, obj, message):
    error = await refused(cluster.admin.create(resource, {"metadata": {"name": "x"}, **obj}, "default"))
    assert (error.code, error.message) == (422, message)


async def test_a_binding_cannot_change_its_role(cluster: Cluster):
    await cluster.bind("view", "alice", kind="ClusterRole")
    error = await refused(
        cluster.admin.patch(ROLE_BINDINGS, "alice-view", {"roleRef": {"name": "edit"}}, "default")
    )
    assert error.message == (
        'RoleBinding.rbac.authorization.k8s.io "alice-view" is invalid: roleRef: Invalid value: '
        '{"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}: cannot change roleRef'
    )


async def test_tables_show_what_kubectl_shows(cluster: Cluster):
    await cluster.bind("view", "alice", kind="ClusterRole")
    table = await cluster.admin.table(ROLE_BINDINGS, "default")
    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name",
        "Role",
        "Age",
        "Users",
        "Groups",
        "ServiceAccounts",
    ]
    assert table["rows"][0]["cells"] == ["alice-view", "ClusterRole/view", "0s", "alice", "", ""]
    table = await cluster.admin.table(CLUSTER_ROLES, name="view")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Created At"]
