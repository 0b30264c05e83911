"""Rules for pods: every error with its field, in kube-apiserver's words."""

from typing import Any

import pytest
from kind_cases import LABEL, SUBDOMAIN, container, errors, pod

ANTI_AFFINITY = "requiredDuringSchedulingIgnoredDuringExecution"


def test_a_sound_pod_has_no_errors() -> None:
    spec = {
        "initContainers": [
            {"name": "setup", "image": "a"},
            {
                "name": "side",
                "image": "a",
                "restartPolicy": "Always",
                "readinessProbe": {"exec": {"command": ["x"]}},
            },
        ],
        "containers": [
            {
                "name": "main",
                "image": "web:1",
                "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "UDP"}],
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                    {
                        "name": "CPU",
                        "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}},
                    },
                    {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ],
                "envFrom": [{"prefix": "X_", "configMapRef": {"name": "c"}}],
                "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Gi"}},
                "volumeMounts": [{"name": "data", "mountPath": "/data", "subPath": "a/b"}],
                "livenessProbe": {"httpGet": {"port": "http"}},
                "startupProbe": {"grpc": {"port": 9000}},
                "lifecycle": {
                    "preStop": {"sleep": {"seconds": 5}},
                    "postStart": {"exec": {"command": ["x"]}},
                },
                "securityContext": {"runAsUser": 1000, "capabilities": {"add": ["NET_ADMIN"]}},
            }
        ],
        "volumes": [
            {"name": "data"},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "name": "down",
                "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]},
            },
        ],
        "serviceAccountName": "default",
        "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                ANTI_AFFINITY: {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
                        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
                    ]
                }
            },
            "podAntiAffinity": {
                ANTI_AFFINITY: [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}]
            },
        },
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "dnsConfig": {
            "nameservers": ["10.0.0.1"],
            "searches": ["a.b", "_x.c."],
            "options": [{"name": "ndots"}],
        },
        "hostAliases": [{"ip": "10.0.0.2", "hostnames": ["db.local"]}],
    }
    assert errors("pods", pod(spec)) == []


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"name": ""}, ["metadata.name: Required value: name or generateName is required"]),
        ({"name": "Web"}, [f'metadata.name: Invalid value: "Web": {SUBDOMAIN}']),
        ({"generateName": "web-"}, []),
        ({"namespace": ""}, ["metadata.namespace: Required value"]),
        ({"namespace": "A"}, [f'metadata.namespace: Invalid value: "A": {LABEL}']),
        (
            {"finalizers": ["mine"]},
            [
                'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it '
                "fully qualified"
            ],
        ),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "", "name": "x", "uid": "y"}]},
            ['metadata.ownerReferences[0].kind: Invalid value: "": must not be empty'],
        ),
        (
            {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "high"}},
            [
                'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "high": must be '
                "a 32bit integer"
            ],
        ),
        (
            {"annotations": {"a": "x" * 262144}},
            ["metadata.annotations: Too long: may not be more than 262144 bytes"],
        ),
    ],
)
def test_metadata(metadata, expected) -> None:
    assert errors("pods", pod(**metadata)) == expected


def test_labels_name_the_key_or_value_that_is_wrong() -> None:
    found = errors("pods", pod(labels={"a b": "c d"}))
    assert found[0].startswith('metadata.labels: Invalid value: "a b": name part must consist of')
    assert found[1].startswith('metadata.labels: Invalid value: "c d": a valid label must be an empty string')


C = "spec.containers[0]"
CASES: list[tuple[dict[str, Any], list[str]]] = [
    (
        {**container(ports=[{"containerPort": 1, "hostPort": 2}]), "hostNetwork": True},
        [f"{C}.ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"],
    ),
    (
        {"securityContext": {"sysctls": [{"name": "A!", "value": "1"}], "fsGroupChangePolicy": "Never"}},
        [
            'spec.securityContext.sysctls[0].name: Invalid value: "A!": must have at most 253 characters and match '
            r"regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
            'spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", '
            '"OnRootMismatch"',
        ],
    ),
    (
        {"restartPolicy": "Sometimes"},
        [
            'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'
        ],
    ),
    (
        {"dnsPolicy": "None"},
        ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    (
        {"dnsConfig": {"nameservers": ["1", "10.0.0.1", "10.0.0.2", "10.0.0.3"]}},
        [
            'spec.dnsConfig.nameservers: Invalid value: ["1","10.0.0.1","10.0.0.2","10.0.0.3"]: must not have more '
            "than 3 nameservers",
            'spec.dnsConfig.nameservers[0]: Invalid value: "1": must be a valid IP address, (e.g. 10.9.8.7 or '
            "2001:db8::ffff)",
        ],
    ),
    (
        {"hostAliases": [{"ip": "here", "hostnames": ["A"]}]},
        [
            'spec.hostAliases[0].ip: Invalid value: "here": must be a valid IP address, (e.g. 10.9.8.7 or '
            "2001:db8::ffff)",
            f'spec.hostAliases[0].hostnames[0]: Invalid value: "A": {SUBDOMAIN}',
        ],
    ),
    (
        {"activeDeadlineSeconds": 0},
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    ({"hostname": "a.b"}, ['spec.hostname: Invalid value: "a.b": must not contain dots']),
    ({"nodeName": "N"}, [f'spec.nodeName: Invalid value: "N": {SUBDOMAIN}']),
    (
        {"tolerations": [{"key": "", "operator": "Equal"}, {"key": "a", "operator": "Exists", "value": "b"}]},
        [
            'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which '
            'means "match all values and all keys"',
            "spec.tolerations[1].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
        ],
    ),
    (
        {"tolerations": [{"key": "a", "operator": "Like", "effect": "Never", "tolerationSeconds": 1}]},
        [
            "spec.tolerations[0].effect: Invalid value: \"Never\": effect must be 'NoExecute' when "
            "`tolerationSeconds` is set",
            'spec.tolerations[0].operator: Unsupported value: "Like": supported values: "Equal", "Exists"',
            'spec.tolerations[0].effect: Unsupported value: "Never": supported values: "NoSchedule", '
            '"PreferNoSchedule", "NoExecute"',
        ],
    ),
    (
        {"affinity": {"nodeAffinity": {ANTI_AFFINITY: {"nodeSelectorTerms": []}}}},
        [
            f"spec.affinity.nodeAffinity.{ANTI_AFFINITY}.nodeSelectorTerms: Required value: must have at least one "
            "node selector term"
        ],
    ),
    (
        {
            "affinity": {
                "podAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 0, "podAffinityTerm": {"topologyKey": ""}}
                    ]
                }
            }
        },
        [
            "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: "
            "must be in the range 1-100",
            "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm."
            "topologyKey: Required value: can not be empty",
            "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm."
            'topologyKey: Invalid value: "": name part must be non-empty',
            "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm."
            "topologyKey: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
            "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ],
    ),
    (
        {
            "topologySpreadConstraints": [
                {"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"},
                {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 0},
                {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "Later"},
            ]
        },
        [
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "
            '"{z, DoNotSchedule}"',
            "spec.topologySpreadConstraints[1].minDomains: Invalid value: 0: must be greater than zero",
            'spec.topologySpreadConstraints[2].whenUnsatisfiable: Unsupported value: "Later": supported values: '
            '"DoNotSchedule", "ScheduleAnyway"',
        ],
    ),
    (
        {
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "z",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app": "web"}},
                    "matchLabelKeys": ["app"],
                },
                {
                    "maxSkew": 1,
                    "topologyKey": "y",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "matchLabelKeys": ["app"],
                },
            ]
        },
        [
            'spec.topologySpreadConstraints[0][0]: Invalid value: "app": exists in both matchLabelKeys and '
            "labelSelector",
            "spec.topologySpreadConstraints[1].matchLabelKeys: Forbidden: must not be specified when labelSelector "
            "is not set",
        ],
    ),
    (
        {"hostUsers": False, "hostNetwork": True},
        ["spec.hostNetwork: Forbidden: when `hostUsers` is false"],
    ),
    (
        {"nodeName": "n", "schedulingGates": [{"name": "a"}, {"name": "a"}]},
        [
            'spec.schedulingGates[1]: Duplicate value: "a"',
            "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
        ],
    ),
    (
        {"resources": {"requests": {"cpu": "100m"}}, **container(resources={"requests": {"cpu": "1"}})},
        [
            'spec.resources.requests[cpu]: Invalid value: "100m": must be greater than or equal to aggregate '
            "container requests of 1"
        ],
    ),
]


@pytest.mark.parametrize(("spec", "expected"), CASES)
def test_spec(spec, expected) -> None:
    assert errors("pods", pod(spec, labels={"app": "web"})) == expected


def test_errors_of_several_parts_are_listed_together() -> None:
    found = errors(
        "pods",
        pod({**container(name="", image="", ports=[{"containerPort": 0}]), "restartPolicy": "x"}, name="A"),
    )
    assert len(found) == 5
