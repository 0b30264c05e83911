"""Rules for the containers and volumes of pods: every error with its field, in kube-apiserver's words."""

from typing import Any

import pytest
from kind_cases import LABEL, container, errors, pod


def volumes(*listed: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**container(**fields), "volumes": list(listed)}


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
]


@pytest.mark.parametrize(("spec", "expected"), CASES)
def test_containers_and_volumes(spec, expected) -> None:
    assert errors("pods", pod(spec, labels={"app": "web"})) == expected
