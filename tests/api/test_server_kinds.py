"""Every built-in kind through the whole server: written twice it stays the same, and is as it was sent."""

from __future__ import annotations

from typing import Any

import pytest
from certificate_objects import csr
from kind_bodies import CLUSTER_BODIES

from ktui.client.base import DeleteOptions, PatchType, WriteOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import DEPLOYMENTS, NAMESPACES, NODES, PODS
from ktui.kube.resource import Object

TEMPLATE: Object = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "web:1",
                "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "value": "1"}],
                "readinessProbe": {"httpGet": {"port": 80}},
                "resources": {"limits": {"cpu": 1, "memory": "1024Mi"}},
                "volumeMounts": [{"name": "cfg", "mountPath": "/cfg"}],
            }
        ],
        "volumes": [{"name": "cfg", "configMap": {"name": "cfg"}}],
    },
}
WORKLOAD: Object = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
RULE: Object = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
BODIES: dict[str, Object] = {
    **CLUSTER_BODIES,
    "configmaps": {"data": {"a": "b"}},
    "secrets": {"stringData": {"a": "b"}},
    "events": {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R"},
    "namespaces": {},
    "nodes": {"spec": {"podCIDR": "10.0.0.0/24"}},
    "pods": {"spec": {**TEMPLATE["spec"], "automountServiceAccountToken": False}},
    "serviceaccounts": {},
    "persistentvolumes": {
        "metadata": {"finalizers": ["kubernetes.io/pv-protection"]},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "claimRef": {"namespace": "default", "name": "data"},
            "hostPath": {"path": "/srv"},
        },
    },
    "persistentvolumeclaims": {
        "metadata": {"finalizers": ["kubernetes.io/pvc-protection"]},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1024Mi"}},
            "storageClassName": "local-path",
        },
    },
    "horizontalpodautoscalers.autoscaling": {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3}
    },
    "storageclasses.storage.k8s.io": {"provisioner": "example.com/none"},
    "services": {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    "endpoints": {"subsets": [{"addresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 80}]}]},
    "endpointslices.discovery.k8s.io": {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.2"]}],
        "ports": [{"port": 80}],
    },
    "ingresses.networking.k8s.io": {
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    },
    "servicecidrs.networking.k8s.io": {"spec": {"cidrs": ["10.97.0.0/24"]}},
    "ingressclasses.networking.k8s.io": {"spec": {"controller": "ktui.dev/ingress"}},
    "networkpolicies.networking.k8s.io": {
        "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}], "from": [{"podSelector": {}}]}]}
    },
    "certificatesigningrequests.certificates.k8s.io": {"spec": csr()["spec"]},
    "controllerrevisions.apps": {"revision": 1, "data": {"a": [1]}},
    "deployments.apps": {"spec": WORKLOAD},
    "replicasets.apps": {"spec": WORKLOAD},
    "daemonsets.apps": {"spec": {k: v for k, v in WORKLOAD.items() if k != "replicas"}},
    "statefulsets.apps": {"spec": {**WORKLOAD, "serviceName": "web"}},
    "replicationcontrollers": {"spec": {"template": WORKLOAD["template"]}},
    "jobs.batch": {
        "spec": {
            "manualSelector": True,
            "selector": WORKLOAD["selector"],
            "template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}},
        }
    },
    "cronjobs.batch": {
        "spec": {
            "schedule": "30 3 * * *",
            "jobTemplate": {"spec": {"template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}},
        }
    },
    "leases.coordination.k8s.io": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 40}},
    "clusterrolebindings.rbac.authorization.k8s.io": {"roleRef": {"kind": "ClusterRole", "name": "view"}},
    "clusterroles.rbac.authorization.k8s.io": {"rules": [RULE]},
    "rolebindings.rbac.authorization.k8s.io": {"roleRef": {"kind": "Role", "name": "reader"}},
    "roles.rbac.authorization.k8s.io": {"rules": [RULE]},
    "runtimeclasses.node.k8s.io": {"handler": "crun"},
    "validatingadmissionpolicies.admissionregistration.k8s.io": {
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "operations": ["*"],
                        "apiGroups": ["*"],
                        "apiVersions": ["*"],
                        "resources": ["x"],
                    }
                ]
            },
            "validations": [{"expression": "true"}],
        }
    },
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": {
        "spec": {"policyName": "x", "validationActions": ["Deny"]}
    },
    "manifestfiles.ktui.dev": {},
    "schedulingdecisions.ktui.dev": {},
}
STORED = [
    d.resource
    for d in default_registry()
    if d.resource.key
    not in (
        "apiservices.apiregistration.k8s.io",
        "bindings",
        "customresourcedefinitions.apiextensions.k8s.io",
        "ipaddresses.networking.k8s.io",
    )
    and "patch" in (d.resource.verbs or ("patch",))
]
"""All that can be called x; definitions of kinds and APIServices have names and tests of their own."""


@pytest.fixture
async def client(clock: FakeClock):
    store = open_store(None, clock=clock)
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    yield LocalClient(server, "system:test", manager="test")
    await store.close()


def body_of(key: str) -> Object:
    body = BODIES.get(key, {})
    return {**body, "metadata": {**body.get("metadata", {}), "name": "x"}}


@pytest.mark.parametrize("resource", STORED, ids=str)
async def test_writing_the_same_again_changes_nothing(client: LocalClient, clock: FakeClock, resource: Any):
    obj = await client.create(resource, body_of(resource.key))
    await clock.advance(100)
    assert await client.update(resource, obj) == obj
    again, declaration = body_of(resource.key), default_registry().of(resource)
    if declaration is not None and declaration.needs_version:
        again["metadata"]["resourceVersion"] = obj["metadata"]["resourceVersion"]
    assert await client.update(resource, again) == obj
    namespace = "default" if resource.namespaced else ""
    for patch_type in (PatchType.MERGE, PatchType.STRATEGIC):
        body = {name: value for name, value in body_of(resource.key).items() if name != "stringData"}
        assert await client.patch(resource, "x", body, namespace, patch_type=patch_type) == obj
    assert await client.patch(resource, "x", [], namespace, patch_type=PatchType.JSON) == obj
    assert (await client.table(resource, namespace, name="x"))["rows"]


@pytest.mark.parametrize("resource", STORED, ids=str)
async def test_applying_the_same_again_changes_nothing(client: LocalClient, clock: FakeClock, resource: Any):
    namespace = "default" if resource.namespaced else ""

    async def apply() -> Object:
        body = body_of(resource.key)
        options = WriteOptions(field_manager="ktui", field_validation="Strict")
        return await client.patch(resource, "x", body, namespace, patch_type=PatchType.APPLY, options=options)

    obj = await apply()
    await clock.advance(100)
    assert await apply() == obj
    owners = {entry["manager"] for entry in obj["metadata"].get("managedFields", [])}
    assert owners <= {"ktui"}


async def test_the_life_of_a_namespace(client: LocalClient):
    await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    marked = await client.delete(NAMESPACES, "team")
    assert marked["status"]["phase"] == "Terminating"
    gone = await client.update(NAMESPACES, {**marked, "spec": {"finalizers": []}}, subresource="finalize")
    assert gone["metadata"]["name"] == "team"
    with pytest.raises(StatusError):
        await client.get(NAMESPACES, "team")


async def test_generated_namespaces_carry_their_name(client: LocalClient):
    obj = await client.create(NAMESPACES, {"metadata": {"generateName": "team-"}})
    assert obj["metadata"]["labels"]["kubernetes.io/metadata.name"] == obj["metadata"]["name"]


async def test_a_pods_way_through_the_server(client: LocalClient):
    await client.create(NODES, {"metadata": {"name": "n1"}})
    created = await client.create(PODS, body_of("pods"))
    assert created["status"]["phase"] == "Pending" and created["status"]["qosClass"]
    binding = {"metadata": {"name": "x"}, "target": {"kind": "Node", "name": "n1"}}
    await client.create(PODS, binding, "default", name="x", subresource="binding")
    status = {"phase": "Running", "podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.2"}]}
    running = await client.patch(
        PODS, "x", {"status": status}, "default", subresource="status", patch_type=PatchType.STRATEGIC
    )
    assert (
        running["spec"]["nodeName"] == "n1" and running["status"]["conditions"][0]["type"] == "PodScheduled"
    )
    with pytest.raises(StatusError) as refused:
        await client.patch(PODS, "x", {"spec": {"nodeName": "n2"}}, "default")
    assert refused.value.is_invalid
    marked = await client.delete(PODS, "x", "default")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    ended = DeleteOptions(grace_period_seconds=0)
    assert (await client.delete(PODS, "x", "default", options=ended))["kind"] == "Pod"


async def test_resizing_changes_resources_and_nothing_else(client: LocalClient):
    body = body_of("pods")
    body["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    first = {"name": "first", "image": "web:1", "resources": {"requests": {"cpu": "1"}}}
    await client.create(PODS, {**body, "spec": {**body["spec"], "initContainers": [first]}})
    first = {"name": "first", "resources": {"requests": {"cpu": "2"}}}
    container = {"name": "web", "image": "other:2", "resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}
    obj = await client.patch(
        PODS,
        "x",
        {"spec": {"containers": [container], "initContainers": [first]}},
        "default",
        subresource="resize",
        patch_type=PatchType.STRATEGIC,
    )
    assert obj["spec"]["initContainers"][0]["resources"]["requests"] == {"cpu": "2"}
    found = obj["spec"]["containers"][0]
    assert found["image"] == "web:1" and found["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (
            {"limits": {"cpu": "2"}},
            "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
        ),
        ({}, "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"),
        (
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}},
            'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
        ),
        (
            {
                "limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
                "requests": {"cpu": "500m", "memory": "1Gi"},
            },
            "spec: Forbidden: only cpu and memory resources are mutable",
        ),
    ],
)
async def test_a_resize_has_limits(client: LocalClient, resources: Object, message: str):
    obj = body_of("pods")
    obj["spec"]["containers"][0]["resources"] = {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "500m", "memory": "1Gi"},
    }
    created = await client.create(PODS, obj)
    created["spec"]["containers"][0]["resources"] = resources
    with pytest.raises(StatusError) as error:
        await client.update(PODS, created, subresource="resize")
    assert error.value.code == 422
    assert message in error.value.message


async def test_a_rollout_as_kubectl_patches_it(client: LocalClient):
    await client.create(DEPLOYMENTS, body_of("deployments.apps"))
    patch = {
        "spec": {
            "template": {
                "spec": {
                    "$setElementOrder/containers": [{"name": "web"}],
                    "containers": [
                        {"name": "web", "image": "web:2", "env": [{"$patch": "delete", "name": "A"}]}
                    ],
                }
            }
        }
    }
    obj = await client.patch(DEPLOYMENTS, "x", patch, "default", patch_type=PatchType.STRATEGIC)
    container = obj["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "web:2" and not container["env"]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert obj["metadata"]["generation"] == 2
