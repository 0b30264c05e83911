"""What a kubelet may do: its own node and pods, and what those refer to."""

from __future__ import annotations

import pytest
from certificate_objects import pod_request
from rbac_world import Cluster, refused

from ktui.client.base import ListOptions
from ktui.kube.kinds import (
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    NODES,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
)


@pytest.fixture
async def cluster(store, clock) -> Cluster:
    """A pod on node `a` that refers to things, and the things."""
    cluster = await Cluster.start(store, clock)
    for name in ("mounted", "env", "pulled", "other"):
        await cluster.admin.create(SECRETS, {"metadata": {"name": name}}, "default")
    await cluster.admin.create(CONFIG_MAPS, {"metadata": {"name": "conf"}}, "default")
    await cluster.admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
    for name in ("a", "b"):
        await cluster.admin.create(NODES, {"metadata": {"name": name}})
        env = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "env", "key": "x"}}}
        container = {
            "name": "c",
            "image": "web:1",
            "env": [env],
            "envFrom": [{"configMapRef": {"name": "conf"}}],
        }
        spec = {
            "nodeName": name,
            "containers": [container if name == "a" else {"name": "c", "image": "web:1"}],
            "volumes": [{"name": "v", "secret": {"secretName": "mounted"}}] if name == "a" else [],
            "imagePullSecrets": [{"name": "pulled"}] if name == "a" else [],
        }
        await cluster.admin.create(PODS, {"metadata": {"name": f"on-{name}"}, "spec": spec}, "default")
    return cluster


async def test_only_what_its_pods_refer_to(cluster: Cluster):
    kubelet = cluster.as_user("system:node:a", "system:nodes")
    for name in ("mounted", "env", "pulled"):
        await kubelet.get(SECRETS, name, "default")
    await kubelet.get(CONFIG_MAPS, "conf", "default")
    await kubelet.list(SECRETS, "default", options=ListOptions(field_selector="metadata.name=env"))
    assert (await refused(kubelet.get(SECRETS, "other", "default"))).message == (
        'secrets "other" is forbidden: User "system:node:a" cannot get resource "secrets" in API group "" in the '
        "namespace \"default\": no relationship found between node 'a' and this object"
    )
    error = await refused(kubelet.list(SECRETS, "default"))
    assert error.message.endswith("can only read resources of this type by name")
    stranger = cluster.as_user("system:node:b", "system:nodes")
    assert (await refused(stranger.get(SECRETS, "mounted", "default"))).code == 403
    await cluster.admin.delete(PODS, "on-a", "default")
    without_group = cluster.as_user("system:node:a")
    assert (await refused(without_group.get(SECRETS, "env", "default"))).code == 403


async def test_a_pod_that_comes_later_opens_what_it_refers_to(cluster: Cluster):
    kubelet = cluster.as_user("system:node:b", "system:nodes")
    assert (await refused(kubelet.get(SECRETS, "other", "default"))).code == 403
    spec = {
        "nodeName": "b",
        "containers": [{"name": "c", "image": "web:1"}],
        "imagePullSecrets": [{"name": "other"}],
    }
    await cluster.admin.create(PODS, {"metadata": {"name": "new"}, "spec": spec}, "default")
    await kubelet.get(SECRETS, "other", "default")


async def test_its_own_pods_node_and_lease(cluster: Cluster):
    kubelet = cluster.as_user("system:node:a", "system:nodes")
    status = {"status": {"phase": "Running"}}
    await kubelet.patch(PODS, "on-a", status, "default", subresource="status")
    assert (await refused(kubelet.patch(PODS, "on-b", status, "default", subresource="status"))).code == 403
    mine = ListOptions(field_selector="spec.nodeName=a")
    assert len((await kubelet.list(PODS, options=mine)).items) == 1
    error = await refused(kubelet.list(PODS))
    assert error.message.endswith("can only list/watch pods with spec.nodeName field selector")
    await kubelet.patch(NODES, "a", {"metadata": {"labels": {"x": "y"}}})
    assert (await refused(kubelet.patch(NODES, "b", {"metadata": {"labels": {"x": "y"}}}))).code == 403
    assert (await refused(kubelet.get(NODES, "b"))).code == 403
    lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "a"}}
    await kubelet.create(LEASES, lease, "kube-node-lease")
    await kubelet.get(LEASES, "a", "kube-node-lease")
    assert (await refused(kubelet.get(LEASES, "b", "kube-node-lease"))).code == 403
    event = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}}
    await kubelet.create(EVENTS, event, "default")
    assert (await refused(kubelet.delete(NODES, "a"))).code == 403


async def test_tokens_for_its_pods_accounts(cluster: Cluster):
    kubelet = cluster.as_user("system:node:a", "system:nodes")
    pod = await cluster.admin.get(PODS, "on-a", "default")
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "on-a", "uid": pod["metadata"]["uid"]}
    body = {"spec": {"boundObjectRef": bound}}
    await kubelet.create(SERVICE_ACCOUNTS, body, "default", name="default", subresource="token")
    await cluster.admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "bot"}}, "default")
    call = kubelet.create(SERVICE_ACCOUNTS, {"spec": {}}, "default", name="bot", subresource="token")
    assert (await refused(call)).code == 403


async def test_certificates_are_asked_for_own_pods_only(cluster: Cluster):
    kubelet = cluster.as_user("system:node:a", "system:nodes")
    uids = {
        "podUID": (await cluster.admin.get(PODS, "on-a", "default"))["metadata"]["uid"],
        "nodeUID": (await cluster.admin.get(NODES, "a"))["metadata"]["uid"],
        "serviceAccountUID": (await cluster.admin.get(SERVICE_ACCOUNTS, "default", "default"))["metadata"][
            "uid"
        ],
    }
    asked = pod_request(**uids, podName="on-a", nodeName="a")

    def changed(**spec):
        return {**asked, "spec": {**asked["spec"], **spec}}

    for wrong, problem in (
        (changed(nodeName="b"), 'Spec.NodeName="b", which is not the requesting node "a"'),
        (changed(podName="on-b"), 'pod "default/on-b" is not running on node "a"'),
        (changed(serviceAccountName="root"), 'contains serviceAccountName ("root") that differs'),
        (changed(nodeUID="other"), 'names nodeUID "other", which differs from the one there is'),
    ):
        error = await refused(kubelet.create(POD_CERTIFICATE_REQUESTS, wrong, "default"))
        assert problem in error.message
    await kubelet.create(POD_CERTIFICATE_REQUESTS, asked, "default")
    assert await kubelet.get(POD_CERTIFICATE_REQUESTS, "x", "default")
    own = ListOptions(field_selector="spec.nodeName=a")
    assert len((await kubelet.list(POD_CERTIFICATE_REQUESTS, options=own)).items) == 1
    stranger = cluster.as_user("system:node:b", "system:nodes")
    assert (await refused(stranger.get(POD_CERTIFICATE_REQUESTS, "x", "default"))).code == 403
    error = await refused(stranger.list(POD_CERTIFICATE_REQUESTS, options=own))
    assert error.message.endswith("can only list/watch podcertificaterequests with nodeName field selector")
