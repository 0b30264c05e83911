"""Built-in admission of nodes, runtime classes and priority classes."""

from __future__ import annotations

from typing import Any

import pytest
from api_objects import pod
from rbac_world import Cluster, refused

from ktui.client.base import PatchType
from ktui.kube.kinds import (
    LEASES,
    NODES,
    PODS,
    PRIORITY_CLASSES,
    RUNTIME_CLASSES,
    SERVICE_ACCOUNTS,
)


@pytest.fixture
async def cluster(store, clock) -> Cluster:
    """Nodes `a` and `b` with a pod each."""
    cluster = await Cluster.start(store, clock)
    await cluster.admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
    for name in ("a", "b"):
        await cluster.admin.create(NODES, {"metadata": {"name": name}})
        await cluster.admin.create(PODS, pod(f"on-{name}", node=name), "default")
    return cluster


def kubelet_of(cluster: Cluster):
    return cluster.as_user("system:node:a", "system:nodes")


async def mirror(cluster: Cluster, **spec: Any) -> dict[str, Any]:
    """A mirror pod of node a."""
    uid = (await cluster.admin.get(NODES, "a"))["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": "a", "uid": uid, "controller": True}
    made = pod("static", node="a", annotations={"kubernetes.io/config.mirror": "x"}, ownerReferences=[owner])
    return {**made, "spec": {**made["spec"], **spec}}


async def test_a_kubelet_makes_mirror_pods_only(cluster: Cluster):
    kubelet = kubelet_of(cluster)
    assert (await refused(kubelet.create(PODS, pod("p", node="a"), "default"))).message == (
        'pods "p" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "a" can only create '
        "mirror pods"
    )
    made = await mirror(cluster)
    for metadata, problem in (
        ({"ownerReferences": []}, 'node "a" can only create pods with an owner reference set to itself'),
        (
            {"ownerReferences": [{**made["metadata"]["ownerReferences"][0], "controller": False}]},
            "with a controller owner reference set to itself",
        ),
        ({"ownerReferences": [{**made["metadata"]["ownerReferences"][0], "uid": "other"}]}, "UID mismatch"),
    ):
        body = {**made, "metadata": {**made["metadata"], **metadata}}
        assert problem in (await refused(kubelet.create(PODS, body, "default"))).message
    for spec, problem in (
        ({"nodeName": "b"}, 'node "a" can only create pods with spec.nodeName set to itself'),
        ({"serviceAccountName": "default"}, "can not create pods that reference a service account"),
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
            "can not create pods that reference secrets",
        ),
        ({"volumes": [{"name": "v", "configMap": {"name": "s"}}]}, "that reference configmaps"),
    ):
        body = {**made, "spec": {**made["spec"], **spec}}
        assert problem in (await refused(kubelet.create(PODS, body, "default"))).message
    await kubelet.create(PODS, made, "default")
    await kubelet.delete(PODS, "static", "default")


async def test_a_kubelet_keeps_labels_and_taints(cluster: Cluster):
    kubelet = kubelet_of(cluster)

    async def change(**metadata: Any) -> None:
        await kubelet.patch(NODES, "a", {"metadata": metadata}, patch_type=PatchType.MERGE)

    await change(labels={"topology.kubernetes.io/zone": "z", "node.kubernetes.io/x": "y", "mine": "yes"})
    for label in ("node-role.kubernetes.io/master", "node-restriction.kubernetes.io/x", "x.k8s.io/y"):
        assert (
            f"is not allowed to modify labels: {label}" in (await refused(change(labels={label: ""}))).message
        )
    taint = {"key": "k", "effect": "NoSchedule"}
    call = kubelet.patch(NODES, "a", {"spec": {"taints": [taint]}}, patch_type=PatchType.MERGE)
    assert 'node "a" is not allowed to modify taints' in (await refused(call)).message
    await cluster.admin.delete(NODES, "a")
    node = {"metadata": {"name": "a", "labels": {"node-role.kubernetes.io/master": ""}}}
    assert (
        'node "a" is not allowed to set the following labels: node-role.kubernetes.io/master'
        in (await refused(kubelet.create(NODES, node))).message
    )
    assert (
        'node "a" is not allowed to modify node "c"'
        in (await refused(kubelet.create(NODES, {"metadata": {"name": "c"}}))).message
    )


async def test_a_kubelet_changes_the_status_of_its_pods_alone(cluster: Cluster):
    kubelet = kubelet_of(cluster)

    async def run(name: str) -> None:
        status = {"status": {"phase": "Running"}}
        await kubelet.patch(PODS, name, status, "default", patch_type=PatchType.MERGE, subresource="status")

    await run("on-a")
    await refused(run("on-b"))


async def test_a_kubelet_s_tokens_are_for_its_pods(cluster: Cluster):
    kubelet = kubelet_of(cluster)
    uids = {
        name: (await cluster.admin.get(PODS, name, "default"))["metadata"]["uid"] for name in ("on-a", "on-b")
    }

    async def ask(ref: Any) -> None:
        body = {"spec": {"boundObjectRef": ref} if ref else {}}
        await kubelet.create(SERVICE_ACCOUNTS, body, "default", name="default", subresource="token")

    bound = {"apiVersion": "v1", "kind": "Pod", "name": "on-a"}
    for ref, problem in (
        (None, "node requested token not bound to a pod"),
        (bound, "node requested token with a pod binding without a uid"),
        ({**bound, "uid": "other"}, "does not match the UID in record"),
        (
            {**bound, "name": "on-b", "uid": uids["on-b"]},
            "node requested token bound to a pod scheduled on a different node",
        ),
    ):
        assert problem in (await refused(ask(ref))).message
    await ask({**bound, "uid": uids["on-a"]})


async def test_a_kubelet_evicts_its_own_pods(cluster: Cluster):
    kubelet = kubelet_of(cluster)
    await kubelet.create(PODS, {"metadata": {"name": "on-a"}}, "default", name="on-a", subresource="eviction")
    call = kubelet.create(
        PODS, {"metadata": {"name": "on-b"}}, "default", name="on-b", subresource="eviction"
    )
    await refused(call)


async def test_a_kubelet_s_lease_is_its_own(cluster: Cluster):
    kubelet = kubelet_of(cluster)
    lease = {"metadata": {"name": "b"}, "spec": {"holderIdentity": "a"}}
    assert (
        "can only access node lease with the same name as the requesting node"
        in (await refused(kubelet.create(LEASES, lease, "kube-node-lease"))).message
    )
    await kubelet.create(LEASES, {**lease, "metadata": {"name": "a"}}, "kube-node-lease")


async def test_a_runtime_class_steers_its_pods(cluster: Cluster):
    admin = cluster.admin
    toleration = {"key": "fast", "operator": "Exists", "effect": "NoSchedule"}
    await admin.create(
        RUNTIME_CLASSES,
        {
            "metadata": {"name": "fast"},
            "handler": "crun",
            "overhead": {"podFixed": {"cpu": "100m"}},
            "scheduling": {"nodeSelector": {"fast": "yes"}, "tolerations": [toleration]},
        },
    )

    def asked(**spec: Any) -> dict[str, Any]:
        made = pod("p")
        return {**made, "spec": {**made["spec"], "runtimeClassName": "fast", **spec}}

    for body, problem in (
        (asked(runtimeClassName="slow"), 'pod rejected: RuntimeClass "slow" not found'),
        (asked(overhead={"cpu": "1"}), "Pod's Overhead doesn't match RuntimeClass's defined Overhead"),
        (
            asked(nodeSelector={"fast": "no"}),
            "conflict: runtimeClass.scheduling.nodeSelector[fast] = yes; pod.spec.nodeSelector[fast] = no",
        ),
        (
            {**pod("p"), "spec": {**pod("p")["spec"], "overhead": {"cpu": "1"}}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ):
        assert problem in (await refused(admin.create(PODS, body, "default"))).message
    spec = (await admin.create(PODS, asked(nodeSelector={"a": "b"}), "default"))["spec"]
    assert spec["overhead"] == {"cpu": "100m"}
    assert spec["nodeSelector"] == {"a": "b", "fast": "yes"}
    assert toleration in spec["tolerations"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"handler": ""}, "handler: Required value"),
        ({"handler": "A"}, 'handler: Invalid value: "A"'),
        ({"overhead": {"podFixed": {"cpu": "-1"}}}, "overhead.podFixed"),
    ],
)
async def test_runtime_classes_are_refused(cluster: Cluster, fields, problem: str):
    body = {"metadata": {"name": "x"}, "handler": "crun", **fields}
    assert problem in (await refused(cluster.admin.create(RUNTIME_CLASSES, body))).message


async def test_the_system_s_priority_classes_are_there_to_stay(cluster: Cluster):
    admin = cluster.admin
    found = await admin.list(PRIORITY_CLASSES)
    assert len(found.items) == 2
    assert (await admin.get(PRIORITY_CLASSES, "system-node-critical"))["value"] == 2000001000
    error = await refused(admin.delete(PRIORITY_CLASSES, "system-node-critical"))
    assert error.message.endswith("this is a system priority class and cannot be deleted")


async def test_one_priority_class_is_the_default(cluster: Cluster):
    admin = cluster.admin
    await admin.create(PRIORITY_CLASSES, {"metadata": {"name": "a"}, "value": 5, "globalDefault": True})
    body = {"metadata": {"name": "b"}, "value": 6, "globalDefault": True}
    assert (await refused(admin.create(PRIORITY_CLASSES, body))).message == (
        'priorityclasses.scheduling.k8s.io "b" is forbidden: PriorityClass a is already marked as default. Only one '
        "default can exist"
    )
    made = await admin.create(PODS, pod("p"), "default")
    assert (made["spec"]["priorityClassName"], made["spec"]["priority"]) == ("a", 5)
    await admin.patch(PRIORITY_CLASSES, "a", {"description": "x"}, patch_type=PatchType.MERGE)
