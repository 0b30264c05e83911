"""Rules for the other kinds, at creation and at update."""

from typing import Any

import pytest
from kind_cases import LABEL, SUBDOMAIN, deployment, errors, kind, update_errors


def meta(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": "default", **fields}}


def cluster(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", **fields}}


REPLICA_SET = {**meta(), "spec": deployment()["spec"]}

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("deployments", deployment(), []),
    (
        "deployments",
        deployment({"selector": {"matchLabels": {"app": "api"}}}),
        [
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'
        ],
    ),
    (
        "deployments",
        {**meta(), "spec": {k: v for k, v in deployment()["spec"].items() if k != "selector"}},
        ["spec.selector: Required value"],
    ),
    (
        "deployments",
        deployment({"selector": {}}),
        ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
    ),
    (
        "deployments",
        deployment({"selector": {"matchExpressions": [{"key": "app", "operator": "In"}]}}),
        [
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or "
            "'NotIn'",
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template '
            "`labels`",
        ],
    ),
    (
        "deployments",
        deployment({"replicas": -1, "minReadySeconds": 10, "progressDeadlineSeconds": 5}),
        [
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
        ],
    ),
    (
        "deployments",
        deployment({"strategy": {"type": "Slow"}}),
        ['spec.strategy: Unsupported value: {"type":"Slow"}: supported values: "Recreate", "RollingUpdate"'],
    ),
    (
        "deployments",
        deployment({"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}),
        ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ),
    (
        "deployments",
        deployment({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}),
        [
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'
        ],
    ),
    (
        "deployments",
        deployment({"strategy": {"rollingUpdate": {"maxSurge": "many", "maxUnavailable": "101%"}}}),
        [
            'spec.strategy.rollingUpdate.maxSurge: Invalid value: "many": a valid percent string must be a numeric '
            "string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
        ],
    ),
    (
        "deployments",
        deployment(
            {
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "A", "image": ""}]},
                }
            }
        ),
        [
            f'spec.template.spec.containers[0].name: Invalid value: "A": {LABEL}',
            "spec.template.spec.containers[0].image: Required value",
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ],
    ),
    ("replicasets", REPLICA_SET, []),
    (
        "replicasets",
        {**REPLICA_SET, "spec": {**REPLICA_SET["spec"], "replicas": -2}},
        ["spec.replicas: Invalid value: -2: must be greater than or equal to 0"],
    ),
    ("configmaps", {**meta(), "data": {"a.conf": "x"}, "binaryData": {"b": "eA=="}}, []),
    (
        "configmaps",
        {**meta(), "data": {"a b": "x", "c": "1"}, "binaryData": {"c": "eA=="}},
        [
            'data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '
            "'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
            "'[-._a-zA-Z0-9]+')",
            'data[c]: Invalid value: "c": duplicate of key present in binaryData',
        ],
    ),
    (
        "configmaps",
        {**meta(), "data": {"a": "x" * 1048577}},
        [": Too long: may not be more than 1048576 bytes"],
    ),
    ("secrets", {**meta(), "stringData": {"a": "x"}}, []),
    (
        "secrets",
        {**meta(), "type": "kubernetes.io/tls"},
        ["data[tls.crt]: Required value", "data[tls.key]: Required value"],
    ),
    (
        "secrets",
        {**meta(), "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{"}},
        [
            'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": Expecting property name enclosed '
            "in double quotes: line 1 column 2 (char 1)"
        ],
    ),
    (
        "secrets",
        {**meta(), "type": "kubernetes.io/basic-auth"},
        ["data[username]: Required value", "data[password]: Required value"],
    ),
    (
        "secrets",
        {**meta(), "type": "kubernetes.io/service-account-token"},
        ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
    ),
    ("namespaces", cluster(), []),
    ("namespaces", cluster(name="a.b"), ['metadata.name: Invalid value: "a.b": must not contain dots']),
    ("namespaces", cluster(namespace="y"), ["metadata.namespace: Forbidden: not allowed on this type"]),
    ("serviceaccounts", meta(name="A"), [f'metadata.name: Invalid value: "A": {SUBDOMAIN}']),
    ("nodes", {**cluster(), "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, []),
    (
        "nodes",
        {
            **cluster(),
            "spec": {
                "podCIDR": "10.0.0.0/8",
                "podCIDRs": ["10.1.0.0/16"],
                "taints": [
                    {"key": "a", "effect": "Never"},
                    {"key": "b", "effect": "NoExecute"},
                    {"key": "b", "effect": "NoExecute", "value": "c"},
                ],
            },
            "status": {"capacity": {"cpu": "-1"}},
        },
        [
            'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", '
            '"NoExecute"',
            'spec.taints[2]: Duplicate value: {"key":"b","effect":"NoExecute","value":"c"}',
            'spec.podCIDR: Invalid value: "10.0.0.0/8": node.Spec.PodCIDR must match the first of node.Spec.PodCIDRs',
            'status.capacity[cpu]: Invalid value: "-1": must be greater than or equal to 0',
            'status.allocatable[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        ],
    ),
    ("leases", {**meta(), "spec": {"holderIdentity": "a", "leaseDurationSeconds": 40}}, []),
    (
        "leases",
        {
            **meta(),
            "spec": {
                "holderIdentity": "",
                "leaseDurationSeconds": 0,
                "leaseTransitions": -1,
                "preferredHolder": "b",
            },
        },
        [
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
            "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
            "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined",
        ],
    ),
    ("controllerrevisions", {**meta(), "data": {"spec": 1}, "revision": 1}, []),
    (
        "controllerrevisions",
        {**meta(), "revision": -1},
        [
            "data: Required value: data is mandatory",
            "revision: Invalid value: -1: must be greater than or equal to 0",
        ],
    ),
    ("events", {**meta(), "involvedObject": {"kind": "Pod", "namespace": "default", "name": "a"}}, []),
    ("events", {**meta(), "involvedObject": {"kind": "Node", "name": "a"}}, []),
    (
        "events",
        {**meta(), "involvedObject": {"kind": "Pod", "namespace": "other", "name": "a"}},
        ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ),
    ("bindings", {**meta(), "target": {"kind": "Node", "name": "n"}}, []),
    (
        "bindings",
        {**meta(), "target": {"kind": "Pod"}},
        [
            'target.kind: Unsupported value: "Pod": supported values: "", "Node"',
            "target.name: Required value",
        ],
    ),
    ("priorityclasses", {**cluster(), "value": 1000}, []),
    ("priorityclasses", {**cluster(name="system-node-critical"), "value": 2000001000}, []),
    (
        "priorityclasses",
        {**cluster(), "value": 1000000001, "preemptionPolicy": "Always"},
        [
            "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
            'preemptionPolicy: Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"',
        ],
    ),
    (
        "priorityclasses",
        {**cluster(name="system-mine"), "value": 1},
        [
            "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. "
            "error: system-mine is not a known system priority class"
        ],
    ),
    ("manifestfiles", {**cluster(), "spec": {"path": "a.yaml"}, "status": {"state": "Synced"}}, []),
]


@pytest.mark.parametrize(("name", "obj", "expected"), CASES)
def test_creation(name, obj, expected) -> None:
    assert errors(name, obj) == expected


UPDATES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("deployments", deployment({"replicas": 3}), deployment(), []),
    (
        "deployments",
        deployment({"selector": {"matchLabels": {"app": "other"}}}),
        deployment(),
        ['spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable'],
    ),
    (
        "deployments",
        deployment(uid="b"),
        deployment(uid="a"),
        ['metadata.uid: Invalid value: "b": field is immutable'],
    ),
    (
        "configmaps",
        {**meta(), "data": {"a": "2"}},
        {**meta(), "data": {"a": "1"}, "immutable": True},
        [
            "immutable: Forbidden: field is immutable when `immutable` is set",
            "data: Forbidden: field is immutable when `immutable` is set",
        ],
    ),
    ("configmaps", {**meta(), "data": {"a": "2"}, "immutable": True}, {**meta(), "data": {"a": "1"}}, []),
    (
        "secrets",
        {**meta(), "type": "a", "data": {"k": "eQ=="}, "immutable": True},
        {**meta(), "type": "b", "data": {"k": "eA=="}, "immutable": True},
        [
            'type: Invalid value: "a": field is immutable',
            "data: Forbidden: field is immutable when `immutable` is set",
        ],
    ),
    (
        "controllerrevisions",
        {**meta(), "data": {"a": 2}},
        {**meta(), "data": {"a": 1}},
        ['data: Invalid value: {"a":2}: field is immutable'],
    ),
    (
        "nodes",
        {**cluster(), "spec": {"providerID": "b"}},
        {**cluster(), "spec": {"providerID": "a"}},
        ['spec.providerID: Forbidden: node updates may not change providerID except from "" to valid'],
    ),
    (
        "priorityclasses",
        {**cluster(), "value": 1, "preemptionPolicy": "Never"},
        {**cluster(), "value": 2},
        [
            "value: Forbidden: may not be changed in an update.",
            'preemptionPolicy: Invalid value: "Never": field is immutable',
        ],
    ),
    ("namespaces", cluster(labels={"a": "b"}), cluster(), []),
    (
        "serviceaccounts",
        meta(finalizers=["a.b/c"], deletionTimestamp="2026-01-01T00:00:00Z"),
        meta(deletionTimestamp="2026-01-01T00:00:00Z"),
        [
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
            'finalizers []string{"a.b/c"}'
        ],
    ),
]


@pytest.mark.parametrize(("name", "new", "old", "expected"), UPDATES)
def test_update(name, new, old, expected) -> None:
    assert update_errors(name, new, old) == expected


def test_a_namespace_is_terminating_only_when_deleted() -> None:
    namespaces = kind("namespaces")
    active = {**cluster(), "status": {"phase": "Active"}}
    terminating = {**cluster(), "status": {"phase": "Terminating"}}
    assert [c.message for c in namespaces.validate_update(terminating, active)] == [
        "Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
    ]
    deleted = {**cluster(deletionTimestamp="2026-01-01T00:00:00Z"), "status": {"phase": "Terminating"}}
    assert namespaces.validate_update(deleted, active) == []
