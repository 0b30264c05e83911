"""Rules for pods: every error with its field, in kube-apiserver's words."""

from typing import Any

import pytest
from kind_cases import LABEL, SUBDOMAIN, container, errors, pod, update_errors

ANTI_AFFINITY = "requiredDuringSchedulingIgnoredDuringExecution"


def volumes(*listed: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**container(**fields), "volumes": list(listed)}


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
    ({"containers": []}, ["spec.containers: Required value"]),
    (container(name=""), [f"{C}.name: Required value"]),
    (container(name="Main"), [f'{C}.name: Invalid value: "Main": {LABEL}']),
    (container(image=""), [f"{C}.image: Required value"]),
    (
        container(image=" x"),
        [f'{C}.image: Invalid value: " x": must not have leading or trailing whitespace'],
    ),
    (
        {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]},
        ['spec.containers[1].name: Duplicate value: "a"'],
    ),
    (
        container(imagePullPolicy="Sometimes"),
        [
            f'{C}.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", '
            '"Never"'
        ],
    ),
    (
        container(terminationMessagePolicy="Log"),
        [
            f'{C}.terminationMessagePolicy: Unsupported value: "Log": supported values: "File", '
            '"FallbackToLogsOnError"'
        ],
    ),
    (
        container(
            ports=[{"containerPort": 0}, {"containerPort": 70000}, {"containerPort": 1, "hostPort": -1}]
        ),
        [
            f"{C}.ports[0].containerPort: Required value",
            f"{C}.ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            f"{C}.ports[2].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive",
        ],
    ),
    (
        container(
            ports=[{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a", "protocol": "X"}]
        ),
        [
            f'{C}.ports[1].name: Duplicate value: "a"',
            f'{C}.ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
        ],
    ),
    (
        container(ports=[{"containerPort": 1, "hostPort": 80}, {"containerPort": 2, "hostPort": 80}]),
        [f'{C}.ports[1].hostPort: Duplicate value: "TCP//80"'],
    ),
    (
        {**container(ports=[{"containerPort": 1, "hostPort": 2}]), "hostNetwork": True},
        [f"{C}.ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"],
    ),
    (
        container(env=[{"name": "", "value": "x"}, {"name": "a=b"}]),
        [
            f"{C}.env[0].name: Required value",
            f'{C}.env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of '
            "printable ASCII characters other than '='",
        ],
    ),
    (
        container(env=[{"name": "A", "valueFrom": {}}]),
        [
            f'{C}.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
            "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        ],
    ),
    (
        container(
            env=[{"name": "A", "value": "x", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]
        ),
        [f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    (
        container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.image"}}}]),
        [
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.image": error converting fieldPath: '
            "field label not supported: spec.image"
        ],
    ),
    (
        container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]),
        [
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: '
            '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
            '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
        ],
    ),
    (
        container(
            env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}}]
        ),
        [
            f'{C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values '
            "1m and 1 are supported with the cpu resource"
        ],
    ),
    (
        container(envFrom=[{}, {"secretRef": {"name": ""}}]),
        [
            f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
            f"{C}.envFrom[1].secretRef.name: Required value",
        ],
    ),
    (
        container(volumeMounts=[{"name": "gone", "mountPath": "/a"}]),
        [f'{C}.volumeMounts[0].name: Not found: "gone"'],
    ),
    (
        volumes(
            {"name": "v"},
            volumeMounts=[
                {"name": "v", "mountPath": "/a"},
                {"name": "v", "mountPath": "/a", "subPath": "../x"},
            ],
        ),
        [
            f'{C}.volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
            f"{C}.volumeMounts[1].subPath: Invalid value: \"../x\": must not contain '..'",
        ],
    ),
    (
        volumes({"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}),
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    (
        volumes({"name": "v"}, {"name": "v"}, {"name": "V"}),
        [
            'spec.volumes[1].name: Duplicate value: "v"',
            f'spec.volumes[2].name: Invalid value: "V": {LABEL}',
        ],
    ),
    (
        volumes({"name": "v", "hostPath": {"path": "/a/../b", "type": "Dir"}}),
        [
            "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
            'spec.volumes[0].hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", '
            '"CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
        ],
    ),
    (
        volumes({"name": "v", "secret": {"defaultMode": 1000, "items": [{"key": "k", "path": "/abs"}]}}),
        [
            "spec.volumes[0].secret.secretName: Required value",
            "spec.volumes[0].secret.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), "
            "both inclusive",
            'spec.volumes[0].secret.items[0].path: Invalid value: "/abs": must be a relative path',
        ],
    ),
    (
        volumes({"name": "v", "persistentVolumeClaim": {}}),
        ["spec.volumes[0].persistentVolumeClaim.claimName: Required value"],
    ),
    (
        {
            **volumes(
                {
                    "name": "v",
                    "projected": {
                        "sources": [
                            {"secret": {"name": "s", "items": [{"key": "a", "path": "p"}]}},
                            {"configMap": {"name": "c", "items": [{"key": "a", "path": "p"}]}},
                            {"serviceAccountToken": {"expirationSeconds": 60, "path": "t"}},
                        ]
                    },
                }
            ),
            "serviceAccountName": "x",
        },
        [
            'spec.volumes[0].projected: Invalid value: "p": conflicting duplicate paths',
            "spec.volumes[0].projected.sources[2].serviceAccountToken.expirationSeconds: Invalid value: 60: may not "
            "specify a duration less than 10 minutes",
        ],
    ),
    (
        container(livenessProbe={}),
        [f"{C}.livenessProbe: Required value: must specify a handler type"],
    ),
    (
        container(
            livenessProbe={"tcpSocket": {"port": 0}, "exec": {"command": ["a"]}, "successThreshold": 2}
        ),
        [
            f"{C}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
            f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ],
    ),
    (
        container(readinessProbe={"httpGet": {"port": 0, "scheme": "FTP"}, "periodSeconds": -1}),
        [
            f"{C}.readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            f'{C}.readinessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"',
            f"{C}.readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
        ],
    ),
    (
        container(readinessProbe={"exec": {"command": []}, "terminationGracePeriodSeconds": 3}),
        [
            f"{C}.readinessProbe.exec.command: Required value",
            f"{C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 3: must not be set for "
            "readinessProbes",
        ],
    ),
    (
        container(lifecycle={"preStop": {"sleep": {"seconds": 40}}}),
        [
            f"{C}.lifecycle.preStop.sleep: Invalid value: 40: must be non-negative and less than "
            "terminationGracePeriodSeconds (30)"
        ],
    ),
    (
        container(lifecycle={"stopSignal": "SIGTERM"}),
        [f"{C}.lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"],
    ),
    (
        container(resources={"requests": {"cpu": "2", "memory": "-1"}, "limits": {"cpu": "1"}}),
        [
            f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
            f'{C}.resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
        ],
    ),
    (
        container(resources={"limits": {"gpu": "1", "example.com/gpu": "500m"}}),
        [
            f'{C}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
            f'{C}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
            f'{C}.resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer',
            f'{C}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully '
            "qualified",
            f'{C}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
            f'{C}.resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer',
        ],
    ),
    (
        container(resources={"requests": {"example.com/gpu": "1"}}),
        [f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources"],
    ),
    (
        container(securityContext={"runAsUser": -1, "privileged": True, "allowPrivilegeEscalation": False}),
        [
            f"{C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
            f'{C}.securityContext: Invalid value: {{"runAsUser":-1,"privileged":true,"allowPrivilegeEscalation":'
            "false}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ],
    ),
    (
        container(securityContext={"seccompProfile": {"type": "Localhost"}}),
        [
            f"{C}.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is "
            "Localhost"
        ],
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
        {"initContainers": [{"name": "main", "image": "a", "livenessProbe": {"exec": {"command": ["x"]}}}]},
        [
            'spec.initContainers[0].name: Duplicate value: "main"',
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
            "restartPolicy=Always",
        ],
    ),
    (
        {"ephemeralContainers": [{"name": "debug", "image": "a", "targetContainerName": "x"}]},
        [
            'spec.ephemeralContainers[0].targetContainerName: Not found: "x"',
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
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


OLD = pod(
    {
        "initContainers": [{"name": "i", "image": "a"}],
        "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        "activeDeadlineSeconds": 10,
    }
)


def changed(**spec: Any) -> dict[str, Any]:
    return {**OLD, "spec": {**OLD["spec"], **spec}}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"containers": [{"name": "main", "image": "web:2", "imagePullPolicy": "IfNotPresent"}]},
        {"initContainers": [{"name": "i", "image": "b"}]},
        {"activeDeadlineSeconds": 5},
        {
            "tolerations": [
                {"key": "b", "operator": "Exists"},
                {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 7},
            ]
        },
    ],
)
def test_what_of_a_pod_may_change(spec) -> None:
    assert update_errors("pods", changed(**spec), OLD) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"containers": [*OLD["spec"]["containers"], {"name": "b", "image": "x"}]},
            "spec.containers: Forbidden: pod updates may not add or remove containers",
        ),
        (
            {"activeDeadlineSeconds": 20},
            "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value",
        ),
        (
            {"activeDeadlineSeconds": None},
            "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value",
        ),
        (
            {"tolerations": []},
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ),
        (
            {"hostname": "other"},
            "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            'negative)\nspec.hostname: null → "other"',
        ),
        (
            {"schedulingGates": [{"name": "new"}]},
            "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'new'",
        ),
    ],
)
def test_what_of_a_pod_may_not_change(spec, expected) -> None:
    assert update_errors("pods", changed(**spec), OLD) == [expected]


def test_a_refused_update_names_every_changed_field() -> None:
    containers = [{"name": "main", "image": "web:2", "env": [{"name": "A", "value": "1"}], "command": ["x"]}]
    (found,) = update_errors("pods", changed(containers=containers, subdomain="s"), OLD)
    assert found.split("\n")[1:] == [
        'spec.containers[0].env: null → [{"name":"A","value":"1"}]',
        'spec.containers[0].command: null → ["x"]',
        'spec.subdomain: null → "s"',
    ]


def test_a_gated_pod_may_be_narrowed_but_not_widened() -> None:
    gated = pod({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b"}})
    narrowed = pod({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b", "c": "d"}})
    widened = pod({"schedulingGates": [{"name": "g"}], "nodeSelector": {"c": "d"}})
    lifted = pod({"schedulingGates": [], "nodeSelector": {"a": "b"}})
    assert update_errors("pods", narrowed, gated) == []
    assert update_errors("pods", lifted, gated) == []
    assert update_errors("pods", widened, gated) == [
        'spec.nodeSelector: Invalid value: {"c":"d"}: no key/value mutation, only additions are allowed'
    ]
