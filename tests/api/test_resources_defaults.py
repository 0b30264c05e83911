"""What Kubernetes fills in, prepares and counts for each kind."""

from typing import Any

import pytest
from kind_cases import container, created, deployment, kind, pod

from ktui.client.base import DeleteOptions


def test_a_pod_gets_every_default() -> None:
    made = created("pods", pod({**container(image="web"), "serviceAccount": "robot"}))
    assert made["spec"] == {
        "containers": [
            {
                "name": "main",
                "image": "web",
                "imagePullPolicy": "Always",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccount": "robot",
        "serviceAccountName": "robot",
        "terminationGracePeriodSeconds": 30,
    }
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("web", "Always"),
        ("web:latest", "Always"),
        ("host:5000/web", "Always"),
        ("host:5000/web:1", "IfNotPresent"),
        ("web:1", "IfNotPresent"),
        ("web@sha256:abc", "IfNotPresent"),
        ("web:latest@sha256:abc", "Always"),
    ],
)
def test_images_without_a_fixed_tag_are_always_pulled(image: str, policy: str) -> None:
    made = created("pods", pod(container(image=image)))
    assert made["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_what_is_given_stays() -> None:
    given = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "enableServiceLinks": False,
        "dnsPolicy": "Default",
        "schedulerName": "mine",
    }
    spec = created("pods", pod(given))["spec"]
    assert {field: spec[field] for field in given} == given


@pytest.mark.parametrize(
    ("fields", "field", "expected"),
    [
        ({"ports": [{"containerPort": 1}]}, "ports", [{"containerPort": 1, "protocol": "TCP"}]),
        (
            {"livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 3}},
            "livenessProbe",
            {
                "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                "timeoutSeconds": 1,
                "periodSeconds": 3,
                "successThreshold": 1,
                "failureThreshold": 3,
            },
        ),
        (
            {"startupProbe": {"grpc": {"port": 9}, "timeoutSeconds": 0}},
            "startupProbe",
            {
                "grpc": {"port": 9, "service": ""},
                "timeoutSeconds": 1,
                "periodSeconds": 10,
                "successThreshold": 1,
                "failureThreshold": 3,
            },
        ),
        (
            {"lifecycle": {"preStop": {"httpGet": {"port": 80, "path": "/bye"}}, "stopSignal": "SIGINT"}},
            "lifecycle",
            {"preStop": {"httpGet": {"port": 80, "path": "/bye", "scheme": "HTTP"}}, "stopSignal": "SIGINT"},
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            "env",
            [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
            "env",
            [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}}],
        ),
        (
            {"resources": {"limits": {"cpu": 1, "memory": "1024Mi"}, "requests": {"cpu": "0.1"}}},
            "resources",
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}},
        ),
        (
            {"resources": {"requests": {"cpu": "100u"}}},
            "resources",
            {"requests": {"cpu": "1m"}},
        ),
    ],
)
def test_container_defaults(fields, field, expected) -> None:
    assert created("pods", pod(container(**fields)))["spec"]["containers"][0][field] == expected


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({}, {"emptyDir": {}}),
        ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ({"configMap": {"name": "c", "defaultMode": 256}}, {"configMap": {"name": "c", "defaultMode": 256}}),
        (
            {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.uid"}}]}},
            {
                "downwardAPI": {
                    "defaultMode": 420,
                    "items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.uid", "apiVersion": "v1"}}],
                }
            },
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "defaultMode": 420,
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                }
            },
        ),
        ({"image": {"reference": "a:1"}}, {"image": {"reference": "a:1", "pullPolicy": "IfNotPresent"}}),
    ],
)
def test_volume_defaults(volume, expected) -> None:
    made = created("pods", pod({**container(), "volumes": [{"name": "v", **volume}]}))
    assert made["spec"]["volumes"] == [{"name": "v", **expected}]


def test_ports_on_the_hosts_network_are_the_hosts_ports() -> None:
    spec = {**container(ports=[{"containerPort": 80}]), "hostNetwork": True}
    assert created("pods", pod(spec))["spec"]["containers"][0]["ports"][0]["hostPort"] == 80
    template = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
    made = created("deployments", deployment({"template": template}))
    assert "hostPort" not in made["spec"]["template"]["spec"]["containers"][0]["ports"][0]


def test_pod_level_requests_follow_from_containers_and_limits() -> None:
    spec = {
        **container(resources={"requests": {"cpu": "200m"}}),
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    }
    made = created("pods", pod(spec))
    assert made["spec"]["resources"]["requests"] == {"cpu": "200m", "memory": "1Gi"}


def test_a_gated_pod_starts_with_its_condition_and_keys_become_selectors() -> None:
    spec = {
        "schedulingGates": [{"name": "g"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "web"}},
                "matchLabelKeys": ["rev", "none"],
            }
        ],
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "zone", "labelSelector": {}, "mismatchLabelKeys": ["rev"]}
                ]
            }
        },
    }
    made = created("pods", pod(spec, labels={"app": "web", "rev": "1"}))
    assert made["status"]["conditions"][0]["reason"] == "SchedulingGated"
    assert made["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchExpressions"] == [
        {"key": "rev", "operator": "In", "values": ["1"]}
    ]
    term = made["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    assert term["labelSelector"] == {
        "matchExpressions": [{"key": "rev", "operator": "NotIn", "values": ["1"]}]
    }


def test_a_deployment_gets_every_default() -> None:
    spec = created("deployments", deployment())["spec"]
    assert spec["replicas"] == 1
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 600
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert "enableServiceLinks" not in spec["template"]["spec"]


def test_recreate_and_zero_replicas_stay() -> None:
    spec = created("deployments", deployment({"replicas": 0, "strategy": {"type": "Recreate"}}))["spec"]
    assert (spec["replicas"], spec["strategy"]) == (0, {"type": "Recreate"})


def test_defaulting_twice_changes_nothing_and_leaves_the_original() -> None:
    for name, given in (
        ("pods", pod(container(ports=[{"containerPort": 1}]))),
        ("deployments", deployment()),
    ):
        before = repr(given)
        once = kind(name).default(given)
        assert kind(name).default(once) == once
        assert repr(given) == before


def test_other_kinds() -> None:
    namespace = created("namespaces", {"metadata": {"name": "x"}})
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}
    assert namespace["status"] == {"phase": "Active"}
    secret = created("secrets", {"metadata": {"name": "x"}, "data": {"b": "eA=="}, "stringData": {"a": "y"}})
    assert (secret["type"], secret["data"]) == ("Opaque", {"b": "eA==", "a": "eQ=="})
    assert "stringData" not in secret
    node = created("nodes", {"metadata": {"name": "x"}, "status": {"capacity": {"cpu": "2"}}})
    assert node["status"]["allocatable"] == {"cpu": "2"}


def test_status_belongs_to_its_subresource() -> None:
    deployments = kind("deployments")
    old = {**created("deployments", deployment()), "status": {"replicas": 1}}
    assert created("deployments", {**deployment(), "status": {"replicas": 5}})["status"] == {}
    assert deployments.prepare_update({**old, "status": {"replicas": 9}}, old)["status"] == {"replicas": 1}
    labelled = {**old["metadata"], "labels": {"a": "b"}, "annotations": {"c": "d"}}
    after = deployments.prepare_status({"metadata": labelled, "status": {"replicas": 2}}, old)
    assert after["spec"] == old["spec"]
    assert after["status"] == {"replicas": 2}
    assert after["metadata"] == {**old["metadata"], "annotations": {"c": "d"}}
    bundle = kind("podcertificaterequests").prepare_status({"metadata": labelled, "status": {}}, old)
    assert bundle["metadata"] == old["metadata"]


def test_the_class_of_service_never_changes() -> None:
    old = created("pods", pod())
    new = {**old, "status": {"phase": "Running", "qosClass": "Guaranteed"}}
    assert kind("pods").prepare_status(new, old)["status"] == {"phase": "Running", "qosClass": "BestEffort"}


@pytest.mark.parametrize(
    ("spec", "status", "asked", "seconds"),
    [
        ({"nodeName": "n"}, {}, None, 30),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 5}, {}, None, 5),
        ({"nodeName": "n"}, {}, 7, 7),
        ({"nodeName": "n"}, {}, 0, 0),
        ({"nodeName": "n"}, {}, -1, 1),
        ({}, {}, 7, 0),
        ({"nodeName": "n"}, {"phase": "Succeeded"}, None, 0),
        ({"nodeName": "n"}, {"phase": "Failed"}, 9, 0),
    ],
)
def test_the_grace_period_of_a_pod(
    spec: dict[str, Any], status: dict[str, Any], asked: int | None, seconds: int
):
    grace_period = kind("pods").grace_period
    assert grace_period is not None
    given = {"spec": spec, "status": status}
    assert grace_period(given, DeleteOptions(grace_period_seconds=asked)) == seconds


@pytest.mark.parametrize(
    ("name", "obj", "expected"),
    [
        (
            "pods",
            {
                "spec": {
                    "nodeName": "n",
                    "hostNetwork": True,
                    "restartPolicy": "Never",
                    "schedulerName": "s",
                },
                "status": {"phase": "Running", "podIP": "10.0.0.1", "nominatedNodeName": "m"},
            },
            {
                "spec.nodeName": "n",
                "spec.restartPolicy": "Never",
                "spec.schedulerName": "s",
                "spec.serviceAccountName": "",
                "spec.hostNetwork": "true",
                "status.phase": "Running",
                "status.podIP": "10.0.0.1",
                "status.podIPs": "10.0.0.1",
                "status.nominatedNodeName": "m",
            },
        ),
        ("nodes", {"spec": {"unschedulable": True}}, {"spec.unschedulable": "true"}),
        ("namespaces", {"status": {"phase": "Active"}}, {"status.phase": "Active"}),
        ("secrets", {"type": "Opaque"}, {"type": "Opaque"}),
        ("replicasets", {"status": {"replicas": 2}}, {"status.replicas": "2"}),
        (
            "events",
            {
                "type": "Warning",
                "reason": "Failed",
                "reportingComponent": "kubelet",
                "source": {"component": "kubelet"},
                "involvedObject": {
                    "kind": "Pod",
                    "name": "p",
                    "namespace": "d",
                    "uid": "u",
                    "apiVersion": "v1",
                },
            },
            {
                "involvedObject.kind": "Pod",
                "involvedObject.namespace": "d",
                "involvedObject.name": "p",
                "involvedObject.uid": "u",
                "involvedObject.apiVersion": "v1",
                "involvedObject.resourceVersion": "",
                "involvedObject.fieldPath": "",
                "reason": "Failed",
                "reportingComponent": "kubelet",
                "source": "kubelet",
                "type": "Warning",
            },
        ),
    ],
)
def test_selectable_fields(name, obj, expected) -> None:
    assert {field: read(obj) for field, read in kind(name).selectable_fields.items()} == expected
